"""How far runs are, from their folders alone: what runs, what is there of what was asked for.

Nothing is written, and a run that is going on is not disturbed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import msgspec

from evaluators.run_files.attempt_lines import PROBLEMS, Key, problem_files, whole_lines
from evaluators.run_files.run_manifest import MANIFEST, RunManifest, run_manifest
from evaluators.run_files.verdict_rows import VERDICTS, NotGraded, UseTokens
from evaluators.statistics.in_flight import Span, attempt_span, covered, instant
from pipeline.errors import UserMistake
from pipeline.ledger import UNWRITTEN
from pipeline.runs.attempt_keys import asked_in
from pipeline.runs.lock import LOCK, holder_of
from pipeline.runs.shard_directories import shard_name
from pipeline.shards import Shard

DEEPEST = 3
"""Folders within folders in which runs are looked for."""


class State(Enum):
    """What a run does now."""

    RUNNING = "running"
    UNFINISHED = "unfinished"
    COMPLETE = "complete"
    MERGED = "merged"
    """A shard all of whose attempts are also in the whole run beside it, where they are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How far a run is: attempts asked for, recorded and failed, and what was spent on them.

    `tokens` are generated ones by the models' roles, None where a server did not say; `seconds`
    those in which an attempt was in flight, `seconds_left` an estimate from this session's pace.
    `verdicts` counts verdict rows, which may be of earlier attempts. `broken` names lines of
    attempts that cannot be read.
    """

    path: Path
    state: State
    holder: str | None
    planned: int
    recorded: int
    errors: int
    verdicts: int
    tokens: dict[str, int | None]
    seconds: float
    seconds_left: float | None
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoStatus:
    """A folder that says nothing, and why."""

    path: Path
    reason: str


@dataclass(slots=True)
class _Recorded:
    """What the attempt lines of a run come to."""

    keys: set[Key] = field(default_factory=set)
    failed: set[Key] = field(default_factory=set)
    tokens: Counter[str] = field(default_factory=Counter)
    uncounted: set[str] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What of an attempt line is counted; the rest of the line is skipped."""

    problem_id: str
    repeat_id: int
    status: str
    usage: dict[str, dict[str, UseTokens]] | None = None
    seconds: float | None = None
    started: str | None = None


def statuses(places: Sequence[Path]) -> Iterator[RunStatus | NoStatus]:
    """The runs in these folders, or the folders themselves where they are runs, by their names.

    Raises:
        UserMistake: a place is no folder.
    """
    for place in places:
        if not place.is_dir():
            raise UserMistake(f"{place} is no folder; name a run's, or one that holds runs.")
    wholes: dict[Path, frozenset[Key]] = {}
    found = [one for place in places for one in _in_folder(place, DEEPEST, wholes)]
    yield from found
    yield from _not_here([one for one in found if isinstance(one, RunStatus)])


def _not_here(runs: Sequence[RunStatus]) -> Iterator[NoStatus]:
    """The shards of which there is no folder, of runs that are not merged yet."""
    here: dict[tuple[str, int], dict[int, RunStatus]] = {}
    for one in runs:
        named = shard_name(one.path)
        if named is not None:
            same = here.setdefault((named.run, named.shard.count), {})
            same[named.shard.number] = one
    for (run, count), shards in here.items():
        first = next(iter(shards.values())).path
        part = run_manifest(first).recorded["slice"]
        missing = [str(Shard(n, count)) for n in range(1, count + 1) if n not in shards]
        missing = [shard for shard in missing if any(asked_in(part | {"shard": shard}))]
        if missing and any(one.state is not State.MERGED for one in shards.values()):
            yield NoStatus(first.with_name(run), f"no folder of shard {', '.join(missing)}")


def _in_folder(
    folder: Path, depth: int, wholes: dict[Path, frozenset[Key]]
) -> Iterator[RunStatus | NoStatus]:
    """What a folder is: a run, a folder of runs, or something else."""
    try:
        if any((folder / part).exists() for part in (MANIFEST, PROBLEMS, LOCK)):
            yield _status(folder, wholes)
            return
        within = sorted(one for one in folder.iterdir() if one.is_dir())
        inner = within if depth else []
        found = [one for sub in inner for one in _in_folder(sub, depth - 1, wholes)]
    except OSError as error:
        yield NoStatus(folder, f"cannot be read ({error.strerror})")
        return
    if depth == DEEPEST or any(isinstance(one, RunStatus) for one in found):
        yield from found
    else:
        yield NoStatus(folder, f"no run (it has no {MANIFEST})")


