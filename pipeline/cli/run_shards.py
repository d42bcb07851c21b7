"""`speclrm run --shards N`: the shards of a run as processes of this machine, merged at the end."""

import click

from pipeline.cli.merge import told
from pipeline.cli.shard_processes import TYPED, parts_of, run_parts, told_dead
from pipeline.cli.terminal import echo
from pipeline.errors import RUN_STOPPED, SOME_FAILED, USER_MISTAKE
from pipeline.runs.directory import MANIFEST
from pipeline.runs.merging import merge
from pipeline.runs.planning import Plan
from pipeline.runs.shard_directories import shard_directory
from pipeline.runs.stored_runs import bring_up
from pipeline.runs.unstaging import unstage
from pipeline.shards import Shard
from pipeline.stores.addresses import as_addresses


def is_complete(planned: Plan) -> bool:
    """Whether the run's own directory holds all that is asked for."""
    there = planned.recorded()
    return all(key in there for key in planned.asked)


def in_words(planned: Plan, count: int) -> str:
    """How many shards there are and where they lie."""
    first = shard_directory(planned.directory, Shard(1, count))
    return f"{count} processes: {as_addresses(str(first))} to shard-{count}-of-{count}"


def run_in_shards(planned: Plan, count: int, context: click.Context) -> int:
    """Start every shard of the run, wait for all, and merge them into it; the exit code.

    Raises:
        UserMistake: the GPUs cannot be shared out among the shards.
    """
    parts = parts_of(planned.experiment.models, count)
    echo(f"{planned.experiment.reasoner} in shards, {in_words(planned, count)}", err=True)
    codes = run_parts(("run", *context.meta[TYPED]), parts)
    if dead := told_dead(codes):
        mistakes_only = dead == {USER_MISTAKE}
        again = "mend what they say and repeat" if mistakes_only else "repeat"
        echo(f"Nothing was merged: {again} the command to continue.", err=True)
        return USER_MISTAKE if mistakes_only else RUN_STOPPED
    directories = [shard_directory(planned.directory, part.shard) for part in parts]
    for one in directories:
        bring_up(one)
    # A shard of which nothing is asked has no directory.
    there = [one for one in directories if (one / MANIFEST).exists()]
    merged = merge(there, planned.directory)
    if not told(merged):
        echo(
            "A shard that lacks attempts broke off: what it said is above, its engine.log in its "
            "directory. Repeat the command to continue.",
            err=True,
        )
        return RUN_STOPPED
    for one in (*there, planned.directory):
        unstage(one)
    return SOME_FAILED if merged.failed else 0
