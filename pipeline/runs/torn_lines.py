"""The last line of a file whose writer may have been killed: complete, or torn."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evaluators.run_files.attempt_lines import open_regular
from pipeline.runs import durable_lines

BLOCK_BYTES = 1 << 16


def complete_lines(file: Path) -> Iterator[bytes]:
    """The lines of a file, one that lacks only its newline included. Raises `OSError`."""
    with open_regular(file) as lines:
        for line in lines:
            if line.endswith(b"\n") or not _is_torn(line):
                yield line


def repair_end(file: Path, torn: Path) -> int:
    """Make a whole line of the end of `file`; how many bytes of it went to `torn`.

    They are copied there before: a kill in between leaves them in both, and never in none. Raises
    `OSError`.
    """
    with file.open("r+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        tail = b""
        start = size
        while start and b"\n" not in tail:
            start = max(0, start - BLOCK_BYTES)
            handle.seek(start)
            tail = handle.read(size - start)
        last = tail.rpartition(b"\n")[2]
        if not last:
            return 0
        cut = len(last) if _is_torn(last) else 0
        if cut:
            durable_lines.append(torn, last + b"\n")
            durable_lines.sync_folder(torn.parent)
            handle.truncate(size - cut)
        else:
            handle.seek(0, os.SEEK_END)
            handle.write(b"\n")
        handle.flush()
        os.fsync(handle.fileno())
        return cut


def _is_torn(line: bytes) -> bool:
    """Whether it is no complete JSON: no part of a line that a run writes is, until its end."""
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return False
