"""The HTML report: many graded runs as one page that works from disk and without a network."""

import datetime as dt
import html
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from evaluators.reports import board_columns, leaderboard, traces
from evaluators.reports.leaderboard import Row
from evaluators.reports.page_files import Blocks, asset, katex_css, script_json
from evaluators.reports.run_settings import run_settings
from evaluators.reports.safe_text import safe
from evaluators.reports.statements import HIDDEN_DATASETS, Statement, Statements, hides_text
from evaluators.reports.traces import (
    FLAG_DIGITS,
    MISSING_CODE,
    Json,
    Labels,
    StepCounts,
    StepLabels,
)
from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.graded_attempts import GradedAttempt, graded_attempts
from evaluators.run_files.run_names import shortened_names
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.run_files.whole_file import whole_file
from evaluators.statistics.comparison import NotComparable, compare_runs, refuse_incomparable
from evaluators.statistics.groups import KINDS, Groups, accuracy_by
from evaluators.statistics.metrics import GradedRun, MeasuredRun

MOST_CELLS = 2_000_000
"""Attempts of a run that a page has room for; a browser holds no more."""
NOT_SHOWN = "this page was written without it"
DEFAULT_TITLE = "SpecLRM leaderboard"
SCRIPTS = (
    *("text.js", "data.js", "charts.js", "tables.js", "columns.js", "trace.js", "settings.js"),
    *("heat.js", "links.js", "page.js"),
)
"""In this order: a script uses what stands in those before it."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report shows.

    `baseline` names the run that costs and differences are relative to, or None for the first;
    with a `margin`, a share of 1, the page says which runs are not worse than it by more than that;
    texts of datasets whose name starts with one of `hidden_datasets` stay out: their authors ask
    that examples not be revealed. `step_labels` gives for a run what says which judged drafts are
    right, or None where only the track's verdict can. `statements` gives what a run's problems ask;
    it is not called for hidden datasets. `groups` gives the levels and subjects of its problems; it
    is called for hidden ones, too, with `groups_of_hidden`. `above` is HTML that stands before all
    else, as it is.
    """

    title: str = DEFAULT_TITLE

    baseline: str | None = None
    hidden_datasets: tuple[str, ...] = HIDDEN_DATASETS
    step_labels: Callable[[Path], StepLabels | None] | None = None
    statements: Callable[[Path], Statements] | None = None
    margin: float | None = None
    groups: Callable[[Path], Groups] | None = None
    groups_of_hidden: bool = False
    above: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was written: the page, and whether traces lie beside it in `folder`."""

    page: Path
    folder: Path | None
    attempts: int


def write_report(runs: Sequence[MeasuredRun], page: Path, options: ReportOptions) -> Report:
    """Write the report of graded runs to `page`, and its traces beside it if they are many.

    Raises:
        NotGraded: a run's attempts are not those that were graded, or a file of it is broken.
        NoSuchBaseline: no run has the baseline's name.
    """
    shown = list({one.path: one for one in runs}.values())
    baseline = options.baseline or shown[0].run.name
    base = leaderboard.named([one.metrics for one in shown], baseline)
    groups = [_groups(one, options) for one in shown]
    rows = [
        Row(
            one.metrics,
            leaderboard.relative_costs(one.metrics.costs, base.costs),
            {kind: accuracy_by(one.run, names) for kind, names in of.by_kind.items()},
        )
        for one, of in zip(shown, groups, strict=True)
    ]
    short = shortened_names([one.run.name for one in shown])
    folder = page.with_name(page.name + ".traces")
    blocks = Blocks(folder)
    shelf = _Shelf(blocks)
    data = {
        "title": options.title,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="minutes"),
        "baseline": baseline,
        "traces": folder.name,
        "groups": {kind: board_columns.group_names(rows, kind) for kind in KINDS},
        "runs": [
            leaderboard.flattened(row)
            | {"model": board_columns.model_name(row.metrics.model), "short": name}
            | {"settings": run_settings(one.run.manifest)}
            | _run_data(one.path, one.run, shelf, options)
            for one, row, name in zip(shown, rows, short, strict=True)
        ],
        "comparisons": _comparisons([one.run for one in shown], baseline, options.margin),
    }
    inline = blocks.finish()
    with whole_file(page) as out:
        out.write(_page(data, inline, options.above).encode())
    total = sum(one.run.totals.rows for one in shown)
    return Report(page, folder if blocks.beside else None, total)


def _groups(one: MeasuredRun, options: ReportOptions) -> Groups:
    hide = hides_text(one.run.identity.dataset, options.hidden_datasets)
    if options.groups is None or (hide and not options.groups_of_hidden):
        return Groups()
    return options.groups(one.path)


class _Shelf:
    """Where a report's texts go: traces, and what problems ask, once for all runs."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self._places: dict[Statement, tuple[int, int]] = {}

    def place_of(self, statement: Statement | None) -> tuple[int, int] | None:
        """The block of a statement and its place in it."""
        if statement is None:
            return None
        if statement not in self._places:
            self._places[statement] = self.blocks.add(asdict(statement))
        return self._places[statement]


