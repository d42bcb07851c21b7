"""`speclrm generate` in shards: which one a process is, and all of them as processes from here."""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline.beside import beside
from pipeline.cli.progress import live_progress
from pipeline.cli.shard_processes import (
    TYPED,
    VISIBLE,
    parts_of,
    run_parts,
    told_dead,
    visible_gpus,
)
from pipeline.cli.terminal import counted, echo
from pipeline.engines import entry
from pipeline.engines.settings import EngineSettings
from pipeline.errors import SOME_FAILED, USER_MISTAKE, RunStopped, UserMistake
from pipeline.generating.answers import ENGINE_LOG, folder_of, growing_file
from pipeline.generating.generation import ROLE, Summary
from pipeline.generating.prompts import Prompt
from pipeline.generating.settings import Generation
from pipeline.generating.shard_files import (
    answered_elsewhere,
    is_complete,
    merge,
    replaced,
    shard_file,
    shard_files,
)
from pipeline.generating.units import counted_by, of_shard
from pipeline.runs.scheduler import Progress
from pipeline.shards import Shard

NAMED = 3
OF_THE_WHOLE = {"--overwrite", "--print-layout"}
"""Options that are done with before the shards begin."""
LOOK_SECONDS = 0.5
TRIES, WAIT_SECONDS = 60, 0.05
OPTIONS = (
    click.Option(
        ["--shards", "--processes"],
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Processes on this machine that share the prompts.",
    ),
    click.Option(
        ["--shard"],
        metavar="I/N",
        help="Only shard I of N, into a file of its own: 1/8 to 8/8. Under torchrun, the rank's.",
    ),
    click.Option(
        ["--merge"], is_flag=True, help="Only put the files of shards together in one file."
    ),
    click.Option(["--quiet"], is_flag=True, help="Print nothing but errors."),
)


