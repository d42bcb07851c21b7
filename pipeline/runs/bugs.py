"""Errors that only a bug explains: where they were raised, and runs that hit nothing else."""

import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import EngineFailure, RunStopped, UserMistake
from pipeline.records import Attempt

MOST_FRAMES = 20
MOST_CHARACTERS = 200
"""Of a source line in a frame, and of a message in the sentence that ends a run."""
FIRST = 8
"""Attempts that say by failing alike that none will succeed."""


def frames_of(failure: Exception) -> tuple[str, ...] | None:
    """The innermost frames of a bug, the one that raised it last; None for an engine's failure.

    Of a plug-in that failed they are its own.
    Paths begin at their top package, wherever that is installed, so they name no home folder.
    """
    if isinstance(failure, EngineFailure):
        return None
    blamed = failure.__cause__ if isinstance(failure, UserMistake) else None
    raised = (blamed or failure).__traceback__
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(raised)]
    lines = traceback.extract_tb(raised)
    return tuple(
        f"{_short(line.filename, module)}:{line.lineno} in {line.name}: "
        f"{(line.line or '')[:MOST_CHARACTERS]}"
        for line, module in list(zip(lines, modules, strict=True))[-MOST_FRAMES:]
    )


def _short(file: str, module: str) -> str:
    path = Path(file)
    parts = module.count(".") + 1 + (path.stem == "__init__")
    return "/".join(path.parts[-parts:])


@dataclass(slots=True)
class Failures:
    """What attempts failed by, as often as they did: by the error's type and its place."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    messages: dict[tuple[str, str], str] = field(default_factory=dict)
    """What each said first."""

    def ended(self, attempt: Attempt) -> None:
        """Count an attempt that is on the disk."""
        error = attempt.error
        if error is not None:
            kind = error.type, error.traceback[-1] if error.traceback else ""
            self.counts[kind] += 1
            self.messages.setdefault(kind, error.message[:MOST_CHARACTERS])

    @property
    def commonest(self) -> str | None:
        """The commonest, how many of the failed attempts met it, and where; None without any."""
        if not self.counts:
            return None
        [(kind, count)] = self.counts.most_common(1)
        name, place = kind
        where = f" ({place})" if place else ""
        return f"{count} of {self.counts.total()} by {name}: {self.messages[kind]}{where}"


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
            f"{error.message[:MOST_CHARACTERS]} ({bug[1]}). That is a bug in the program, not in "
            "the problems; their records hold the whole of error.traceback. Once it is fixed, "
            "the same command with --retry-errors makes them again."
        )
