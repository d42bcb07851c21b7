"""`speclrm run --shards N`: the shards of a run as processes of this machine, merged at the end."""

from collections.abc import Mapping, Sequence

import click

from pipeline.cli.merge import told
from pipeline.cli.run_help import TYPED
from pipeline.cli.shard_processes import (
    VISIBLE,
    Part,
    how_it_ended,
    run_parts,
    shared_out,
    visible_gpus,
)
from pipeline.cli.terminal import echo
from pipeline.engines import entry
from pipeline.engines.declaration import prefix_of
from pipeline.engines.settings import CPU, EngineSettings
from pipeline.runs.directory import MANIFEST
from pipeline.runs.merging import merge
from pipeline.runs.planning import Plan
from pipeline.runs.shard_directories import shard_directory
from pipeline.shards import Shard

SOME_FAILED, USER_MISTAKE, STOPPED = 1, 2, 3


def is_complete(planned: Plan) -> bool:
    """Whether the run's own directory holds all that is asked for."""
    there = planned.recorded()
    return all(key in there for key in planned.asked)


def in_words(planned: Plan, count: int) -> str:
    """How many shards there are and where they lie."""
    first = shard_directory(planned.directory, Shard(1, count))
    return f"{count} processes: {first} to shard-{count}-of-{count}"


def run_in_shards(planned: Plan, count: int, context: click.Context) -> int:
    """Start every shard of the run, wait for all, and merge them into it; the exit code.

    Raises:
        UserMistake: the GPUs cannot be shared out among the shards.
    """
    parts = parts_of(planned.experiment.models, count)
    echo(f"{planned.experiment.reasoner} in shards, {in_words(planned, count)}", err=True)
    codes = run_parts(("run", *context.meta[TYPED]), parts)
    dead = {shard: code for shard, code in codes.items() if code not in {0, SOME_FAILED}}
    for shard, code in dead.items():
        echo(f"Shard {shard} {how_it_ended(code)}.", err=True)
    if dead:
        mistakes_only = {*dead.values()} == {USER_MISTAKE}
        again = "mend what they say and repeat" if mistakes_only else "repeat"
        echo(f"Nothing was merged: {again} the command to continue.", err=True)
        return USER_MISTAKE if mistakes_only else STOPPED
    directories = [shard_directory(planned.directory, part.shard) for part in parts]
    # A shard of which nothing is asked has no directory.
    there = [one for one in directories if (one / MANIFEST).exists()]
    merged = merge(there, planned.directory)
    if not told(merged):
        return SOME_FAILED
    return SOME_FAILED if merged.failed else 0


def parts_of(
    models: Mapping[str, EngineSettings], count: int, further: tuple[str, ...] = ()
) -> list[Part]:
    """Each shard with its GPUs, of those that are named or that this machine has, and options.

    Raises:
        UserMistake: they cannot be shared out evenly.
    """
    shards = [Shard(number, count) for number in range(1, count + 1)]
    options: Mapping[str, Sequence[str]] = {
        f"--{prefix_of(role)}devices": shared_out(
            model.devices.split(","), count, f"--{prefix_of(role)}devices"
        )
        for role, model in models.items()
        if model.devices not in {None, CPU}
    }
    loads_here = any(
        entry(model.engine).heeds("devices") and model.devices is None for model in models.values()
    )
    gpus = visible_gpus() if loads_here else []
    visible = shared_out(gpus, count, "This machine") if gpus else [""] * count
    return [
        Part(
            shard,
            (*further, *(word for flag, each in options.items() for word in (flag, each[place]))),
            {VISIBLE: visible[place]} if gpus else {},
        )
        for place, shard in enumerate(shards)
    ]