class ShardedCommand(click.Command):
    """A command that starts itself again for each shard."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the arguments as they were given."""
        ctx.meta[TYPED] = tuple(args)
        return super().parse_args(ctx, args)


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the work this process does: a shard, as it was asked to or as its rank says."""

    shard: Shard | None
    is_rank: bool = False

    @classmethod
    def of(cls, named: str | None, environment: Mapping[str, str]) -> "Part":
        """The part that `--shard` names, or RANK and WORLD_SIZE, as torchrun sets them.

        Raises:
            UserMistake: there is no such part.
        """
        if named is not None:
            return cls(Shard.read(named))
        rank, size = environment.get("RANK"), environment.get("WORLD_SIZE")
        if rank is None or size is None or size == "1":
            return cls(None)
        if not rank.isdecimal() or not size.isdecimal():
            raise UserMistake(f"RANK is {rank!r} and WORLD_SIZE {size!r}; unset them, or say both.")
        return cls(Shard(int(rank) + 1, int(size)), is_rank=True)

    @property
    def leaves_telling(self) -> bool:
        """Whether the first rank tells what there is to tell."""
        return self.is_rank and self.shard is not None and self.shard.number > 1

    def own_gpu(self, model: EngineSettings) -> dict[str, str]:
        """The environment in which a rank sees one GPU, unless they are named or there is none."""
        gpus = visible_gpus()
        if not self.is_rank or model.devices is not None or not gpus:
            return {}
        if not entry(model.engine).heeds("devices"):
            return {}
        return {VISIBLE: gpus[int(os.environ.get("LOCAL_RANK", "0")) % len(gpus)]}


def refuse_together(part: Part, values: Mapping[str, Any]) -> None:
    """Raise `UserMistake` for options that do not go with shards."""
    several = values["shards"] > 1
    if several and part.shard is not None:
        which = "torchrun makes" if part.is_rank else "--shard makes one shard and"
        raise UserMistake(f"{which} shards and --shards makes all; drop one of them.")
    if values["merge"] and (several or part.shard is not None):
        raise UserMistake("--merge asks nothing, so it has no shards; drop one of them.")
    if part.shard is not None and values["overwrite"]:
        raise UserMistake(
            "One shard cannot begin anew what others have answered: drop --overwrite, and choose "
            "another --output-file."
        )
    for name in ("stream", "print_layout") if values["quiet"] else ():
        if values[name]:
            flag = "--" + name.replace("_", "-")
            raise UserMistake(
                f"--quiet prints nothing but errors, so {flag} has no effect; drop one."
            )
    for name in ("self_check", "stream") if several or part.shard is not None else ():
        if values[name]:
            flag = "--" + name.replace("_", "-")
            raise UserMistake(f"{flag} does not go with shards; try it on a few prompts without.")


def merge_when_last(generation: Generation, prompts: tuple[Prompt, ...], output: Path) -> bool:
    """Put all shards together if this one was the last to end; whether that was done."""
    settings = generation.identity
    if not is_complete(output, prompts, settings):
        return False
    for _ in range(TRIES):
        try:
            merge(output, prompts, settings)
        except UserMistake:  # another that has ended holds it for a moment
            time.sleep(WAIT_SECONDS)
        else:
            return True
    return False


def merged(generation: Generation, prompts: tuple[Prompt, ...], output: Path) -> Summary:
    """Put the files of shards together.

    Raises:
        UserMistake: a prompt has no row in any of them.
    """
    rows, missing = merge(output, prompts, generation.identity)
    if missing:
        raise UserMistake(
            f"Nothing was merged: {len(missing)} of {len(prompts)} prompts have no answer "
            f"({', '.join(missing[:NAMED])}{', …' if len(missing) > NAMED else ''}); finish the "
            "shards, or leave out --merge to answer the rest here."
        )
    return Summary.of((rows[one.prompt_id] for one in prompts), before=rows, remaining=0)


def generate_in_shards(
    generation: Generation,
    prompts: tuple[Prompt, ...],
    output: Path,
    count: int,
    *,
    retry_errors: bool,
    overwrite: bool,
    quiet: bool,
) -> Summary:
    """Start every shard, wait for all, and put their files together.

    Raises:
        UserMistake: a shard was refused, or GPUs cannot be shared out.
        RunStopped: a shard was ended, or ended with an error.
    """
    settings = generation.identity
    if overwrite:
        with replaced(output, settings):
            return generate_in_shards(
                generation,
                prompts,
                output,
                count,
                retry_errors=retry_errors,
                overwrite=False,
                quiet=quiet,
            )
    rows = answered_elsewhere(output, Path(), prompts, settings)
    wanted = {one.prompt_id for one in prompts}
    before = {
        one for one in wanted & rows.keys() if not (retry_errors and rows[one]["error"] is not None)
    }
    progress = Progress(total=len(prompts) - len(before))
    typed = click.get_current_context().meta[TYPED]
    end = typed.index("--") if "--" in typed else len(typed)
    arguments = [one for one in typed[:end] if one.replace("_", "-") not in OF_THE_WHOLE]
    parts = parts_of({ROLE: generation.model}, count, ("--quiet",))
    files = [growing_file(shard_file(output, part.shard)) for part in parts]
    progress.begin()
    shown = contextlib.nullcontext() if quiet else live_progress(progress)
    with _counted(files, progress), shown:
        codes = run_parts(("generate", *arguments, *typed[end:]), parts)
        rows = answered_elsewhere(output, Path(), prompts, settings)
        progress.done = len(wanted & rows.keys()) - len(before)
    dead = told_dead(codes)
    if dead == {USER_MISTAKE}:
        raise UserMistake("Nothing was merged: mend what the shards say, and repeat the command.")
    if dead:
        raise RunStopped("Nothing was merged: repeat the command to continue.")
    rows, missing = merge(output, prompts, settings)
    if missing:
        _refuse_crashed(generation, prompts, output, {*missing}, codes)
    else:
        _remove_shards(output)
    there = (rows[one.prompt_id] for one in prompts if one.prompt_id in rows)
    return Summary.of(there, before, remaining=len(missing))


def _refuse_crashed(
    generation: Generation,
    prompts: tuple[Prompt, ...],
    output: Path,
    missing: Collection[str],
    codes: Mapping[Shard, int],
) -> None:
    """Raise `RunStopped` for shards whose exit code says that all was tried, where it was not.

    Python ends with the code of failed prompts, too, when a program breaks off by an error.
    """
    model, seed, tokens_of = generation.model, generation.seed, counted_by(generation)
    crashed = [
        shard
        for shard, code in codes.items()
        if code == SOME_FAILED
        and any(
            one.prompt_id in missing
            for one in of_shard(model, prompts, shard, seed, tokens_of=tokens_of)
        )
    ]
    if not crashed:
        return
    for shard in crashed:
        log = folder_of(shard_file(output, shard)) / ENGINE_LOG
        echo(
            f"Shard {shard} broke off by an error: see above what begins with [{shard}], and "
            f"{log}, if there is one.",
            err=True,
        )
    raise RunStopped(
        f"Nothing was merged: {counted(len(missing), 'prompt')} without an answer. What is "
        "answered is kept; repeat the command when the error is mended."
    )


def _remove_shards(output: Path) -> None:
    """What was merged is in the output, and on the disk."""
    for file in [*shard_files(output)]:
        file.unlink(missing_ok=True)
        shutil.rmtree(folder_of(file), ignore_errors=True)


@contextlib.contextmanager
def _counted(files: list[Path], progress: Progress) -> Iterator[None]:
    """Count in `progress` the rows that are written to the files until the block ends."""
    growing = [_Growing(file, _size(file)) for file in files]

    def watch(ended: threading.Event) -> None:
        while not ended.wait(LOOK_SECONDS):
            for file in growing:
                for row in file.more():
                    progress.done += 1
                    progress.failed += row["error"] is not None
                    progress.generated = (progress.generated or 0) + (row["tokens"] or 0)

    with beside(watch):
        yield


@dataclass(slots=True)
class _Growing:
    """A file that lines are appended to, until another takes its place."""

    file: Path
    read: int
    _first: int | None = None
    _begun: bytes = b""

    def more(self) -> Iterator[Any]:
        """The rows that have come."""
        try:
            with self.file.open("rb") as rows:
                self._first = self._first or os.fstat(rows.fileno()).st_ino
                if os.fstat(rows.fileno()).st_ino != self._first:
                    return
                rows.seek(self.read)
                fresh = rows.read()
        except FileNotFoundError:
            return
        self.read += len(fresh)
        *lines, self._begun = (self._begun + fresh).split(b"\n")
        yield from map(json.loads, lines)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0
