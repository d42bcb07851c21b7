"""Comparisons in pairs as tables: cells for people, CSV and JSON for programs."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluators.reports.safe_text import csv_cell, markdown_text
from evaluators.statistics.comparison import Comparison
from evaluators.statistics.cost_ratios import CostRatio
from evaluators.statistics.sign_flips import p_text
from evaluators.statistics.uncertainty import Interval

COST_NOTES = (
    "Costs of an attempt, relative to the first run's at the same problems; 95 % interval over "
    "the population of problems. Seconds depend on the concurrency."
)


@dataclass(frozen=True, slots=True)
class PairColumn:
    """A column: its heading and how it shows a comparison; `is_spare`: the first to go without."""

    heading: str
    show: Callable[[Comparison], str]
    is_spare: bool = False


COST_COLUMNS = (
    PairColumn("tokens ×", lambda one: _times(one.costs.tokens)),
    PairColumn("GFLOPs decode ×", lambda one: _times(one.costs.flops_decode), is_spare=True),
    PairColumn("GFLOPs total ×", lambda one: _times(one.costs.flops_total)),
    PairColumn("seconds ×", lambda one: _times(one.costs.seconds)),
)


def pair_columns(comparisons: Sequence[Comparison]) -> list[PairColumn]:
    """What the comparisons say, without the run's name and the costs.

    Of the margin only where there is one; Holm's p only where it is not p itself.
    """
    asked, several = comparisons[0].not_worse, len(comparisons) > 1
    margin = "" if asked is None else f"not worse by more than {asked.margin * 100:g} points"
    made = [
        PairColumn("problems", lambda one: str(one.problems), is_spare=True),
        PairColumn("difference [95 %]", difference_text),
        PairColumn("p", lambda one: p_text(one.p), is_spare=several),
        PairColumn("Holm p", lambda one: p_text(one.adjusted_p)) if several else None,
        PairColumn("won / tied / lost", lambda one: f"{one.wins}/{one.ties}/{one.losses}"),
        PairColumn(margin, _not_worse) if margin else None,
        PairColumn("points detectable", lambda one: _points(one.detectable)),
    ]
    return [column for column in made if column is not None]


def notes(comparisons: Sequence[Comparison]) -> str:
    """What the table's columns mean, for the line below it."""
    holm = " Holm p: p adjusted for the number of runs compared." if len(comparisons) > 1 else ""
    margin = (
        " Not worse: one-sided at 2.5 %, Holm's p over all runs compared."
        if comparisons[0].not_worse is not None
        else ""
    )
    return (
        f"Against {comparisons[0].first}, in percent points; 95 % interval over the population of "
        "problems. p: sign-flip test, whose null hypothesis is differences symmetric about "
        f"0.{holm} Detectable: the true difference that 80 % of studies like this one "
        f"find.{margin}"
    )


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """One Markdown table; no name in it is taken for markup or HTML, or breaks it."""
    columns = [*pair_columns(comparisons), *COST_COLUMNS]
    head = ["run", *(column.heading for column in columns)]
    rows = [[one.second, *(column.show(one) for column in columns)] for one in comparisons]
    lines = [
        "| " + " | ".join(markdown_text(cell) for cell in line) + " |"
        for line in (head, ["---"] * len(head), *rows)
    ]
    warnings = [
        f"- {markdown_text(f'{one.second}: {warning}')}"
        for one in comparisons
        for warning in one.warnings
    ]
    return "\n".join([*lines, "", markdown_text(notes(comparisons)), "", COST_NOTES, *warnings])


def as_csv(comparisons: Sequence[Comparison]) -> str:
    """Every number unrounded, one line a comparison; unknown is empty, no name is a formula."""
    flat = [_flattened(one) for one in comparisons]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in flat)
    return out.getvalue().rstrip("\n")


def as_json(comparisons: Sequence[Comparison]) -> str:
    """Everything that is known of each comparison, a list of objects."""
    return json.dumps([asdict(one) for one in comparisons], indent=2)


def _flattened(one: Comparison) -> dict[str, Any]:
    """A comparison's numbers by name; the discordant problems are counted, not named."""
    flat: dict[str, Any] = asdict(one)
    costs, not_worse = flat.pop("costs"), flat.pop("not_worse") or {}
    flat |= _ends("difference", flat.pop("interval"))
    flat |= {"discordant": len(one.discordant), "warnings": "; ".join(one.warnings)}
    for name in ("margin", "p", "adjusted_p", "holds"):
        flat["margin" if name == "margin" else f"not_worse_{name}"] = not_worse.get(name)
    for name, cost in costs.items():
        ratio, interval = (cost["ratio"], cost["interval"]) if cost else (None, None)
        flat |= {f"{name}_ratio": ratio} | _ends(f"{name}_ratio", interval)
    return flat


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval if interval is not None else (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _points(share: float | None) -> str:
    return f"{100 * share:.1f}" if share is not None else "–"


def difference_text(one: Comparison) -> str:
    """The difference in points with its interval."""
    low, high = (f"{100 * end:+.1f}" for end in one.interval)
    return f"{100 * one.difference:+.1f} points [{low}, {high}]"


def _not_worse(one: Comparison) -> str:
    asked = one.not_worse
    if asked is None:
        return "–"
    return f"{'yes' if asked.holds else 'not shown'} (p {p_text(asked.adjusted_p)})"


def _times(cost: CostRatio | None) -> str:
    if cost is None:
        return "–"
    return f"{cost.ratio:.2f} [{cost.interval.low:.2f}, {cost.interval.high:.2f}]"
