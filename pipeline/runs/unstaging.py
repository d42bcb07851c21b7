"""Staging folders of runs in stores: which there are, and their end once the store has it all."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluators.run_files.attempt_lines import PROBLEMS
from evaluators.run_files.run_manifest import MANIFEST
from pipeline.errors import UserMistake
from pipeline.runs.alike import changed_in, files_of, remembered
from pipeline.runs.lock import InUse, RunLock, holder_of
from pipeline.runs.mirror import Mirror
from pipeline.stores.addresses import STAGING, address_of, is_staged, root
from pipeline.stores.objects import opened
from pipeline.stores.patience import Trouble


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A run that has a staging folder here, who makes it, and how many files wait for upload."""

    address: str
    folder: Path
    holder: str | None
    waiting: int


def staged_runs() -> Iterator[StagedRun]:
    """The runs that have a staging folder; no store is asked. Raises `OSError`."""
    for manifest in sorted((root() / STAGING).glob(f"**/{MANIFEST}")):
        folder = manifest.parent
        waiting = len(changed_in(folder, remembered(folder)))
        yield StagedRun(address_of(folder) or str(folder), folder, holder_of(folder), waiting)


def unstage(folder: Path) -> bool:
    """Remove a run's staging folder if its store holds every file as it is here; whether it has.

    Only for a run of which nothing is missing. The store is asked; where it does not answer, or a
    process has the folder open, the folder stays, and so does what is no file of the run.
    """
    address = address_of(folder)
    if address is None or not is_staged(folder) or not (folder / MANIFEST).exists():
        return False
    with contextlib.suppress(InUse, Trouble, UserMistake, OSError):
        lock = RunLock(folder)
        try:
            mirror = Mirror(folder, opened(address))
            if mirror.is_in_store():
                for name, _ in list(files_of(folder)):
                    (folder / name).unlink()
                (folder / PROBLEMS).rmdir()
                lock.remove()
                folder.rmdir()
                mirror.forget()
        finally:
            lock.release()
    return not folder.exists()
