"""For how long a store that does not answer is asked again, and how long one request may take."""

import os
import time
from collections.abc import Callable

from pipeline.errors import UserMistake

START_PATIENCE = 20.0
PATIENCE_VARIABLE = "SPECLRM_STORE_PATIENCE"
PATIENCE_SECONDS = 600.0
"""How long a run goes on while its store does not answer."""
LONGEST_PAUSE = 10.0


class Trouble(Exception):  # noqa: N818 - named for what it is
    """The store does not answer, or answers that it cannot now; later it may."""


def patiently(
    work: Callable[[], None],
    wait: Callable[[float], None],
    patience: float,
    moved: Callable[[], int] = lambda: 0,
) -> None:
    """Do it, and again where the store has trouble, for so long since something was `moved`.

    Raises:
        Trouble: it still has.
    """
    seen, until, pause = moved(), time.monotonic() + patience, 0.2
    while True:
        try:
            work()
        except Trouble:
            if moved() != seen:
                seen, until, pause = moved(), time.monotonic() + patience, 0.2
            elif time.monotonic() + pause > until:
                raise
        else:
            return
        wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


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
