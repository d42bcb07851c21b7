"""SIGTERM and SIGHUP (a terminal was closed): the command ends as by Ctrl-C."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

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
    try:
        yield
    finally:
        for number, was in taken.items():
            signal.signal(number, was)


def _silence(closed: list[int]) -> None:
    """What is still said to terminals that were closed is lost, and no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for each in closed:
        os.dup2(nowhere, each)
    os.close(nowhere)
