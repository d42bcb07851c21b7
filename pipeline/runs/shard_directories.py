"""The directories of one run: the whole run's, and beside it one for each shard."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UserMistake
from pipeline.runs.directory import MANIFEST, read_manifest, recorded_attempts, refuse_changes
from pipeline.runs.recorded import Key, Recorded
from pipeline.runs.stored_runs import bring_up_beside
from pipeline.shards import Shard

SHARD_NAME = re.compile(r"(.+)\.shard-([1-9][0-9]{0,5})-of-([1-9][0-9]{0,5})")


class ShardName(NamedTuple):
    """What the name of a shard's directory says: the whole run's name, and which shard it is."""

    run: str
    shard: Shard


def shard_directory(run: Path, shard: Shard | None) -> Path:
    """Where a shard's attempts go: beside the run, `RUN.shard-2-of-8`; those of no shard to it."""
    if shard is None:
        return run
    # A path such as `.` has no name to begin with.
    named = run if run.name not in {"", ".."} else run.resolve()
    return named.with_name(f"{named.name}.shard-{shard.number}-of-{shard.count}")


def shard_name(directory: Path) -> ShardName | None:
    """What the name of a directory says of a shard; None where it is no shard's."""
    named = SHARD_NAME.fullmatch(directory.name)
    if named is None:
        return None
    number, count = int(named[2]), int(named[3])
    return ShardName(named[1], Shard(number, count)) if number <= count else None


def of_whole_run(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the shards of a run share: all but which shard it is."""
    return {name: one for name, one in identity.items() if name != "shard"}


def made_elsewhere(
    directory: Path, identity: Mapping[str, Any], missing: Collection[Key]
) -> Recorded:
    """Of what is `missing` in a shard's directory what the whole run holds, which may be merged.

    Shards of the same count share no attempt, and are not looked at.

    Raises:
        UserMistake: shards of another count, or of a whole run any, hold some of the rest, or
            are of other settings.
    """
    mine = shard_name(directory)
    run = directory if mine is None else directory.with_name(mine.run)

    def concerns(name: str) -> bool:
        other = shard_name(Path(name))
        if other is None:
            return name == run.name and mine is not None
        return other.run == run.name and (mine is None or other.shard.count != mine.shard.count)

    bring_up_beside(run, concerns)
    merged = Recorded({})
    if mine is not None:
        merged = _recorded_of_run(run, identity)
    for other, count in _shards_of(run):
        if mine is not None and count == mine.shard.count:
            continue
        theirs = _recorded_of_run(other, identity)
        again = sum(key in theirs and key not in merged for key in missing)
        if again:
            raise UserMistake(
                f"{other} holds {again} of the attempts that would be made again in "
                f"{directory}: continue with --shards {count}, or first put the shards together: "
                f"speclrm merge {run}.shard-*-of-{count} --into {run} --partial"
            )
    return merged


def _shards_of(run: Path) -> Iterator[tuple[Path, int]]:
    """The directories of shards beside a run, and of how many each is one."""
    if not run.parent.is_dir():
        return
    for beside in sorted(run.parent.iterdir()):
        named = shard_name(beside)
        if named is not None and named.run == run.name:
            yield beside, named.shard.count


def _recorded_of_run(directory: Path, identity: Mapping[str, Any]) -> Recorded:
    """What a directory holds that must be of the run with these settings; nothing if it is none.

    Raises:
        UserMistake: it is of other settings, or cannot be read.
    """
    if not (directory / MANIFEST).exists():
        return Recorded({})
    recorded = read_manifest(directory)["identity"]
    refuse_changes(directory, of_whole_run(recorded), of_whole_run(identity))
    return recorded_attempts(directory)