def _run_data(path: Path, run: GradedRun, shelf: _Shelf, options: ReportOptions) -> Json:
    """A run's heat map, step counts and outcomes; its texts go onto `shelf`."""
    dataset = run.identity.dataset
    hide = hides_text(dataset, options.hidden_datasets)
    asked = Statements({}, NOT_SHOWN)
    if options.statements is not None and not hide:
        asked = options.statements(path)
    checker = options.step_labels(path) if options.step_labels is not None else None
    cells = len(run.problems) * run.repeats
    if cells > MOST_CELLS:
        raise NotGraded(
            f"{path} asks for {cells:,} attempts, and a page shows at most {MOST_CELLS:,}; "
            "leave out --html."
        )
    counts = StepCounts()
    outcomes: Counter[str] = Counter()
    codes = {name: [MISSING_CODE] * run.repeats for name in run.problems}
    flags = {name: ["0"] * run.repeats for name in run.problems}
    places: dict[str, list[int]] = {name: [0, 0] * run.repeats for name in run.problems}
    for attempt in graded_attempts(path):
        problem, repeat = attempt.key
        labels = _labels(attempt, checker)
        flag = traces.flags_of(attempt, labels, counts)
        codes[problem][repeat] = traces.code_of(attempt)
        flags[problem][repeat] = FLAG_DIGITS[flag]
        outcomes[traces.outcome_of(codes[problem][repeat], flag, attempt.verdict)] += 1
        place = shelf.blocks.add(traces.trace(attempt, labels, hide_text=hide))
        places[problem][2 * repeat : 2 * repeat + 2] = place
    outcomes["missing"] = cells - sum(outcomes.values())
    return {
        "roles": list(run.models),
        "hidden": hide,
        "label": "step check" if checker is not None else "the track's verdict",
        "problem_ids": [as_written(name) for name in run.problems],
        "codes": ["".join(marks) for marks in codes.values()],
        "flags": ["".join(marks) for marks in flags.values()],
        "places": list(places.values()),
        "statements": [shelf.place_of(asked.by_id.get(name)) for name in run.problems],
        "no_statement": asked.missing,
        "judging": run.identity.steps,
        "steps": asdict(counts),
        "outcomes": dict(outcomes),
    }


def _labels(attempt: GradedAttempt, checker: StepLabels | None) -> Labels:
    return traces.track_labels(attempt) if checker is None else checker(attempt.line)


def _comparisons(runs: list[GradedRun], baseline: str, margin: float | None) -> list[Json]:
    """Every run against the baseline, adjusted together; or why one cannot be compared."""
    base = next(run for run in runs if run.name == baseline)
    comparable, refused = [], []
    for run in runs:
        if run is base:
            continue
        try:
            refuse_incomparable(base, run)
        except NotComparable as error:
            refused.append({"second": run.name, "refused": str(error)})
        else:
            comparable.append(run)
    made = compare_runs([base, *comparable], margin) if comparable else []
    return [asdict(one) for one in made] + refused


def _page(data: Json, inline: list[str], above: str) -> str:
    """The page; only scripts that carry its nonce run, whatever a model wrote."""
    nonce = secrets.token_urlsafe(16)
    blocks = "\n".join(
        f'<script type="application/json" id="block-{number}">{block}</script>'
        for number, block in enumerate(inline)
    )
    return Template(asset("page", "page.html")).substitute(
        nonce=nonce,
        title=html.escape(safe(str(data["title"]))),
        above=above,
        css=asset("page", "page.css"),
        katex_css=katex_css(),
        katex_js=asset("katex", "katex.min.js"),
        data=script_json(data),
        blocks=blocks,
        js="\n".join(asset("page", name) for name in SCRIPTS),
    )
