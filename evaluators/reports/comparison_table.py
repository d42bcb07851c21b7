"""Comparisons in pairs as tables: cells for people, CSV and JSON for programs."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evaluators.reports.safe_text import csv_cell, markdown_text
from evaluators.statistics.comparison import Comparison, NotWorse
from evaluators.statistics.cost_ratios import CostRatio
from evaluators.statistics.sign_flips import p_text
from evaluators.statistics.uncertainty import Interval

COST_HEADINGS = ("run", "tokens ×", "GFLOPs decode ×", "GFLOPs total ×", "seconds ×")
COST_NOTES = (
    "Costs of an attempt, relative to the first run's at the same problems; 95 % interval over "
    "the population of problems. Seconds depend on the concurrency."
)


def headings(comparisons: Sequence[Comparison]) -> list[str]:
    """The headings over `cells`; those of the margin only where there is one."""
    asked = comparisons[0].not_worse
    margin = [] if asked is None else [f"not worse by more than {asked.margin * 100:g} points"]
    return [
        "run",
        "problems",
        "difference",
        "95 % interval",
        "p",
        "Holm p",
        *margin,
        "won / tied / lost",
        "detectable",
    ]


def notes(comparisons: Sequence[Comparison]) -> str:
    """What the table's columns mean, for the line below it."""
    margin = (
        " Not worse: one-sided at 2.5 %, Holm's p over all runs compared."
        if comparisons[0].not_worse is not None
        else ""
    )
    return (
        f"Against {comparisons[0].first}; 95 % interval over the population of problems; p: "
        "sign-flip test, whose null hypothesis is differences symmetric about 0; detectable: the "
        f"true difference that 80 % of studies like this one find.{margin}"
    )


def cells(one: Comparison) -> list[str]:
    """One comparison as text, in the order of `headings`."""
    return [
        one.second,
        str(one.problems),
        f"{one.difference:+.1%}",
        f"{one.interval.low:+.1%} to {one.interval.high:+.1%}",
        p_text(one.p),
        p_text(one.adjusted_p),
        *([] if one.not_worse is None else [_verdict(one.not_worse)]),
        f"{one.wins} / {one.ties} / {one.losses}",
        f"{one.detectable:.1%}" if one.detectable is not None else "–",
    ]


def cost_cells(one: Comparison) -> list[str]:
    """The cost ratios of one comparison as text, in the order of `COST_HEADINGS`."""
    costs = (one.costs.tokens, one.costs.flops_decode, one.costs.flops_total, one.costs.seconds)
    return [one.second, *(_times(cost) for cost in costs)]


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """One Markdown table; no name in it is taken for markup or HTML, or breaks it."""
    head = [*headings(comparisons), *COST_HEADINGS[1:]]
    rows = [[*cells(one), *cost_cells(one)[1:]] for one in comparisons]
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


def _verdict(one: NotWorse) -> str:
    return f"{'yes' if one.holds else 'not shown'} (p {p_text(one.adjusted_p)})"


def _times(cost: CostRatio | None) -> str:
    if cost is None:
        return "–"
    return f"{cost.ratio:.2f} ({cost.interval.low:.2f} to {cost.interval.high:.2f})"
