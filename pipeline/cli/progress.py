"""Progress of a running experiment: a live bar on a terminal, an occasional line elsewhere."""

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column

from pipeline.beside import beside
from pipeline.cli.console import safe_console
from pipeline.cli.terminal import echo
from pipeline.runs.scheduler import Progress

REFRESH_SECONDS = 0.25
LINE_SECONDS = 15.0
WIDEST_BAR, NARROWEST_BAR = 40, 10
BESIDE_BAR = 110
"""Columns for the figures and for details with an address."""


@contextlib.contextmanager
def live_progress(progress: Progress) -> Iterator[None]:
    """Show `progress` on standard error until the block ends."""
    tell_missing(progress)
    with shown_beside(
        lambda ended: _show_bar(progress, ended), lambda: echo(line(progress), err=True)
    ):
        yield


def tell_missing(progress: Progress) -> None:
    """Name the replicas that are not there when a run begins."""
    if progress.gone:
        echo(
            f"Warning: the run begins without {', '.join(sorted(progress.gone))}; it takes in each "
            "once it answers. The engine's log says why it does not.",
            err=True,
        )


@contextlib.contextmanager
def shown_beside(
    show_bars: Callable[[threading.Event], None], print_line: Callable[[], None]
) -> Iterator[None]:
    """Show progress from a thread of its own until the block ends.

    On a terminal `show_bars` does, until its event is set; elsewhere `print_line` every few
    seconds and at the end.
    """

    def print_lines(ended: threading.Event) -> None:
        while not ended.wait(LINE_SECONDS):
            print_line()
        print_line()

    with beside(show_bars if sys.stderr.isatty() else print_lines):
        yield


def _show_bar(progress: Progress, ended: threading.Event) -> None:
    console = safe_console(err=True)
    # Where a line is too short the details go over several, and the figures stay whole.
    columns = (
        BarColumn(bar_width=min(WIDEST_BAR, max(NARROWEST_BAR, console.width - BESIDE_BAR))),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(no_wrap=False)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("ETA"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("attempts", total=progress.total, detail="")
        while not ended.wait(REFRESH_SECONDS):
            bar.update(task, completed=progress.done, detail=detail(progress))
        bar.update(task, completed=progress.done, detail=detail(progress))


def line(progress: Progress) -> str:
    """How far it is, with the time that is left at the pace so far."""
    pace = progress.done / progress.seconds if progress.seconds else 0.0
    left = f", about {(progress.total - progress.done) / pace:,.0f} s left" if pace else ""
    return f"{progress.done}/{progress.total} done, {detail(progress)}{left}"


def detail(progress: Progress) -> str:
    """Failures, speed, that a server asks to wait, and replicas that are gone."""
    made, seconds = progress.generated, progress.seconds
    speed = "?" if made is None else f"{made / seconds if seconds else 0.0:,.0f}"
    wait = progress.busy_until - time.monotonic()
    busy = f", server asks to wait {math.ceil(wait)} s" if wait > 0 else ""
    first, *others = sorted(progress.gone) or [""]
    without = f", without {first}" if first else ""
    more = f" and {len(others)} more" if others else ""
    return f"{progress.failed} failed, {speed} tokens/s{busy}{without}{more}"
