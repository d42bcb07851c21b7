"""Run directories as arguments and options: folders, or addresses in a store."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.runs.stored_runs import copies, staged
from pipeline.stores.addresses import STAGING_VARIABLE, is_address


class WrittenRun(click.Path):
    """A run that is made or continued, or a folder that holds such runs."""

    def __init__(self, *, holds_runs: bool = False) -> None:
        super().__init__(path_type=Path)
        self._holds_runs = holds_runs

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder, or the staging folder of an address."""
        if isinstance(value, str) and is_address(value):
            return staged(value, holds_runs=self._holds_runs)
        return super().convert(value, param, ctx)


class ReadRuns(click.Path):
    """What is only read: a run, or as many as fit an address with wildcards."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder, or copies of what is at an address."""
        if isinstance(value, str) and is_address(value):
            return copies(value)
        return (super().convert(value, param, ctx),)


class LocalPath(click.Path):
    """What can only be written to a folder or a file of this machine."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; an address would be a folder of that name."""
        if isinstance(value, str) and is_address(value):
            self.fail("is an address; only run, merge and table write to a store.", param, ctx)
        return super().convert(value, param, ctx)


class StagingDir(click.Option):
    """Where a command keeps what goes to stores; eager, as addresses have their folders there."""

    def __init__(self, flags: Sequence[str] = ("--staging-dir",)) -> None:
        super().__init__(
            flags,
            type=LocalPath(path_type=Path),
            is_eager=True,
            expose_value=False,
            callback=_stage_in,
            help="Folder for what goes to stores and comes from them.  [default: "
            f"{STAGING_VARIABLE}, or else ~/.local/state/speclrm]",
        )


def _stage_in(_ctx: click.Context, _param: click.Parameter, folder: Path | None) -> None:
    """Let this command, and the processes that it starts, keep it there."""
    if folder is not None:
        os.environ[STAGING_VARIABLE] = str(folder.absolute())


def address_as_folder(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> str | None:
    """A run's name, or the folder of its address, as the callback of an option that names one."""
    return str(copies(value)[0]) if value is not None and is_address(value) else value


def all_of(
    _ctx: click.Context, _param: click.Parameter, value: Sequence[Sequence[Path]]
) -> tuple[Path, ...]:
    """The folders of every argument, as the callback of an argument that may be given often."""
    return tuple(folder for each in value for folder in each)


def only(_ctx: click.Context, param: click.Parameter, value: Sequence[Path]) -> Path:
    """The folder of an argument, as the callback of one that names one run."""
    if len(value) != 1:
        raise click.BadParameter(f"names {len(value)} runs; name one.", param=param)
    return value[0]
