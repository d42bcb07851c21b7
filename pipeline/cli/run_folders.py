"""Run directories as arguments and options: folders, or addresses in a store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.runs.stored_runs import copies, staged
from pipeline.stores.addresses import is_address


class WrittenRun(click.Path):
    """A run that is made or continued, or a folder of such runs."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder, or the staging folder of an address."""
        if isinstance(value, str) and is_address(value):
            return staged(value)
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
