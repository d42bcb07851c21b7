"""Shards of a run, or directories of one run from several machines, put together as one run.

Every attempt of every directory is in the merged run, once. Files are replaced in one step each,
and none loses a line: whenever it is killed, merging again gives the same run.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.run_files.attempt_lines import as_written, line_digest, whole_lines
from pipeline.errors import UserMistake
from pipeline.experiment import differences
from pipeline.runs import durable_lines
from pipeline.runs.attempt_keys import asked_in
from pipeline.runs.directory import (
    MANIFEST,
    PROBLEMS,
    RunDirectory,
    append_synced,
    attempt_files,
    attempts_of,
    read_manifest,
    replace_file,
)
from pipeline.runs.lock import holder_of
from pipeline.runs.recorded import Key
from pipeline.runs.shard_directories import of_whole_run, shard_name
from pipeline.runs.stored_runs import bring_up
from pipeline.runs.torn_lines import complete_lines
from pipeline.shards import Shard

NAMED_CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge: attempts of the run, those that were not in `directory` before, those
    that failed, and what is missing, each a sentence. Of an incomplete run nothing is written
    unless a part was asked for.
    """

    directory: Path
    attempts: int
    added: int
    failed: int
    missing: tuple[str, ...]
    written: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A directory that is merged, and its manifest."""

    path: Path
    manifest: dict[str, Any]

    @property
    def shard(self) -> str | None:
        shard: str | None = self.manifest["identity"].get("shard")
        return shard


@dataclass(frozen=True, slots=True)
class _Line:
    """An attempt's line, where it lies, and whether the attempt failed."""

    line: bytes
    source: Path
    failed: bool


def merge(directories: Sequence[Path], into: Path, *, partial: bool = False) -> Merged:
    """Put the attempts of all directories, and those of `into` if it is a run, together in `into`.

    A key that lies in several must have the same line in all; a line that a `replaced.jsonl` of
    theirs holds has had its place taken, and gives way. Sources are only read.

    Raises:
        UserMistake: they are not of one run, or one attempt has two lines; nothing was changed.
        RunStopped: the disk is full or failing; repeating it goes on.
    """
    bring_up(into)
    sources = _sources(directories, into)
    superseded = _superseded(sources)
    keys: dict[Key, bool] = {}
    conflicts: list[str] = []
    for name in _file_names(sources):
        for key, one in _merged(name, sources, superseded, conflicts).items():
            keys[key] = one.failed
    if conflicts:
        more = len(conflicts) - NAMED_CONFLICTS
        listed = conflicts[:NAMED_CONFLICTS] + ([f"and {more} more"] if more > 0 else [])
        raise UserMistake(
            "The same attempt was made twice, with different results; leave out one of the two "
            "directories, or remove one of the two lines:\n  " + "\n  ".join(listed)
        )
    missing = tuple(_missing(sources, keys))
    before = _count(into)
    write = partial or not missing
    if write:
        _write(sources, into, superseded)
    return Merged(into, len(keys), len(keys) - before, sum(keys.values()), missing, write)


def _sources(directories: Sequence[Path], into: Path) -> list[_Source]:
    """The directories with their manifests, `into` first where it is a run.

    Raises:
        UserMistake: one is no run, or they are not of the same settings.
    """
    inside = next((one for one in into.resolve().parents if (one / MANIFEST).exists()), None)
    if inside is not None:
        raise UserMistake(f"{into} lies in the run directory {inside}; merge --into one beside it.")
    there = [into] if (into / MANIFEST).exists() else []
    # A shard that was killed before its first attempt has a folder and nothing in it.
    begun = [one for one in directories if not _is_empty_shard(one)] or directories
    paths = {one.resolve(): one for one in (*there, *begun)}
    sources = [_Source(path, read_manifest(path)) for path in paths.values()]
    first = sources[0]
    if there and first.shard is not None:
        raise UserMistake(f"{into} is shard {first.shard} of a run; merge --into the whole run's.")
    for one in sources[1:]:
        changed = differences(
            of_whole_run(first.manifest["identity"]), of_whole_run(one.manifest["identity"])
        )
        if changed:
            listed = "\n  ".join(line.replace(" asked", f" in {one.path}") for line in changed)
            raise UserMistake(
                f"{one.path} is of a run with other settings than {first.path}; merge the "
                f"directories of one run:\n  {listed}"
            )
    return sources


def _is_empty_shard(directory: Path) -> bool:
    is_shard = shard_name(directory) is not None and directory.is_dir()
    return is_shard and not (directory / MANIFEST).exists() and not attempt_files(directory)


def _superseded(sources: Sequence[_Source]) -> frozenset[str]:
    """Digests of the lines whose place others have taken."""
    files = [source.path / durable_lines.REPLACED for source in sources]
    return frozenset(
        line_digest(line) for file in files if file.exists() for line in whole_lines(file)
    )


def _file_names(sources: Sequence[_Source]) -> list[str]:
    return sorted({file.name for source in sources for file in attempt_files(source.path)})


