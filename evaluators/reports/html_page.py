"""The HTML report: many graded runs as one page that works from disk and without a network."""

import datetime as dt
import html
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from evaluators.reports import board_columns, leaderboard
from evaluators.reports.leaderboard import Row
from evaluators.reports.page_files import Blocks, asset, katex_css, script_json
from evaluators.reports.page_runs import ReportOptions, Shelf, run_data
from evaluators.reports.parts import as_data
from evaluators.reports.run_settings import run_settings
from evaluators.reports.safe_text import safe
from evaluators.reports.statements import hides_text
from evaluators.reports.traces import (
    Json,
)
from evaluators.run_files.run_names import shortened_names
from evaluators.run_files.whole_file import whole_file
from evaluators.statistics.comparison import NotComparable, compare_runs, refuse_incomparable
from evaluators.statistics.groups import KINDS, Groups, accuracy_by
from evaluators.statistics.metrics import GradedRun, MeasuredRun

SCRIPTS = (
    *("text.js", "data.js", "charts.js", "tables.js", "columns.js", "trace.js", "settings.js"),
    *("heat.js", "links.js", "page.js"),
)
"""In this order: a script uses what stands in those before it."""


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
    shelf = Shelf(blocks)
    data = {
        "title": options.title,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="minutes"),
        "baseline": baseline,
        "traces": folder.name,
        "groups": {kind: board_columns.group_names(rows, kind) for kind in KINDS},
        "runs": [
            leaderboard.flattened(row)
            | _models(row)
            | {"short": name}
            | {"settings": run_settings(one.run.manifest)}
            | run_data(one, of.by_kind, shelf, options)
            for one, row, name, of in zip(shown, rows, short, groups, strict=True)
        ],
        "parts": as_data(options.parts),
        # The table above has compared its cells already, adjusted over all of them.
        "compared_above": bool(options.above or options.parts),
        "comparisons": []
        if options.above or options.parts
        else _comparisons([one.run for one in shown], baseline, options.margin),
    }
    inline = blocks.finish()
    with whole_file(page) as out:
        out.write(_page(data, inline, options.above).encode())
    total = sum(one.run.totals.rows for one in shown)
    return Report(page, folder if blocks.beside else None, total)


def _models(row: Row) -> Json:
    """The names of a run's models as a page has them."""
    return {
        "model" if role == "target" else f"{role}_model": board_columns.model_name(name)
        for role, name in row.metrics.models.items()
    }


def _groups(one: MeasuredRun, options: ReportOptions) -> Groups:
    hide = hides_text(one.run.identity.dataset, options.hidden_datasets)
    if options.groups is None or (hide and not options.groups_of_hidden):
        return Groups()
    return options.groups(one.path)


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
