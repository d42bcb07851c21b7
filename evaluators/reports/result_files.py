"""A table of runs for programs and papers: LaTeX, CSV and JSON."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from evaluators.reports.result_tables import SIGNIFICANT, further_roles, mark_notes, marks
from evaluators.reports.safe_text import csv_cell, safe
from evaluators.statistics.comparison import Comparison
from evaluators.statistics.metrics import TWO_ROLES
from evaluators.statistics.result_table import ResultCell, ResultTable

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"$^{\dagger}$",
    "‡": r"$^{\ddagger}$",
    "…": r"\ldots{}",
    "–": "--",
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
SPECIAL = re.compile("|".join(map(re.escape, LATEX)))


def as_latex(table: ResultTable) -> str:
    """A table for a paper, with booktabs: accuracy, interval, and difference by column.

    A difference is in points and has a star where Holm's p is at most 0.05.
    """
    columns = len(table.columns)
    reported = any(cell.source.reported is not None for cell in table.in_order)
    each = 3 if reported else 2
    rules = "".join(
        rf"\cmidrule(lr){{{2 + each * n}-{1 + each * (n + 1)}}}" for n in range(columns)
    )
    above = " & ".join(
        ["", *(rf"\multicolumn{{{each}}}{{c}}{{{latex(name)}}}" for name in table.columns)]
    )
    below = " & ".join(["", *(["accuracy", r"$\Delta$", "reported"][:each] * columns)])
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex(table.title)}. {latex(_caption(table))}}}",
        rf"  \begin{{tabular}}{{l{'r' * each * columns}}}",
        r"    \toprule",
        rf"    {above} \\",
        rf"    {rules}",
        rf"    {below} \\",
        r"    \midrule",
    ]
    for row in table.rows:
        cells = (table.cells.get((row, column)) for column in table.columns)
        texts = [text for cell in cells for text in _latex_cell(cell)[:each]]
        name = latex(row)
        # After the \\ of the line before, LaTeX would take these for a length and a star.
        name = f"{{}}{name}" if name.startswith(("[", "*")) else name
        lines.append(rf"    {' & '.join([name, *texts])} \\")
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}"])


def latex(text: str) -> str:
    """Text on one line that LaTeX prints as it is."""
    return SPECIAL.sub(lambda match: LATEX[match[0]], " ".join(safe(text).split()))


def as_csv(table: ResultTable) -> str:
    """Every number unrounded, one line a cell; unknown is empty, no name is a formula."""
    roles = further_roles(table)
    flat = [flattened(cell, roles) for cell in table.in_order]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in flat)
    return out.getvalue().rstrip("\n")


def as_json(table: ResultTable) -> str:
    """Every number unrounded."""
    roles = further_roles(table)
    return json.dumps(
        {
            "title": table.title,
            "baseline": table.baseline,
            "cells": [flattened(cell, roles) for cell in table.in_order],
        },
        indent=2,
    )


def flattened(cell: ResultCell, roles: Sequence[str]) -> dict[str, Any]:
    """A cell's numbers by name; shares of 1. `roles` are those beside target and draft."""
    source, metrics, reported = cell.source, cell.metrics, cell.source.reported
    interval = metrics.uncertainty.population if metrics is not None else None
    costs = metrics.costs if metrics is not None else None
    tokens = (costs.tokens if costs is not None else None) or {}
    forwards = costs.forwards if costs is not None else {}
    given = costs.tokens_a_forward if costs is not None else {}
    return {
        "row": source.row,
        "column": source.column,
        "run": str(source.run),
        "planned": source.planned,
        "attempts": source.attempts,
        "problems": metrics.problems if metrics is not None else None,
        "repeats": metrics.repeats if metrics is not None else None,
        "accuracy": metrics.accuracy if metrics is not None else None,
        "accuracy_low": interval.low if interval is not None else None,
        "accuracy_high": interval.high if interval is not None else None,
        **_differences(cell.against),
        "not_compared": cell.not_compared,
        "target_tokens": costs.target_tokens if costs is not None else None,
        "draft_tokens": costs.draft_tokens if costs is not None else None,
        **{f"{role}_tokens": tokens.get(role) for role in roles},
        **{f"{role}_forwards": forwards.get(role) for role in (*TWO_ROLES, *roles)},
        **{f"{role}_tokens_a_forward": given.get(role) for role in (*TWO_ROLES, *roles)},
        "flops_decode": costs.flops_decode if costs is not None else None,
        "flops_total": costs.flops_total if costs is not None else None,
        "seconds_p50": costs.seconds_p50 if costs is not None else None,
        "gpu_hours": source.gpu_hours,
        "dollars": source.dollars,
        "reported": reported.value if reported is not None else None,
        "reported_source": reported.source if reported is not None else None,
        "reported_in_interval": cell.within,
        "seen": source.seen,
        "unverified": metrics.unverified if metrics is not None else None,
    }


def _differences(one: Comparison | None) -> dict[str, float | None]:
    ratio = None if one is None else one.costs.flops_decode
    return {
        "difference": None if one is None else one.difference,
        "difference_low": None if one is None else one.interval.low,
        "difference_high": None if one is None else one.interval.high,
        "p": None if one is None else one.p,
        "holm_p": None if one is None else one.adjusted_p,
        "flops_decode_ratio": None if ratio is None else ratio.ratio,
    }


def _caption(table: ResultTable) -> str:
    notes = " ".join(mark_notes(table))
    return (
        "Accuracy in % with its 95 % interval over the population of problems; differences to "
        f"{table.baseline} in points, * where Holm's p is at most {SIGNIFICANT:g}. {notes}".strip()
    )


def _latex_cell(cell: ResultCell | None) -> tuple[str, str, str]:
    if cell is None or cell.metrics is None:
        return "--", "", ""
    metrics, one, reported = cell.metrics, cell.against, cell.source.reported
    interval = metrics.uncertainty.population
    ends = ""
    if interval is not None:
        ends = rf" {{\scriptsize [{100 * interval.low:.1f}, {100 * interval.high:.1f}]}}"
    difference = ""
    if one is not None:
        star = "^{*}" if one.adjusted_p <= SIGNIFICANT else ""
        difference = f"${100 * one.difference:+.1f}{star}$"
    others = "" if reported is None else f"{100 * reported.value:.1f}"
    return f"{100 * metrics.accuracy:.1f}{ends}{latex(marks(cell))}", difference, others
