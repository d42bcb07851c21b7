"""Errors that only a bug explains: where they came from, and a run in which they are everywhere."""

import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import EngineFailure, RunStopped
from pipeline.records import Attempt

MOST_FRAMES = 20
MOST_CHARACTERS = 200
"""Of a source line in a frame, and of a message in the sentence that ends a run."""
FIRST = 8
"""Attempts that say by failing alike that none will succeed."""


def frames_of(failure: Exception) -> tuple[str, ...] | None:
    """The innermost frames of a bug, the one that raised it last; None for an engine's failure.

    Paths are shown from the folder that Python found them in, so they name no home folder.
    """
    if isinstance(failure, EngineFailure):
        return None
    frames = traceback.extract_tb(failure.__traceback__)[-MOST_FRAMES:]
    return tuple(
        f"{_short(frame.filename)}:{frame.lineno} in {frame.name}: "
        f"{(frame.line or '')[:MOST_CHARACTERS]}"
        for frame in frames
    )


def _short(file: str) -> str:
    path = Path(file)
    homes = [Path(home) for home in sys.path if home and path.is_relative_to(home)]
    nearest = max(homes, key=lambda home: len(home.parts), default=path.parent)
    return path.relative_to(nearest).as_posix()


@dataclass(slots=True)
class FirstAttempts:
    """How the first attempts of a session ended, by the order in which they were begun.

    The first to end would not do: an attempt that fails at once ends before all that are well.
    """

    bugs: dict[int, tuple[str, str] | None] = field(default_factory=dict)
    """For each number the type and the place of its bug."""

    def ended(self, number: int, attempt: Attempt) -> None:
        """Count an attempt that is on the disk.

        Raises:
            RunStopped: all the first ones failed by the same bug at the same place.
        """
        if number >= FIRST:
            return
        error = attempt.error
        bug = (error.type, error.traceback[-1]) if error and error.traceback else None
        self.bugs[number] = bug
        if (
            error is None
            or bug is None
            or len(self.bugs) < FIRST
            or set(self.bugs.values()) != {bug}
        ):
            return
        raise RunStopped(
            f"The first {FIRST} attempts all failed by the same error, {error.type}: "
            f"{error.message[:MOST_CHARACTERS]} ({bug[1]}). That is a bug of the program, not of "
            "the problems; their records hold the whole of error.traceback. Once it is mended, "
            "the same command with --retry-errors makes them again."
        )
