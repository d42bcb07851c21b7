"""The plan of a table: every cell with its run, what is there, and what is to come."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from evaluators.reports.safe_text import safe
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import counted
from pipeline.stores.addresses import as_addresses
from pipeline.tables.engine_sets import engine_sets
from pipeline.tables.gpu_hours import HOUR, GpuHours, gpu_hours
from pipeline.tables.lock_file import Invalidated
from pipeline.tables.planning import PlannedCell, shared_runs
from pipeline.tables.results import seen
from pipeline.tables.table_file import TableFile
from pipeline.tables.to_go import ToGo, to_go

HEADINGS = ("row", "column", "run", "there", "missing", "tokens to go", "time to go")
NOTES = (
    "there: attempts that are recorded, of those that are asked for. to go: about, by what is "
    "recorded, or ≤, by the token budget, of what no cell above asks for; time: with as many "
    "attempts in flight as the concurrency."
)


@dataclass(frozen=True, slots=True)
class Total:
    """What all cells still take together; `tokens` are None where one has recorded nothing."""

    attempts: int
    runs: int
    tokens: float | None
    tokens_at_most: int


def print_plan(
    table: TableFile,
    planned: Sequence[PlannedCell],
    changed: Collection[Invalidated],
    machines: Sequence[int] = (),
) -> None:
    """Print the plan; `machines` are numbers of GPUs for which it says how long they take."""
    console = table_console()
    ahead = to_go(planned)
    print_table(
        console,
        HEADINGS,
        [_cells(one, left) for one, left in zip(planned, ahead, strict=True)],
        title=table.title,
        notes=NOTES,
        keys=2,
        texts=3,
    )
    lines = [*_lines(planned, changed), _in_all(planned, ahead)]
    for line in (*lines, *_on_gpus(gpu_hours(planned, ahead), machines)):
        console.print(Text(safe(line)))


def plan_as_json(
    table: TableFile,
    planned: Sequence[PlannedCell],
    changed: Collection[Invalidated],
    machines: Sequence[int] = (),
) -> str:
    """The plan with every number unrounded."""
    ahead = to_go(planned)
    hours = gpu_hours(planned, ahead)
    return json.dumps(
        {
            "title": table.title,
            "baseline": table.baseline,
            "cells": [
                _as_json(one, left, planned) for one, left in zip(planned, ahead, strict=True)
            ],
            "to_go": asdict(_total(planned, ahead)),
            "gpu_hours": asdict(hours)
            | {"hours_on": {str(gpus): hours.hours_on(gpus) for gpus in machines}},
            "engine_sets": [list(each.engines) for each in engine_sets(shared_runs(planned))],
            "changed": [asdict(one) for one in changed],
        },
        indent=2,
    )


def _cells(one: PlannedCell, left: ToGo | None) -> list[str]:
    asked = "?" if one.asked is None else f"{one.asked:,}"
    errors = f" ({one.failed} failed)" if one.failed else ""
    return [
        one.cell.row.name,
        one.cell.column.name,
        as_addresses(str(one.directory)),
        f"{one.recorded:,} of {asked}{errors}",
        "?" if left is None else f"{left.attempts:,}",
        "?" if left is None else _tokens(left),
        "–" if left is None or left.seconds is None else _time(left.seconds / _at_once([one])),
    ]


def _lines(planned: Sequence[PlannedCell], changed: Collection[Invalidated]) -> list[str]:
    """What is to be said below the table."""
    troubles: dict[str, list[str]] = {}
    for one in planned:
        if one.trouble is not None:
            troubles.setdefault(one.trouble, []).append(one.cell.name)
    lines = [f"Cannot run: {', '.join(names)}: {why}" for why, names in troubles.items()]
    older = {(one.cell.column.name, seen(one.cell)) for one in planned}
    lines += [f"{column}: {why}." for column, why in sorted(older, key=str) if why is not None]
    lines += [
        f"Note: {note}." for note in dict.fromkeys(n for one in planned for n in one.cell.notes)
    ]
    sharing = Counter(one.directory for one in planned)
    lines += [
        f"One run, {as_addresses(str(directory))}, serves {', '.join(_serves(directory, planned))}."
        for directory, cells in sharing.items()
        if cells > 1
    ]
    lines += server_lines(planned)
    lines += changed_lines(changed)
    sets = engine_sets(shared_runs(planned))
    for number, each in enumerate(sets, start=1):
        lines.append(f"Engines, set {number} of {len(sets)}: {', '.join(each.engines)}.")
    return lines


def _total(planned: Sequence[PlannedCell], ahead: Sequence[ToGo | None]) -> Total:
    """What the cells that can be run take together."""
    left = [
        (one.directory, each)
        for one, each in zip(planned, ahead, strict=True)
        if one.trouble is None and each is not None and each.new
    ]
    known = [each.tokens for _, each in left if each.tokens is not None]
    return Total(
        attempts=sum(each.new for _, each in left),
        runs=len({directory for directory, _ in left}),
        tokens=sum(known) if len(known) == len(left) else None,
        tokens_at_most=sum(each.tokens_at_most for _, each in left),
    )


def _in_all(planned: Sequence[PlannedCell], ahead: Sequence[ToGo | None]) -> str:
    total = _total(planned, ahead)
    tokens = f", {_tokens(total)} tokens" if total.attempts else ""
    return f"To go: {counted(total.attempts, 'attempt')} in {counted(total.runs, 'run')}{tokens}."


def _on_gpus(hours: GpuHours, machines: Sequence[int]) -> list[str]:
    """How long machines take with so many GPUs, where that was asked."""
    if not machines:
        return []
    if hours.lacking:
        who = ", ".join(hours.lacking)
        return [f"How long it takes is not known: no card says tokens_per_second of {who}."]
    about = "at most" if hours.bounded else "about"
    lines = []
    for gpus in machines:
        each = hours.hours_on(gpus)
        lines.append(
            f"On {counted(gpus, 'GPU')}: {about} {_time(each * HOUR)}."
            if each is not None
            else f"On {counted(gpus, 'GPU')}: no copy of a model fits that has {hours.largest}."
        )
    by = "the token budget" if hours.bounded else "what is recorded"
    return [
        f"GPU-hours to go: {about} {hours.hours:,.1f}, by {by} and tokens_per_second of the cards.",
        *lines,
    ]


def changed_lines(changed: Collection[Invalidated]) -> list[str]:
    """Which cells have other settings than when the table last ran, those of one run together."""
    cells: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in changed:
        cells.setdefault((one.directory, one.changes), []).append(one.cell)
    return [
        f"Changed since the last run: {', '.join(names)} ({'; '.join(changes)}); {directory} is "
        "of the earlier settings."
        for (directory, changes), names in cells.items()
    ]


def server_lines(planned: Collection[PlannedCell]) -> list[str]:
    """Which cells name another server than the one whose answers they get."""
    lines = []
    for run in shared_runs(planned):
        first = run.cells[0].cell
        for role, asked in run.plan.experiment.models.items():
            others = [
                one.cell.name
                for one in run.cells
                if one.cell.experiment.models[role].base_url != asked.base_url
            ]
            if others:
                lines.append(
                    f"Note: {', '.join(others)} and {first.name} name different servers for "
                    f"{asked.model!r}, which is no setting of a run: they are one run, and only "
                    f"the server of {first.name} is asked. To compare servers, let each offer the "
                    "model under a name of its own."
                )
    return lines


def _serves(directory: Path, planned: Collection[PlannedCell]) -> list[str]:
    return [one.cell.name for one in planned if one.directory == directory]


def _tokens(left: ToGo | Total) -> str:
    if not left.tokens_at_most:
        return "0"
    return f"≤ {left.tokens_at_most:,}" if left.tokens is None else f"about {left.tokens:,.0f}"


def _time(seconds: float) -> str:
    """`40 s`, `12 min`, `5.2 h`."""
    minute, hour = 60, 3600
    if seconds < 2 * minute:
        return f"{seconds:.0f} s"
    return f"{seconds / minute:.0f} min" if seconds < 2 * hour else f"{seconds / hour:.1f} h"


def _at_once(planned: Sequence[PlannedCell]) -> int:
    return max(one.cell.experiment.concurrency for one in planned)


def _as_json(one: PlannedCell, left: ToGo | None, planned: Sequence[PlannedCell]) -> dict[str, Any]:
    expected = one.cell.expected
    return {
        "row": one.cell.row.name,
        "column": one.cell.column.name,
        "directory": as_addresses(str(one.directory)),
        "attempts": one.asked,
        "recorded": one.recorded,
        "failed": one.failed,
        "missing": None if left is None else left.attempts,
        "tokens": None if left is None else left.tokens,
        "tokens_at_most": None if left is None else left.tokens_at_most,
        "seconds": None if left is None or left.seconds is None else left.seconds / _at_once([one]),
        "shared_with": [name for name in _serves(one.directory, planned) if name != one.cell.name],
        "expected": None if expected is None else asdict(expected),
        "notes": list(one.cell.notes),
        "seen": seen(one.cell),
        "trouble": one.trouble,
    }
