"""How far runs are, from their folders alone: what runs, what is there of what was asked for.

Nothing is written, and a run that is going on is not disturbed.
"""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import msgspec

from evaluators.run_files.attempt_lines import PROBLEMS, Key, problem_files, whole_lines
from evaluators.run_files.run_manifest import MANIFEST, RunManifest, run_manifest
from evaluators.run_files.verdict_rows import VERDICTS, NotGraded, UseTokens
from evaluators.statistics.in_flight import Span, attempt_span, covered, instant
from pipeline.errors import UserMistake
from pipeline.ledger import UNWRITTEN, known_sum
from pipeline.runs.attempt_keys import asked_in
from pipeline.runs.lock import LOCK, holder_of
from pipeline.runs.shard_directories import of_whole_run, shard_name
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
class Counts:
    """Attempts asked for, recorded and failed, and what was spent on them.

    `tokens` are generated ones by the models' roles, `computed` the same with those that were never
    written, and `forwards` the passes that gave them, each None where it is not known of an
    attempt; `seconds` those in which an attempt was in flight. `verdicts` counts verdict rows,
    which may be of earlier attempts.
    """

    planned: int
    recorded: int
    errors: int
    verdicts: int
    tokens: dict[str, int | None]
    computed: dict[str, int | None]
    forwards: dict[str, int | None]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus(Counts):
    """How far a run is. `counted` is what it adds to the sums: of a shard what neither the whole
    run nor a shard before it has. `seconds_left` is an estimate from this session's pace; `broken`
    names lines of attempts that cannot be read.
    """

    path: Path
    state: State
    holder: str | None
    seconds_left: float | None
    broken: tuple[str, ...]
    counted: Counts


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
    tokens: dict[str, int | None] = field(default_factory=dict)
    computed: dict[str, int | None] = field(default_factory=dict)
    forwards: dict[str, int | None] = field(default_factory=dict)
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

    @property
    def key(self) -> Key:
        return self.problem_id, self.repeat_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """Whose verdict a row is."""

    problem_id: str
    repeat_id: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The folder of a run, whose attempts are still to be read; `shard` is None of a whole run."""

    path: Path
    manifest: RunManifest
    holder: str | None
    asked: frozenset[Key]
    shard: Shard | None

    @property
    def run(self) -> str:
        """The same for a run and its shards wherever they lie: its name and its settings."""
        named = shard_name(self.path)
        identity = of_whole_run(self.manifest.recorded["identity"])
        return f"{named.run if named else self.path.name} {json.dumps(identity, sort_keys=True)}"


@dataclass(slots=True)
class _Together:
    """What the folders of one run come to that are counted so far."""

    merged: set[Key] = field(default_factory=set)
    asked: set[Key] = field(default_factory=set)
    recorded: set[Key] = field(default_factory=set)
    shards: dict[int, dict[int, _Found]] = field(default_factory=dict)


def statuses(places: Sequence[Path]) -> Iterator[RunStatus | NoStatus]:
    """The runs in these folders, or the folders themselves where they are runs, by their names.

    Raises:
        UserMistake: a place is no folder.
    """
    for place in places:
        if not place.is_dir():
            raise UserMistake(f"{place} is no folder; name a run's, or one that holds runs.")
    within: dict[Path, _Found | NoStatus] = {}
    for place in places:
        for one in _in_folder(place, DEEPEST):
            # A folder may be named twice, and be found by two paths.
            known = within.get(one.path.resolve())
            if known is None or len(one.path.parts) < len(known.path.parts):
                within[one.path.resolve()] = one
    together: dict[str, _Together] = {}
    told: dict[Path, RunStatus | NoStatus] = {}
    found = sorted(within.values(), key=lambda one: isinstance(one, _Found) and bool(one.shard))
    for one in found:
        told[one.path] = _status(one, together) if isinstance(one, _Found) else one
    yield from (told[one.path] for one in within.values())
    for run in together.values():
        yield from _not_here(run)


def _not_here(run: _Together) -> Iterator[NoStatus]:
    """The shards of a run of which there is no folder, and which have something to make."""
    for count, shards in run.shards.items():
        first = next(iter(shards.values()))
        missing = [Shard(n, count) for n in range(1, count + 1) if n not in shards]
        part = first.manifest.recorded["slice"]
        missing = [one for one in missing if {*asked_in(part | {"shard": str(one)})} - run.merged]
        if missing and any(one.asked - run.merged for one in shards.values()):
            named = shard_name(first.path)
            name = first.path.name if named is None else named.run
            said = f"no folder of shard {', '.join(map(str, missing))}"
            yield NoStatus(first.path.with_name(name), said)


def _in_folder(folder: Path, depth: int) -> Iterator[_Found | NoStatus]:
    """What a folder is: a run, a folder of runs, or something else."""
    try:
        if any((folder / part).exists() for part in (MANIFEST, PROBLEMS, LOCK)):
            yield _opened(folder)
            return
        within = sorted(one for one in folder.iterdir() if one.is_dir())
        inner = within if depth else []
        found = [one for sub in inner for one in _in_folder(sub, depth - 1)]
    except OSError as error:
        yield _unreadable(folder, error)
        return
    if depth == DEEPEST or any(isinstance(one, _Found) for one in found):
        yield from found
    else:
        yield NoStatus(folder, f"no run (it has no {MANIFEST})")


def _unreadable(folder: Path, error: OSError) -> NoStatus:
    what = ""
    if error.filename and os.access(folder, os.R_OK | os.X_OK):
        what = f"{Path(error.filename).name} "
    return NoStatus(folder, f"{what}cannot be read ({error.strerror})")


def _opened(run: Path) -> _Found | NoStatus:
    holder = holder_of(run)
    try:
        manifest = run_manifest(run)
    except NotGraded as error:
        if not (run / MANIFEST).exists():
            lost = f"{MANIFEST} is missing, so what was asked for is not known"
            return NoStatus(run, lost if holder is None else f"starting ({holder})")
        return NoStatus(run, str(error).removeprefix(f"{run}/"))  # which is told before it
    if not manifest.slice.problem_ids or manifest.slice.repeats < 1:
        return NoStatus(run, "asks for no attempts")
    try:
        shard = None if manifest.slice.shard is None else Shard.read(manifest.slice.shard)
        asked = frozenset(asked_in(manifest.recorded["slice"]))
    except (UserMistake, LookupError, TypeError, ValueError):
        return NoStatus(run, f"{MANIFEST} does not say which shard it is")
    return _Found(run, manifest, holder, asked, shard)


def _status(found: _Found, together: dict[str, _Together]) -> RunStatus | NoStatus:
    run = found.path
    whole = together.setdefault(found.run, _Together())
    if found.shard is not None:
        whole.shards.setdefault(found.shard.count, {})[found.shard.number] = found
    # Two whole runs are two, though they be copies.
    before = _Together() if found.shard is None else whole
    try:
        there, own = _recorded(run, before.recorded)
        verdicts, own_verdicts = _verdicts(run / VERDICTS, before.recorded)
        merged = whole.merged | _merged_beside(found)
    except OSError as error:
        return _unreadable(run, error)
    counts = _counts(there, found.asked, verdicts)
    state = State.COMPLETE if counts.recorded == counts.planned else State.UNFINISHED
    if found.shard is not None and counts.recorded and there.keys <= merged:
        state = State.MERGED
    status = RunStatus(
        **asdict(counts),
        path=run,
        state=state if found.holder is None else State.RUNNING,
        holder=found.holder,
        seconds_left=None if found.holder is None else _seconds_left(found, there),
        broken=tuple(there.broken),
        counted=replace(
            _counts(own, found.asked, own_verdicts), planned=len(found.asked - before.asked)
        ),
    )
    whole.asked |= found.asked
    whole.recorded |= there.keys
    whole.merged |= there.keys if found.shard is None else set()
    return status


def _counts(there: _Recorded, asked: Collection[Key], verdicts: int) -> Counts:
    return Counts(
        planned=len(asked),
        recorded=len(there.keys & {*asked}),
        errors=len(there.failed & {*asked}),
        verdicts=verdicts,
        tokens=dict(sorted(there.tokens.items(), reverse=True)),
        computed=dict(sorted(there.computed.items(), reverse=True)),
        forwards=dict(sorted(there.forwards.items(), reverse=True)),
        seconds=covered(there.spans),
    )


def _merged_beside(found: _Found) -> set[Key]:
    """What the whole run beside a shard has, though it be not asked about."""
    named = shard_name(found.path)
    whole = None if named is None else found.path.with_name(named.run)
    if found.shard is None or whole is None or not (whole / MANIFEST).exists():
        return set()
    return _recorded(whole, ())[0].keys


def _recorded(run: Path, elsewhere: Collection[Key]) -> tuple[_Recorded, _Recorded]:
    """Every line of the run's attempts, one in memory at a time; and those not made elsewhere, too.

    Raises:
        OSError: a file cannot be read.
    """
    there, own = _Recorded(), _Recorded()
    for file in problem_files(run):
        for number, line in enumerate(whole_lines(file), start=1):
            try:
                attempt = _DECODER.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                there.broken.append(f"{file.name}, line {number} is no attempt ({error})")
                continue
            _count(there, attempt)
            if attempt.key not in elsewhere:
                _count(own, attempt)
    return there, own


def _count(there: _Recorded, line: _Line) -> None:
    there.keys.add(line.key)
    if line.status == "error":
        there.failed.add(line.key)
    for role, uses in (line.usage or {}).items():
        for name, use in uses.items():
            _add(there.computed, role, use.generated)
            _add(there.forwards, role, use.forwards)
            if name not in UNWRITTEN:
                _add(there.tokens, role, use.generated)
    span = attempt_span(line.started, line.seconds)
    if span is not None:
        there.spans.append(span)


def _add(sums: dict[str, int | None], role: str, count: int | None) -> None:
    sums[role] = known_sum(sums.get(role, 0), count)


def _verdicts(file: Path, elsewhere: Collection[Key]) -> tuple[int, int]:
    """How many verdict rows there are, and how many of attempts that were not made elsewhere."""
    rows = others = 0
    for line in whole_lines(file) if file.exists() else ():
        rows += 1
        if elsewhere:
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                row = _VERDICT.decode(line)
                others += (row.problem_id, row.repeat_id) in elsewhere
    return rows, rows - others


def _seconds_left(found: _Found, there: _Recorded) -> float | None:
    """What is missing at the pace of this session so far; None while it has ended no attempt."""
    began = instant(found.manifest.started)
    if began is None:
        return None
    # Attempts say when they began to the second.
    made = sum(start >= began - 1 for start, _ in there.spans)
    gone = datetime.now(UTC).timestamp() - began
    return gone / made * (len(found.asked) - len(there.keys)) if made and gone > 0 else None


_DECODER = msgspec.json.Decoder(_Line)
_VERDICT = msgspec.json.Decoder(_Verdict)
