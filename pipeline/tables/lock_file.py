"""The lock file beside a table: which settings and versions its last run had."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline.errors import UserMistake
from pipeline.experiment import differences
from pipeline.runs import versions
from pipeline.runs.directory import replace_file
from pipeline.stores.addresses import as_addresses
from pipeline.tables.planning import PlannedCell


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCell:
    """A cell as it was resolved for the table's last run."""

    directory: str
    problem_range: str
    repeats: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file's content; the cells are by their names."""

    schema: Literal[1] = 1
    title: str
    versions: dict[str, str]
    cells: dict[str, LockedCell]


@dataclass(frozen=True, slots=True)
class Invalidated:
    """A cell whose settings are no longer those of the table's last run, and what of them."""

    cell: str
    directory: str
    changes: tuple[str, ...]


def lock_path(table: Path) -> Path:
    """Where the lock file of a table is: beside it."""
    return table.with_suffix(".lock.json")


def write_lock(table: Path, title: str, planned: Collection[PlannedCell]) -> None:
    """Record the cells as they are resolved now.

    Cells of the last run that are not among these stay, so that a run of some rows forgets none.

    Raises:
        UserMistake: the lock file cannot be read.
        RunStopped: it cannot be written.
    """
    used = {each for one in planned if one.plan is not None for each in one.plan.used()}
    cells = _cells(table) | {one.cell.name: _entry(one) for one in planned}
    lock = Lock(title=title, versions=versions.versions(used), cells=cells)
    replace_file(lock_path(table), msgspec.json.format(msgspec.json.encode(lock)) + b"\n")


def invalidated(table: Path, planned: Collection[PlannedCell]) -> tuple[Invalidated, ...]:
    """The cells whose settings have changed since the table's last run.

    Raises:
        UserMistake: the lock file cannot be read.
    """
    locked = _cells(table)
    found = []
    for one in planned:
        before = locked.get(one.cell.name)
        if before is None:
            continue
        now = _settings(one)
        # What is not known of a cell whose problems could not be read is no change.
        both = before.settings.keys() & now.keys() if one.plan is None else None
        changes = differences(_only(before.settings, both), _only(now, both))
        if changes:
            found.append(Invalidated(one.cell.name, before.directory, tuple(changes)))
    return tuple(found)


def _entry(one: PlannedCell) -> LockedCell:
    return LockedCell(
        directory=as_addresses(str(one.directory)),
        problem_range=one.cell.experiment.problem_range,
        repeats=one.cell.experiment.repeats,
        settings=_settings(one),
    )


def _settings(one: PlannedCell) -> dict[str, Any]:
    """As a lock file holds them: what JSON makes of them."""
    settings = one.cell.experiment.settings() if one.plan is None else one.plan.identity()
    as_read: dict[str, Any] = json.loads(json.dumps(settings))
    return as_read


def _only(settings: Mapping[str, Any], keys: Collection[str] | None) -> Mapping[str, Any]:
    return settings if keys is None else {key: settings[key] for key in keys}


def _cells(table: Path) -> dict[str, LockedCell]:
    file = lock_path(table)
    try:
        return msgspec.json.decode(file.read_bytes(), type=Lock).cells
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror}).") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserMistake(
            f"{file} is no lock file of a table ({error}); remove it, and nothing but the list of "
            "changed settings is lost."
        ) from error
