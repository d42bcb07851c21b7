"""Ctrl-C: once lets the attempts in flight finish, twice drops them; and asyncio in a notebook."""

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any

from pipeline.errors import RunStopped
from pipeline.signals import ended_by_signals

KEPT = (
    "Interrupted: attempts in flight were dropped, finished ones are kept; "
    "repeat the command to continue (with --force it redoes all of them)."
)


@contextlib.contextmanager
def drain_on_interrupt(in_flight: Callable[[], int]) -> Iterator[asyncio.Event]:
    """An event that the first Ctrl-C sets; the second Ctrl-C cancels the task.

    Outside the main thread (a notebook) signals belong to somebody else and nothing is installed.
    """
    draining = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield draining
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - called from a coroutine, so there is a task

    def interrupt() -> None:
        if draining.is_set():
            task.cancel()
            return
        draining.set()
        sys.stderr.write(
            f"\nFinishing the {in_flight()} attempts in flight and starting no more; "
            "press Ctrl-C again to drop them.\n"
        )

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield draining
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def call(coroutine: Coroutine[Any, Any, None], said: str = KEPT) -> None:
    """Run a coroutine to its end, also where an event loop is already running in this thread.

    Raises:
        RunStopped: it was cancelled by Ctrl-C, SIGTERM or SIGHUP; `said` is the message.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _run(coroutine, said)
        return
    failures: list[BaseException] = []

    def target() -> None:
        try:
            _run(coroutine, said)
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, not handled
            failures.append(error)

    thread = threading.Thread(target=target, name="speclrm-run")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _run(coroutine: Coroutine[Any, Any, None], said: str) -> None:
    try:
        asyncio.run(_cancelled_by_signals(coroutine))
    except (asyncio.CancelledError, KeyboardInterrupt) as interrupt:
        raise RunStopped(said) from interrupt


async def _cancelled_by_signals(coroutine: Coroutine[Any, Any, None]) -> None:
    """Await it; SIGTERM and SIGHUP cancel it from its first moment, engines starting or not."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - in a coroutine there is a task

    def cancel(_number: int, _frame: FrameType | None) -> None:
        if task.cancelling():
            raise KeyboardInterrupt
        task.cancel()
        # The loop may be asleep.
        loop.call_soon_threadsafe(lambda: None)

    with ended_by_signals(cancel):
        await coroutine
