"""Run directories that a command names, wherever they lie: in a folder, or in a store.

Those of a store are downloaded first, and only what has changed since: to be read into a copy, to
be continued into the staging folder. Whatever reads or writes them then finds a folder.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from evaluators.run_files.run_manifest import MANIFEST
from evaluators.run_files.verdict_rows import VERDICTS
from pipeline.errors import RunStopped, UserMistake
from pipeline.runs.lock import InUse, RunLock, say_held
from pipeline.runs.mirror import Mirror
from pipeline.runs.store_lease import lease_holder
from pipeline.stores.addresses import (
    COPIES,
    STAGING,
    STAGING_VARIABLE,
    address_of,
    folder_of,
    is_staged,
    root,
    split_address,
)
from pipeline.stores.objects import Found, Objects, opened
from pipeline.stores.patience import (
    Trouble,
    patiently_told,
)
from pipeline.stores.schemes import EXTRAS

MEMORY = "memory"
WILDCARDS = frozenset("*?[")


def copies(address: str) -> tuple[Path, ...]:
    """Folders to read what lies at an address: a run, or folders with runs in them.

    An address with `*`, `?` or `[` in it names every place that it fits.

    Raises:
        UserMistake: the store cannot be used, or no place fits.
        RunStopped: it does not answer.
    """
    with _answering(address):
        every = _named_by(address)
        for objects in every:
            for run in _runs_of(objects):
                _copy(run)
    return tuple(folder_of(one.address, one.endpoint, COPIES) for one in every)


def staged(address: str, *, holds_runs: bool = False) -> Path:
    """The folder in which the run of an address is made, or the runs in that place are.

    Only a place that holds runs may be a whole bucket.

    Raises:
        UserMistake: the store cannot be used, or the folder not be made.
    """
    if WILDCARDS & {*address}:
        raise UserMistake(
            f"{address} has wildcards (*, ?, [), which only name runs to read; name the one place "
            "to write to."
        )
    scheme, place = split_address(address)
    if scheme in EXTRAS and "/" not in place and not holds_runs:
        raise UserMistake(
            f"{address} names no run directory but a whole bucket; write it as "
            f"{scheme}://{place}/FOLDER/RUN."
        )
    with _answering(address):
        objects = opened(address)
        if objects.scheme == MEMORY:
            raise UserMistake(f"{address} ends with the process; runs need a store that stays.")
        folder = folder_of(address, objects.endpoint, STAGING)
        folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def bring_up(folder: Path) -> None:
    """Make a staging folder as new as the store, unless a process of this machine writes to it.

    Any other folder is left as it is.

    Raises:
        UserMistake: the store cannot be used.
        RunStopped: it does not answer.
    """
    address = address_of(folder)
    if address is not None and is_staged(folder):
        with _answering(address):
            _bring_up(opened(address))


def bring_up_beside(folder: Path, wanted: Callable[[str], bool]) -> None:
    """Make staging folders beside one as new as the store: the wanted of those that begin so.

    Raises:
        UserMistake: the store cannot be used.
        RunStopped: it does not answer.
    """
    address = address_of(folder)
    if address is None or not is_staged(folder):
        return
    with _answering(address):
        for one in _fitting(opened(f"{address}*")):
            if wanted(one.rpartition("/")[2]):
                _bring_up(opened(one))


def send_verdicts(run: Path) -> None:
    """Upload the verdicts of a run, if it is of a store.

    Raises:
        UserMistake: the store cannot be used.
        RunStopped: it does not answer.
    """
    address = address_of(run)
    if address is not None:
        with _answering(address):
            mirror = Mirror(run, opened(address), copy=not is_staged(run))
            _patiently(mirror.objects, lambda: mirror.send(VERDICTS), mirror)


def _named_by(address: str) -> list[Objects]:
    objects = opened(address)
    if not WILDCARDS & {*address}:
        return [objects]
    places = _fitting(objects)
    if not places:
        raise UserMistake(f"Nothing in the store fits {address}.")
    return [opened(one) for one in places]


def _fitting(objects: Objects) -> list[str]:
    places: list[str] = []
    _patiently(objects, lambda: places.extend(objects.fitting()))
    return places


def _runs_of(objects: Objects) -> Iterator[Objects]:
    """What is at a place: a run, or the runs in it."""
    names = {name for name in _found(objects) if name.rpartition("/")[2] == MANIFEST}
    if MANIFEST in names or not names:
        yield objects
        return
    for name in sorted(names):
        yield opened(f"{objects.address.rstrip('/')}/{name.rpartition('/')[0]}")


def _found(objects: Objects) -> dict[str, Found]:
    found: dict[str, Found] = {}
    _patiently(objects, lambda: found.update(objects.found()))
    return found


def _copy(objects: Objects) -> None:
    folder = folder_of(objects.address, objects.endpoint, COPIES)
    mirror = Mirror(folder, objects, copy=True)
    _patiently(objects, mirror.pull, mirror)
    if folder.exists():
        _patiently(objects, lambda: say_held(folder, lease_holder(objects)))


def _bring_up(objects: Objects) -> None:
    folder = folder_of(objects.address, objects.endpoint, STAGING)
    if not folder.exists():
        if not _found(objects):
            return
        folder.mkdir(parents=True)
    try:
        lock = RunLock(folder)
    except InUse:
        # Whoever writes to it keeps it as new as the store.
        return
    try:
        mirror = Mirror(folder, objects)
        _patiently(objects, mirror.pull, mirror)
    finally:
        lock.release()


def _patiently(objects: Objects, work: Callable[[], None], mirror: Mirror | None = None) -> None:
    """Do it, and again where the store has trouble for a while; say so if it is silent."""
    patiently_told(
        objects.address,
        work,
        time.sleep,
        lambda text: sys.stderr.writelines([f"{text}\n"]),
        moved=lambda: 0 if mirror is None else mirror.moved,
    )


@contextlib.contextmanager
def _answering(address: str) -> Iterator[None]:
    try:
        yield
    except Trouble as error:
        raise RunStopped(
            f"The store of {address} does not answer ({error}); repeat the command once it does."
        ) from error
    except OSError as error:
        raise UserMistake(
            f"Runs of a store cannot be kept in {root()} ({error.strerror}); free space there, or "
            f"name another folder in {STAGING_VARIABLE}."
        ) from error