def _status(run: Path, wholes: dict[Path, frozenset[Key]]) -> RunStatus | NoStatus:
    try:
        holder = holder_of(run)
        manifest = run_manifest(run)
        there = _recorded(run)
        verdicts = _lines_of(run / VERDICTS)
    except NotGraded as error:
        starting = holder is not None and not (run / MANIFEST).exists()
        said = str(error).removeprefix(f"{run}/")  # which is told before it
        return NoStatus(run, f"starting ({holder})" if starting else said)
    except OSError as error:
        what = f"{Path(error.filename).name} " if error.filename else ""
        return NoStatus(run, f"{what}cannot be read ({error.strerror})")
    if not manifest.slice.problem_ids or manifest.slice.repeats < 1:
        return NoStatus(run, "asks for no attempts")
    try:
        asked = {*asked_in(manifest.recorded["slice"])}
    except (UserMistake, LookupError, TypeError, ValueError):
        return NoStatus(run, f"{MANIFEST} does not say which shard it is")
    recorded = len(there.keys & asked)
    state = State.COMPLETE if recorded == len(asked) else State.UNFINISHED
    if recorded and _is_merged(run, there.keys, wholes):
        state = State.MERGED
    return RunStatus(
        path=run,
        state=state if holder is None else State.RUNNING,
        holder=holder,
        planned=len(asked),
        recorded=recorded,
        errors=len(there.failed & asked),
        verdicts=verdicts,
        tokens={
            role: None if role in there.uncounted else there.tokens[role]
            for role in sorted({*there.tokens, *there.uncounted}, reverse=True)
        },
        seconds=covered(there.spans),
        seconds_left=None if holder is None else _seconds_left(manifest, there, len(asked)),
        broken=tuple(there.broken),
    )


def _is_merged(run: Path, there: set[Key], wholes: dict[Path, frozenset[Key]]) -> bool:
    """Whether the whole run beside a shard has all of its attempts; each run is read once."""
    named = shard_name(run)
    if named is None:
        return False
    whole = run.with_name(named.run)
    if whole not in wholes:
        found = _recorded(whole).keys if (whole / MANIFEST).exists() else ()
        wholes[whole] = frozenset(found)
    return there <= wholes[whole]


def _recorded(run: Path) -> _Recorded:
    """Every line of the run's attempts, one in memory at a time.

    Raises:
        OSError: a file cannot be read.
    """
    there = _Recorded()
    for file in problem_files(run):
        for number, line in enumerate(whole_lines(file), start=1):
            try:
                _count(there, _DECODER.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                there.broken.append(f"{file.name}, line {number} is no attempt ({error})")
    return there


def _count(there: _Recorded, line: _Line) -> None:
    key = line.problem_id, line.repeat_id
    there.keys.add(key)
    if line.status == "error":
        there.failed.add(key)
    for role, uses in (line.usage or {}).items():
        # What was computed and never written is no progress.
        for use in (counts for name, counts in uses.items() if name not in UNWRITTEN):
            if use.generated is None:
                there.uncounted.add(role)
            else:
                there.tokens[role] += use.generated
    span = attempt_span(line.started, line.seconds)
    if span is not None:
        there.spans.append(span)


def _seconds_left(manifest: RunManifest, there: _Recorded, planned: int) -> float | None:
    """What is missing at the pace of this session so far; None while it has ended no attempt."""
    began = instant(manifest.started)
    if began is None:
        return None
    # Attempts say when they began to the second.
    made = sum(start >= began - 1 for start, _ in there.spans)
    gone = datetime.now(UTC).timestamp() - began
    return gone / made * (planned - len(there.keys)) if made and gone > 0 else None


def _lines_of(file: Path) -> int:
    return sum(1 for _ in whole_lines(file)) if file.exists() else 0


_DECODER = msgspec.json.Decoder(_Line)