def _merged(
    name: str,
    sources: Sequence[_Source],
    superseded: frozenset[str],
    conflicts: list[str],
) -> dict[Key, _Line]:
    """The lines of one problem's file, by repeat."""
    kept: dict[Key, _Line] = {}
    for source in sources:
        file = source.path / PROBLEMS / name
        if not file.exists():
            continue
        lines = complete_lines(file)
        for line, attempt in attempts_of(file, lines, source.manifest["identity"]):
            one = _Line(line.rstrip(b"\n") + b"\n", source.path, attempt.status == "error")
            there = kept.setdefault(attempt.key, one)
            if there.line == one.line or line_digest(one.line) in superseded:
                continue
            if line_digest(there.line) in superseded:
                kept[attempt.key] = one
                continue
            problem, repeat = as_written(attempt.problem_id), attempt.repeat_id
            conflicts.append(
                f"problem {problem}, repeat {repeat}: in {there.source} and in {one.source}"
            )
    return dict(sorted(kept.items()))


def _missing(sources: Sequence[_Source], there: Container[Key]) -> Iterator[str]:
    """What the directories ask for and none of them has, by the shards that should have made it."""
    part = _slice(sources)
    shards = [source for source in sources if source.shard is not None]
    counts = {Shard.read(str(source.shard)).count for source in shards}
    if len(counts) != 1:
        lacking = sum(key not in there for key in asked_in(_without_shard(part)))
        if lacking:
            yield f"{lacking} attempts are in none of the directories"
        return
    [count] = counts
    paths = {str(source.shard): source.path for source in shards}
    for number in range(1, count + 1):
        shard = str(Shard(number, count))
        asked = list(asked_in(part | {"shard": shard}))
        lacking = sum(key not in there for key in asked)
        if not lacking:
            continue
        if shard not in paths:
            yield f"shard {shard} is not among them: its {lacking} attempts are missing"
            continue
        holder = holder_of(paths[shard])
        running = "" if holder is None else f"; it is being made by {holder}"
        yield f"shard {shard} ({paths[shard]}) lacks {lacking} of {len(asked)} attempts{running}"


def _without_shard(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in ("problem_ids", "repeats")}


def _slice(sources: Sequence[_Source]) -> dict[str, Any]:
    """What all sources ask for together; with `places` where shards say them."""
    parts = [source.manifest["slice"] for source in sources]
    places: dict[str, int] = {}
    for part in parts:
        places |= zip(part["problem_ids"], part.get("places", ()), strict=False)
    ids = dict.fromkeys(problem_id for part in parts for problem_id in part["problem_ids"])
    known = [problem_id for problem_id in ids if problem_id in places]
    # Where one does not say where its problems stand, they come in the order of the sources.
    if len(known) == len(ids):
        ids = dict.fromkeys(sorted(ids, key=places.__getitem__))
    return {
        "problem_ids": list(ids),
        "repeats": max(part["repeats"] for part in parts),
        "places": [places.get(problem_id, 0) for problem_id in ids],
    }


def _count(run: Path) -> int:
    """How many attempts a run has; 0 where it is none."""
    if not (run / MANIFEST).exists():
        return 0
    return sum(1 for file in attempt_files(run) for _ in complete_lines(file))


def _write(sources: Sequence[_Source], into: Path, superseded: frozenset[str]) -> None:
    """Write the merged run, its manifest before the first attempt."""
    with RunDirectory(into) as directory:
        manifest = directory.manifest()
        if manifest is not None:
            names = {file.name for file in attempt_files(into)}
            directory.repair(names)
        merged = _manifest(sources, into)
        if merged != manifest:
            directory.write_manifest(merged)
        for name in _file_names(sources):
            _write_file(into, name, sources, superseded)


def _write_file(
    into: Path, name: str, sources: Sequence[_Source], superseded: frozenset[str]
) -> None:
    conflicts: list[str] = []
    lines = [one.line for one in _merged(name, sources, superseded, conflicts).values()]
    if conflicts:
        raise UserMistake(f"The same attempt was made twice meanwhile: {conflicts[0]}.")
    file = into / PROBLEMS / name
    before = list(complete_lines(file)) if file.exists() else []
    if {*before} == {*lines}:
        return
    gone = [line for line in before if line not in lines]
    if gone:
        append_synced(into / durable_lines.REPLACED, b"".join(gone))
    replace_file(file, b"".join(lines))


def _manifest(sources: Sequence[_Source], into: Path) -> dict[str, Any]:
    """That of the first source, with what all ask for and every session, in order of time."""
    first = sources[0].manifest
    sessions: list[dict[str, Any]] = []
    for source in sources:
        sessions += [one for one in source.manifest["sessions"] if one not in sessions]
    return first | {
        "name": into.name,
        "identity": of_whole_run(first["identity"]),
        "slice": _without_shard(_slice(sources)),
        "sessions": sorted(sessions, key=lambda one: str(one.get("started", ""))),
    }
