"""What every export needs: a file that appears whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `file` when all of it is written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)  # a pipe of that name would wait for a reader
    try:
        with fresh.open("wb") as out:
            yield out
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
