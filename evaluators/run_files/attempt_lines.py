"""A run's attempt lines as bytes: the files that hold them, their complete lines, and digests."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import msgspec

PROBLEMS = "problems"
Key = tuple[str, int]
"""A problem's recorded id and a repeat."""
DIGEST_BYTES = 8
"""Two attempts of a run of a million share a digest of this size with a chance below 1e-7."""


class _Named(msgspec.Struct):
    """What names an attempt in its line; the rest of the line is skipped."""

    problem_id: str
    repeat_id: int


def as_written(problem_id: str) -> str:
    """A problem's id as its dataset writes it; recorded ids are made safe for file names.

    Only a very long id stays as it is recorded: cut, with a hash at its end.
    """
    return unquote(problem_id)


def problem_files(run: Path) -> list[Path]:
    """The files of a run's attempt lines, in the order in which they are read.

    Raises:
        OSError: they cannot be listed; a folder that is not there has none.
    """
    try:
        return sorted(file for file in (run / PROBLEMS).iterdir() if file.name.endswith(".jsonl"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def no_run_here(path: Path) -> str:
    """The error for a path that was named as a run and has no run.json."""
    if path.is_dir() and any(path.glob("*/run.json")):
        return f"{path} is not a run directory, but holds some; name them, for example {path}/*/."
    if path.exists() and not path.is_dir():
        folders = f"{path.parent}/*/"
        return f"{path} is a file, not a run directory; name folders only, for example {folders}."
    return f"{path} is not a run directory (it has no run.json); name one that `speclrm run` made."


def open_regular(file: Path) -> BinaryIO:
    """Open a file for reading; a named pipe or a device could keep its reader waiting for ever.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    return file.open("rb") if stat.S_ISREG(file.stat().st_mode) else _refuse(file)


def whole_lines(file: Path) -> Iterator[bytes]:
    """The lines of a file, one in memory at a time; a torn last one is passed over.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open_regular(file) as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield line


def line_digest(line: bytes) -> str:
    """What tells an attempt line from every other: BLAKE2b of it without its newline, in hex."""
    return hashlib.blake2b(line.removesuffix(b"\n"), digest_size=DIGEST_BYTES).hexdigest()


def line_key(line: bytes) -> Key:
    """The problem and the repeat of an attempt line; a line that holds neither is its own key."""
    try:
        named = msgspec.json.decode(line, type=_Named)
    except msgspec.MsgspecError:
        return line_digest(line), 0
    return named.problem_id, named.repeat_id


def _refuse(file: Path) -> BinaryIO:
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(file))
