"""Progress of a table: one bar for all cells and one a run on a terminal, lines elsewhere."""

import contextlib
import threading
from collections.abc import Iterator, Mapping

from rich.cells import cell_len, set_cell_size
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from pipeline.cli.console import safe_console
from pipeline.cli.progress import REFRESH_SECONDS, detail, line, shown_beside, tell_missing
from pipeline.cli.terminal import echo
from pipeline.runs.scheduler import Progress

BAR_WIDTH = 10
BESIDE_NAMES = 44
"""Columns for the bar, two counts of six digits, the time, and the spaces between."""


@contextlib.contextmanager
def live_table(runs: Mapping[str, Progress]) -> Iterator[None]:
    """Show the progress of several runs on standard error until the block ends."""
    tell_missing(all_together(runs))
    with shown_beside(lambda ended: _show_bars(runs, ended), lambda: _print_line(runs)):
        yield


def all_together(runs: Mapping[str, Progress]) -> Progress:
    """The sums over all runs, since the first of them began."""
    each = list(runs.values())
    known = [one.generated for one in each]
    return Progress(
        total=sum(one.total for one in each),
        done=sum(one.done for one in each),
        failed=sum(one.failed for one in each),
        in_flight=sum(one.in_flight for one in each),
        generated=None if None in known else sum(made for made in known if made is not None),
        began=min((one.began for one in each if one.began), default=0.0),
        busy_until=max((one.busy_until for one in each), default=0.0),
        gone={name for one in each for name in one.gone},
    )


def _show_bars(runs: Mapping[str, Progress], ended: threading.Event) -> None:
    console = safe_console(err=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    room = max(1, console.width - BESIDE_NAMES)
    with Bars(*columns, console=console) as bars:
        # The sum stands first: where there are more bars than lines, the last are not shown.
        whole = all_together(runs)
        total = bars.add_task("all cells", total=whole.total)
        tasks = {
            name: bars.add_task(_shortened(name, room), total=one.total)
            for name, one in runs.items()
        }
        waiting = True
        while waiting:
            waiting = not ended.wait(REFRESH_SECONDS)
            whole = all_together(runs)
            said = f"all cells: {detail(whole)}"
            bars.update(total, completed=whole.done, description=_shortened(said, room))
            for name, task in tasks.items():
                bars.update(task, completed=runs[name].done)


def _shortened(text: str, room: int) -> str:
    return text if cell_len(text) <= room else f"{set_cell_size(text, room - 1)}…"


def _print_line(runs: Mapping[str, Progress]) -> None:
    each = "; ".join(f"{name} {one.done}/{one.total}" for name, one in runs.items())
    echo(f"{line(all_together(runs))} ({each})", err=True)
