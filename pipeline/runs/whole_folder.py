"""A folder of runs that appears whole or not at all."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UserMistake


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder of that name to write into, which is put into its place at the end.

    Raises:
        UserMistake: something is there already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserMistake(f"{folder} is not empty; choose a new --output-dir.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that a rename can put it there.
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as beside:
            fresh = Path(beside) / folder.name
            fresh.mkdir()
            yield fresh
            fresh.replace(folder)
    except OSError as error:
        raise UserMistake(f"Cannot write to {folder} ({error}).") from error
