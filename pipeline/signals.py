"""SIGTERM and SIGHUP (a terminal was closed) end the command as Ctrl-C does."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from pipeline.errors import RUN_STOPPED

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
STDOUT, STDERR = 1, 2

Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def ended_by_signals(handler: Handler) -> Iterator[None]:
    """Send SIGTERM and SIGHUP to `handler` for as long as the block is open.

    An ignored one stays ignored: that is how `nohup` works. Only the first SIGHUP counts, since a
    terminal that closes sends one and its shell another. Outside the main thread (a notebook)
    signals belong to somebody else, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    before = answer_endings(handler)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def answer_endings(handler: Handler) -> dict[signal.Signals, Any]:
    """Send SIGTERM and SIGHUP to `handler` from now on; the handlers that it replaced."""
    terminals = [each for each in (STDOUT, STDERR) if os.isatty(each)]

    def first_only(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            _silence([each for each in terminals if not os.isatty(each)])
        handler(number, frame)

    before = {number: signal.getsignal(number) for number in ENDINGS}
    taken = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in taken:
        signal.signal(number, first_only)
    return taken


def leave_by_signals() -> None:
    """From now on any of these signals, and Ctrl-C, ends the program where it is: it has ended."""
    for number in (signal.SIGINT, *ENDINGS):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: os._exit(RUN_STOPPED))


def ignore_signals() -> None:
    """From now on none of them is heard: only the interpreter's own end is left."""
    for number in (signal.SIGINT, *ENDINGS):
        signal.signal(number, signal.SIG_IGN)


def _silence(closed: list[int]) -> None:
    """What is still said to terminals that were closed is lost, and no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for each in closed:
        os.dup2(nowhere, each)
    os.close(nowhere)
