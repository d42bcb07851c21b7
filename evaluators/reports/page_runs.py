"""What the HTML report holds of a run: its map of attempts, step counts, and texts on a shelf."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from evaluators.reports import traces
from evaluators.reports.page_files import Blocks
from evaluators.reports.parts import Part
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
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.groups import Groups
from evaluators.statistics.in_flight import Span, attempt_span, covered
from evaluators.statistics.metrics import MeasuredRun

MOST_CELLS = 2_000_000
"""Attempts of a run that a page has room for; a browser holds no more."""
NOT_SHOWN = "this page was written without it"
DEFAULT_TITLE = "SpecLRM leaderboard"
ANSWER_CHARACTERS = 80
"""Of an answer that is looked for in the map of attempts; its trace has it whole."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report shows.

    `baseline` names the run that costs and differences are relative to, or None for the first;
    with a `margin`, a share of 1, the page says which runs are not worse than it by more than that;
    texts of datasets whose name starts with one of `hidden_datasets` stay out: their authors ask
    that examples not be revealed. `step_labels` gives for a run what says which judged drafts are
    right, or None where only the track's verdict can. `statements` gives what a run's problems ask;
    it is not called for hidden datasets. `groups` gives the levels and subjects of its problems; it
    is called for hidden ones, too, with `groups_of_hidden`. `parts` are tables of the runs that
    stand before all else, and compare them already; `above` is HTML that stands before all
    else, as it is. `seen` says of a run why its model may have seen the problems, `dollars` has the
    price of an attempt of a run.
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
    parts: Sequence[Part] = ()
    seen: Mapping[Path, str] = field(default_factory=dict)
    dollars: Mapping[Path, float] = field(default_factory=dict)


class Shelf:
    """Where a report's texts go: traces, and what problems ask, once for all runs."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self._places: dict[tuple[Statement, str | None], tuple[int, int]] = {}

    def place_of(self, statement: Statement | None, prompt: str | None) -> tuple[int, int] | None:
        """The block of a statement and of the prompt made of it, and its place in it."""
        if statement is None:
            return None
        asked = statement, prompt
        if asked not in self._places:
            self._places[asked] = self.blocks.add(asdict(statement) | {"prompt": prompt})
        return self._places[asked]


@dataclass(frozen=True, slots=True)
class _ProblemRow:
    """A problem's row of the map: what each of its repeats came to, and where its trace is."""

    codes: list[str]
    flags: list[str]
    places: list[int]
    answers: list[str | None]

    @classmethod
    def empty(cls, repeats: int) -> Self:
        """The row of a problem without attempts."""
        return cls([MISSING_CODE] * repeats, ["0"] * repeats, [0, 0] * repeats, [None] * repeats)


@dataclass(frozen=True, slots=True)
class _RunMap:
    """A run's map of attempts, and what of them is counted."""

    rows: dict[str, _ProblemRow]
    kinds: dict[str, str | None] = field(default_factory=dict)
    counts: StepCounts = field(default_factory=StepCounts)
    outcomes: Counter[str] = field(default_factory=Counter)
    spans: list[Span] = field(default_factory=list)

    def add(self, attempt: GradedAttempt, labels: Labels, place: tuple[int, int]) -> None:
        """Put an attempt, whose trace is at `place`, into the map."""
        (problem, repeat), line = attempt.key, attempt.line
        row = self.rows[problem]
        flag = traces.flags_of(attempt, labels, self.counts)
        row.codes[repeat] = traces.code_of(attempt)
        row.flags[repeat] = FLAG_DIGITS[flag]
        row.answers[repeat] = (attempt.verdict.extracted or "")[:ANSWER_CHARACTERS] or None
        row.places[2 * repeat : 2 * repeat + 2] = place
        self.kinds[problem] = line.kind
        self.outcomes[traces.outcome_of(row.codes[repeat], flag, attempt.verdict)] += 1
        span = attempt_span(line.started, line.seconds)
        if span is not None:
            self.spans.append(span)

    def shown(self, cells: int) -> Json:
        """The map of so many cells as the page has it."""
        missing = cells - sum(self.outcomes.values())
        rows, spans = self.rows.values(), self.spans
        return {
            "problem_ids": [as_written(name) for name in self.rows],
            "codes": ["".join(row.codes) for row in rows],
            "flags": ["".join(row.flags) for row in rows],
            "places": [row.places for row in rows],
            "answers": [row.answers for row in rows],
            "kinds": [self.kinds.get(name) for name in self.rows],
            "steps": self.counts.shown(),
            "outcomes": {**self.outcomes, "missing": missing},
            "machine_seconds": covered(spans) / len(spans) if spans else None,
        }


def run_data(
    one: MeasuredRun,
    by_kind: Mapping[str, Mapping[str, str]],
    shelf: Shelf,
    options: ReportOptions,
) -> Json:
    """A run's map of attempts, step counts and outcomes; its texts go onto `shelf`.

    `by_kind` has the groups of its problems.

    Raises:
        NotGraded: an attempt has no verdict or is broken, or there are too many for a page.
    """
    path, run = one.path, one.run
    hide = hides_text(run.identity.dataset, options.hidden_datasets)
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
    hashes = {name: _sha256(text) for name, text in asked.prompts.items()}
    made = _RunMap({name: _ProblemRow.empty(run.repeats) for name in run.problems})
    for attempt in graded_attempts(path):
        labels = _labels(attempt, checker)
        prompted = attempt.line.prompt_sha256 == hashes.get(attempt.key[0], "")
        trace = traces.trace(attempt, labels, hide_text=hide) | {"prompted": prompted}
        made.add(attempt, labels, shelf.blocks.add(trace))
    return made.shown(cells) | {
        "roles": list(run.models),
        "hidden": hide,
        "label": "step check" if checker is not None else "the track's verdict",
        "in_groups": {kind: [of.get(n) for n in run.problems] for kind, of in by_kind.items()},
        "statements": [
            shelf.place_of(asked.by_id.get(name), asked.prompts.get(name)) for name in run.problems
        ],
        "no_statement": asked.missing,
        "judging": run.identity.steps,
        "seen": options.seen.get(path),
        "dollars": options.dollars.get(path),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _labels(attempt: GradedAttempt, checker: StepLabels | None) -> Labels:
    return traces.track_labels(attempt) if checker is None else checker(attempt.line)
