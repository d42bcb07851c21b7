"""For how long a store that does not answer is asked again, and how long one request may take."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

from pipeline.beside import beside
from pipeline.errors import UserMistake

START_PATIENCE = 20.0
PATIENCE_VARIABLE = "SPECLRM_STORE_PATIENCE"
PATIENCE_SECONDS = 600.0
"""How long a run goes on while its store does not answer."""
LONGEST_PAUSE = 10.0
QUIET_SECONDS = 3.0
"""After so long it is said that a store does not answer."""
LOOK_SECONDS = 0.25


class Trouble(Exception):  # noqa: N818 - named for what it is
    """The store does not answer, or answers that it cannot now; later it may."""


def patiently(
    work: Callable[[], None],
    wait: Callable[[float], None],
    patience: float,
    moved: Callable[[], int] = lambda: 0,
    met: Callable[[str], None] = lambda _: None,
) -> None:
    """Do it, and again where the store has trouble, for so long since something was `moved`.

    Every trouble that is `met` is told.

    Raises:
        Trouble: it still has.
    """
    seen, until, pause = moved(), time.monotonic() + patience, 0.2
    while True:
        try:
            work()
        except Trouble as trouble:
            met(str(trouble))
            if moved() != seen:
                seen, until, pause = moved(), time.monotonic() + patience, 0.2
            elif time.monotonic() + pause > until:
                raise
        else:
            return
        wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


@contextlib.contextmanager
def silence_told(
    tell: Callable[[bool], None],
    moved: Callable[[], int] = lambda: 0,
    asks: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Tell when nothing has `moved` for a while although somebody `asks`, and when it has again."""

    def watch(over: threading.Event) -> None:
        seen, since, told = moved(), time.monotonic(), False
        while not over.wait(LOOK_SECONDS):
            if moved() != seen or not asks():
                seen, since = moved(), time.monotonic()
            silent = time.monotonic() - since > QUIET_SECONDS
            if silent != told:
                told = silent
                tell(silent)

    with beside(watch):
        yield


def silence(address: str, patience: float, trouble: str = "") -> str:
    """That a store does not answer now, or answers with trouble, and how long it is waited for."""
    reason = f" ({trouble})" if trouble else ""
    return (
        f"The store of {address} does not answer{reason}; it is given up once nothing has moved "
        f"for {patience:g} s."
    )


def patiently_told(
    address: str,
    work: Callable[[], None],
    wait: Callable[[float], None],
    say: Callable[[str], None],
    *,
    moved: Callable[[], int] = lambda: 0,
    asks: Callable[[], bool] = lambda: True,
) -> None:
    """Do it `patiently`, as long as a start may take; `say` where the store is silent meanwhile.

    Raises:
        Trouble: the store still has trouble.
        UserMistake: the user's patience is no number of seconds.
    """
    patience = patience_of(START_PATIENCE)
    troubles: list[str] = []

    def tell(silent: bool) -> None:
        if silent:
            say(silence(address, patience, "".join(troubles[-1:])))

    with silence_told(tell, moved, asks):
        patiently(work, wait, patience, moved, troubles.append)


def patience_of(most: float) -> float:
    """For how long a store that does not answer is tried: so long, or less if the user says so.

    Raises:
        UserMistake: what the user says is no number of seconds.
    """
    said = os.environ.get(PATIENCE_VARIABLE)
    try:
        asked = float(said) if said else PATIENCE_SECONDS
    except ValueError:
        asked = -1.0
    if not 0 <= asked < float("inf"):
        raise UserMistake(f"{PATIENCE_VARIABLE} is {said!r}; give a number of seconds.")
    return asked if most == PATIENCE_SECONDS else min(most, asked)
