"""`speclrm merge`: shards of a run put together."""

import sys
from pathlib import Path

import click

from pipeline.cli.run_folders import ReadRuns, StagingDir, WrittenRun, all_of
from pipeline.cli.terminal import counted, echo
from pipeline.runs.merging import Merged, merge
from pipeline.runs.unstaging import unstage
from pipeline.stores.addresses import as_addresses

INCOMPLETE = 1


@click.command("merge")
@click.argument(
    "directories", nargs=-1, required=True, type=ReadRuns(), callback=all_of, metavar="DIR..."
)
@click.option(
    "--into",
    required=True,
    type=WrittenRun(),
    help="The run directory of all attempts; one that is there is added to.",
)
@click.option("--staging-dir", cls=StagingDir)
@click.option("--partial", is_flag=True, help="Merge what is there, though some is missing.")
def merge_command(directories: tuple[Path, ...], *, into: Path, partial: bool) -> None:
    """Put the shards of a run in DIR... together as one run.

    \b
    speclrm merge results/study.shard-* --into results/study

    The shards are only read. Repeating the command adds what has come since.
    """  # noqa: D301 - click wants the control character \\b, which keeps the lines apart
    merged = merge(directories, into, partial=partial)
    if not told(merged):
        sys.exit(INCOMPLETE)
    if not merged.missing:
        unstage(into)


def told(merged: Merged) -> bool:
    """Say what came of a merge; whether the run was written."""
    where = as_addresses(str(merged.directory))
    for missing in merged.missing:
        echo(as_addresses(f"Incomplete: {missing}."), err=True)
    if not merged.written:
        echo(
            f"Nothing was merged into {where}: finish the shards, or merge what is "
            "there with --partial.",
            err=True,
        )
        return False
    echo(
        f"{counted(merged.attempts, 'attempt')}, {merged.added} of them new, {merged.failed} "
        "failed."
    )
    echo(where)
    return True
