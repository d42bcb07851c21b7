"""The one way to write an output that a user names: whole or not at all, never over a device."""

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STDOUT, STDERR = 1, 2
NOT_KEPT = {"dev", "proc"}
"""Folders of the root whose names mean what the system has open, such as `/dev/stdout`."""


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `file` when all of it is written.

    Until then it lies beside it under a name that nobody else's file has, and goes if it is not
    finished. A link stays, and what it points to is replaced. A pipe or a device is written to as
    it is, and so is the standard output that `/dev/stdout` names, wherever it goes.
    """
    through = _open_as_it_is(file)
    if through is not None:
        with through:
            yield through
        return
    real = file.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    fresh = real.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with fresh.open("xb") as out:
            yield out
        if real.exists():
            shutil.copymode(real, fresh)
        fresh.replace(real)
    finally:
        fresh.unlink(missing_ok=True)


def _open_as_it_is(file: Path) -> IO[bytes] | None:
    """What is there and cannot be replaced, open for writing; None where a file is or will be."""
    try:
        there = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if NOT_KEPT.intersection(file.absolute().parts[1:2]):
        for descriptor in (STDOUT, STDERR):
            with contextlib.suppress(OSError):
                if os.path.samestat(there, os.fstat(descriptor)):
                    return os.fdopen(os.dup(descriptor), "wb")
    return None if stat.S_ISREG(there.st_mode) else file.open("wb")
