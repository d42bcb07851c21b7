"""Lines written durably to files, and the process that does it for a run.

`python appending.py FOLDER` reads frames (a file's name, a line) from its standard input, and
answers each with one line: empty once the frame's line is on the disk, else why it is not.
A process of its own, because every system call of a thread gives the interpreter away and has to
win it back from the thread that steps an engine. It needs nothing but the standard library.
"""

import contextlib
import errno
import json
import os
import re
import secrets
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

STDIN, STDOUT = 0, 1
READ_BYTES = 1 << 20
"""The most that is read, and so synced together, at once; a pipe holds less."""

REPLACED = "replaced.jsonl"
"""Beside the served folder: the lines that others took the place of."""

UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.new")
"""The name of a file's successor while it is written."""

_HEADER = struct.Struct(">HI?")
END = _HEADER.pack(0, 0, False)
"""A frame without a file: the process ends, also while somebody else holds its pipe open."""


class Frame(NamedTuple):
    """A line for the file `name`: for its end, or for the place of the attempt it `replaces`."""

    name: str
    line: bytes
    replaces: bool = False


def pack(frame: Frame) -> bytes:
    """The frame as it goes through the pipe."""
    name = os.fsencode(frame.name)
    return _HEADER.pack(len(name), len(frame.line), frame.replaces) + name + frame.line


def unpack(received: bytearray) -> Iterator[Frame]:
    """Take the whole frames out of `received`; the last one may be cut off and stays."""
    while len(received) >= _HEADER.size:
        name_bytes, line_bytes, replaces = _HEADER.unpack_from(received)
        start = _HEADER.size + name_bytes
        end = start + line_bytes
        if len(received) < end:
            return
        name = os.fsdecode(bytes(received[_HEADER.size : start]))
        yield Frame(name, bytes(received[start:end]), replaces)
        del received[:end]


def append(file: Path, line: bytes) -> bool:
    """Append `line` whole or not at all, and wait until it is on the disk.

    True when the file may be new: its folder must be synced too. Raises `OSError`.
    """
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        before = os.fstat(handle).st_size
        try:
            _write_whole(handle, line)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise
    finally:
        os.close(handle)
    return before == 0


def replace_attempt(file: Path, line: bytes) -> None:
    """Put `line` in the place of the line with its key, in one step; that one goes to REPLACED.

    It is copied there before: a kill in between leaves it in both files, and never in none. A file
    without such a line gets `line` at its end. Raises `OSError`.
    """
    key = key_of(line)
    lines = file.read_bytes().splitlines(keepends=True)
    old = [place for place, there in enumerate(lines) if key_of(there) == key]
    if old:
        append(file.parent.parent / REPLACED, b"".join(lines[place] for place in old))
        lines[old[0]] = line
        lines = [there for place, there in enumerate(lines) if place not in old[1:]]
    else:
        lines.append(line)
    replace_file(file, b"".join(lines))


def replace_file(file: Path, content: bytes) -> None:
    """Replace `file` in one step that a kill cannot halve, and wait for the disk. Raises `OSError`.

    Its successor lies beside it meanwhile, and after a kill, as UNFINISHED: a name that nobody
    else's file has. The other way to write a file so is
    `evaluators.run_files.whole_file.whole_file`, which this process, started without any package,
    cannot load.
    """
    fresh = file.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with fresh.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def append_all(folder: Path, frames: list[Frame]) -> list[str]:
    """Append every frame, and say for each: nothing, or why its line is not on the disk."""
    answers = []
    any_new = False
    for frame in frames:
        try:
            if frame.replaces:
                replace_attempt(folder / frame.name, frame.line)
            else:
                any_new |= append(folder / frame.name, frame.line)
        except OSError as error:
            answers.append(_reason(error))
        else:
            answers.append("")
    if any_new:
        try:
            sync_folder(folder)
        except OSError as error:
            return [_reason(error) for _ in frames]
    return answers


def serve(folder: Path) -> None:
    """Append what comes in until the input or its sender has ended."""
    received = bytearray()
    while chunk := os.read(STDIN, READ_BYTES):
        received += chunk
        frames = list(unpack(received))
        wanted = [frame for frame in frames if frame.name]
        answers = "".join(answer + "\n" for answer in append_all(folder, wanted))
        # Nobody hears the answers of a run that was killed; what it has sent is kept all the same.
        with contextlib.suppress(BrokenPipeError):
            os.write(STDOUT, answers.encode())
        if len(wanted) < len(frames):
            return


def _write_whole(handle: int, line: bytes) -> None:
    """Write all of `line`; what ended a short write is the answer to the rest."""
    while line:
        written = os.write(handle, line)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        line = line[written:]


def key_of(line: bytes) -> tuple[object, object] | None:
    """What tells the attempt of a line from others; None where the line holds none."""
    try:
        attempt = json.loads(line)
        return attempt["problem_id"], attempt["repeat_id"]
    except (ValueError, TypeError, KeyError):
        return None


def _reason(error: OSError) -> str:
    return error.strerror or repr(error)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
