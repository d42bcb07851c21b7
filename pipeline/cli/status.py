"""`speclrm status`: what runs, what is unfinished, how far, and what it cost so far."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from evaluators.reports.board_columns import whole
from evaluators.run_files.run_names import distinct_names, shortened_names
from evaluators.statistics.metrics import TWO_ROLES
from pipeline.cli.run_folders import ReadRuns, all_of
from pipeline.cli.tables import fits, print_table, table_console
from pipeline.cli.terminal import counted, echo
from pipeline.runs.planning import RESULTS
from pipeline.runs.status import NoStatus, RunStatus, State, statuses
from pipeline.stores.addresses import as_addresses

MINUTE, HOUR = 60, 3600
COLUMN_NOTES = {
    "tokens target / draft": "Tokens: generated so far.",
    "time": "Time: with an attempt in flight.",
    "left": "Left: at the pace of this session.",
    "graded": "Graded: verdicts that are there.",
}
ONCE_NOTE = "Sum: what a run and its shards both have counts once."


@click.command("status")
@click.argument("places", nargs=-1, type=ReadRuns(), callback=all_of, metavar="[FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
def status_command(places: tuple[Path, ...], *, as_json: bool) -> None:
    """Say how far runs are: those in FOLDER (default results/), or FOLDER itself.

    Only files are read: it may be asked at any time, and on any machine that sees the folder.
    """
    found = list(statuses(places or (RESULTS,)))
    runs = [one for one in found if isinstance(one, RunStatus)]
    others = [one for one in found if isinstance(one, NoStatus)]
    if as_json:
        echo(json.dumps(_as_data(runs, others), indent=2))
        return
    if runs:
        _print_table(runs)
    else:
        echo("No runs.")
    for run in runs:
        for broken in run.broken:
            echo(as_addresses(f"{run.path}: {broken}"))
    for other in others:
        echo(as_addresses(f"{other.path}: {other.reason}"))


def _print_table(runs: Sequence[RunStatus]) -> None:
    console = table_console()
    ordered = sorted(runs, key=lambda run: (list(State).index(run.state), run.path))
    if len(runs) > 1:
        states = {state: sum(run.state is state for run in runs) for state in State}
        said = ", ".join(f"{count} {state.value}" for state, count in states.items() if count)
        console.print(Text(f"{counted(len(runs), 'run')}: {said}", style="bold"))
    columns = _columns(ordered)
    headings = ("run", *columns)
    whole_names = distinct_names([run.path for run in ordered])
    rows: list[list[str]] = []
    for names in (whole_names, shortened_names(whole_names)):
        rows = [
            [name, *line]
            for name, line in zip(
                [*names, "sum"], zip(*columns.values(), strict=True), strict=False
            )
        ]
        if fits(headings, rows, console.width):
            break
    notes = [note for heading, note in COLUMN_NOTES.items() if heading in columns]
    if any(run.counted.planned < run.planned for run in runs):
        notes.append(ONCE_NOTE)
    said = " ".join(notes)
    print_table(console, headings, rows, texts=2, notes=said)


def _columns(runs: Sequence[RunStatus]) -> dict[str, list[str]]:
    """Each column's cells by its heading, and below them their sum where there are several runs.

    Errors, what is left and what is graded are columns only where there is something to say.
    """
    total = _sums(runs)
    made = {
        "state": [_state(run) for run in runs] + [""],
        "attempts": [f"{one['recorded']}/{one['planned']}" for one in (*map(asdict, runs), total)],
        "errors": [str(run.errors) for run in runs] + [str(total["errors"])],
        "tokens target / draft": [_tokens(run.tokens) for run in runs] + [_tokens(total["tokens"])],
        "time": [duration(run.seconds) for run in runs] + [duration(total["seconds"])],
        "left": ["" if run.seconds_left is None else duration(run.seconds_left) for run in runs]
        + [""],
        "graded": [str(run.verdicts) for run in runs] + [str(total["verdicts"])],
    }
    idle = {
        "errors": total["errors"] == 0,
        "left": all(run.seconds_left is None for run in runs),
        "graded": all(run.verdicts == run.recorded for run in runs),
    }
    kept = {heading: cells for heading, cells in made.items() if not idle.get(heading)}
    return {heading: cells[: None if len(runs) > 1 else -1] for heading, cells in kept.items()}


def _state(run: RunStatus) -> str:
    done = (
        ""
        if run.state in {State.COMPLETE, State.MERGED}
        else f" {int(100 * run.recorded / run.planned)}%"
    )
    return run.state.value + done


def _tokens(tokens: dict[str, int | None]) -> str:
    """Those of target and draft as the heading says, and those of further roles by name."""
    others = [role for role in tokens if role not in TWO_ROLES]
    return " / ".join(
        [
            *(whole(tokens.get(role, 0)) for role in TWO_ROLES),
            *(f"{role} {whole(tokens[role])}" for role in others),
        ]
    )


def duration(seconds: float) -> str:
    """A time for people: `45 s`, `12 min`, `3 h 05`."""
    if seconds < MINUTE:
        return f"{int(seconds)} s"
    minutes = int(seconds // MINUTE)
    return f"{minutes} min" if seconds < HOUR else f"{minutes // 60} h {minutes % 60:02}"


def _sums(runs: Sequence[RunStatus]) -> dict[str, Any]:
    """Over all runs; what is counted of a role is unknown where one run does not know it.

    What a run and its shards have in common counts once.
    """
    each = [run.counted for run in runs]
    return {
        "runs": sum(run.state is not State.MERGED for run in runs),
        **{
            name: sum(getattr(one, name) for one in each)
            for name in ("planned", "recorded", "errors", "verdicts", "seconds")
        },
        "tokens": _sum_by_role([one.tokens for one in each]),
        "computed": _sum_by_role([one.computed for one in each]),
        "forwards": _sum_by_role([one.forwards for one in each]),
    }


def _sum_by_role(each: Sequence[Mapping[str, int | None]]) -> dict[str, int | None]:
    roles = sorted({role for one in each for role in one}, reverse=True)
    counts = {role: [one.get(role, 0) for one in each] for role in roles}
    return {
        role: None if None in made else sum(count or 0 for count in made)
        for role, made in counts.items()
    }


def _as_data(runs: Sequence[RunStatus], others: Sequence[NoStatus]) -> dict[str, Any]:
    return {
        "runs": [
            asdict(run)
            | {"path": as_addresses(str(run.path)), "state": run.state.value, "broken": run.broken}
            for run in runs
        ],
        "sums": _sums(runs),
        "others": [{"path": as_addresses(str(one.path)), "reason": one.reason} for one in others],
    }
