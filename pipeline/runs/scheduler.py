"""Attempts in flight: many at once, independent of each other, each failure a record.

`run_attempts` hands (problem, repeat) pairs to workers; a worker reasons and takes the next, while
the disk takes the record. Nothing is kept of an attempt once its line is on the disk.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.engines.protocol import Engine
from pipeline.engines.routed import Routed
from pipeline.errors import EngineDead, EngineFailure, RunStopped, UserMistake
from pipeline.experiment import Experiment
from pipeline.ledger import UNWRITTEN, Ledger, assistant_of, known_sum
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import Prompt, PromptSet
from pipeline.reasoners.protocol import Assignment, Outcome, Reasoner
from pipeline.records import Attempt, Failure, Step, Track, UnreadableAttempt, unread
from pipeline.runs.bugs import Failures, FirstAttempts, frames_of
from pipeline.runs.engine_stop import processes_started, stop_in_time
from pipeline.runs.turns import Turn, Turns
from pipeline.seeds import request_seed

MAX_RESTARTS = 3
"""Engine restarts in one run before it is given up: a fault that returns is not passing."""


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt to make; where several runs share their engines, the lowest `turn` begins."""

    problem: Problem
    repeat_id: int
    turn: Turn = ()


@dataclass(slots=True)
class Progress:
    """What a progress display shows.

    `generated` counts tokens of ended attempts, None once one is unknown; `tokens` the same by the
    models' roles, with those that were computed and never written, and `forwards` their passes;
    `busy_until` is when a server that asked to wait may be asked again, in monotonic seconds;
    `gone` are the replicas that are not asked any more.
    """

    total: int
    done: int = 0
    failed: int = 0
    in_flight: int = 0
    failures: Failures = field(default_factory=Failures)
    generated: int | None = 0
    tokens: dict[str, int | None] = field(default_factory=dict)
    forwards: dict[str, int | None] = field(default_factory=dict)
    began: float = 0.0
    busy_until: float = 0.0
    gone: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Start the clock, once the engines are ready."""
        self.began = time.monotonic()

    def ended(self, attempt: Attempt) -> None:
        """Count an attempt that is on the disk."""
        self.in_flight -= 1
        self.done += 1
        self.failed += attempt.status == "error"
        self.failures.ended(attempt)
        for role, uses in (attempt.usage or {}).items():
            for use, tokens in uses.items():
                self.tokens[role] = known_sum(self.tokens.get(role, 0), tokens.generated)
                self.forwards[role] = known_sum(self.forwards.get(role, 0), tokens.forwards)
                if use not in UNWRITTEN:
                    self.generated = known_sum(self.generated, tokens.generated)

    def asked_to_wait(self, seconds: float) -> None:
        """Take down that a server is busy and asks to be asked again later."""
        self.busy_until = max(self.busy_until, time.monotonic() + seconds)

    def replica_changed(self, name: str, *, there: bool) -> None:
        """Take down that a replica is gone, or is there."""
        if there:
            self.gone.discard(name)
        else:
            self.gone.add(name)

    @property
    def seconds(self) -> float:
        """Seconds since the engines were ready."""
        return time.monotonic() - self.began if self.began else 0.0


@dataclass(slots=True)
class _Mending:
    """How often engines were restarted, and that they are being restarted now."""

    restarts: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Engines:
    """The run's engines by the roles of their models, and their restart when one dies.

    Several runs can share engines that have other roles in each: see `as_roles`.
    """

    by_role: Mapping[str, Engine]
    log: Path | None = None
    _mending: _Mending = field(default_factory=_Mending)

    def as_roles(self, names: Mapping[str, str]) -> "Engines":
        """Some of these engines under the roles that they have in one run.

        `names` are what they are called here, by those roles.
        """
        by_role = {role: self.by_role[name] for role, name in names.items()}
        return replace(self, by_role=by_role)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start all, stop all, whatever happens in between and though one does not stop."""
        async with contextlib.AsyncExitStack() as stack:
            for role, engine in self.by_role.items():
                stack.push_async_callback(stop_in_time, engine, role, processes_started())
                await engine.start()
            yield

    async def mend(self) -> None:
        """Restart the engines that are dead; callers that come together share one restart.

        Raises:
            RunStopped: an engine does not come back, or keeps dying.
        """
        async with self._mending.lock:
            for role, engine in self.by_role.items():
                try:
                    await engine.health()
                except EngineDead as death:
                    await self._restart(role, engine, death)

    async def _restart(self, role: str, engine: Engine, death: EngineDead) -> None:
        if self._mending.restarts >= MAX_RESTARTS:
            see = f"see {self.log}, then " if self.log is not None and self.log.exists() else ""
            raise RunStopped(
                f"The engine died {self._mending.restarts + 1} times ({death}); {see}run the same "
                "command again: finished attempts are kept."
            ) from death
        self._mending.restarts += 1
        try:
            if not await stop_in_time(engine, role, processes_started()):
                raise RunStopped(
                    f"The engine died ({death}) and does not stop; run the same command again: "
                    "finished attempts are kept."
                ) from death
            await engine.start()
        except (UserMistake, EngineFailure) as error:
            raise RunStopped(
                f"The engine died ({death}) and could not be restarted: {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class Run:
    """All that an attempt needs beside its problem."""

    experiment: Experiment
    reasoner: Reasoner
    engines: Engines
    prompt_set: PromptSet
    prompts: Mapping[str, Prompt]
    record: Callable[[Attempt], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Started:
    """An attempt that has begun; `clock` is in monotonic seconds."""

    run: Run
    work: Work
    started: datetime
    clock: float


async def run_attempts(
    run: Run,
    work: Iterator[Work],
    progress: Progress,
    draining: asyncio.Event,
    turns: Turns | None = None,
) -> None:
    """Make every attempt of `work`, `concurrency` at a time, until done or `draining` is set.

    Draining lets attempts in flight end and starts no more. Runs that share their engines share
    `turns`.

    Raises:
        RunStopped: an engine cannot be brought back, a record cannot be written, or the first
            attempts all failed by the same bug.
    """
    unrecorded = asyncio.Semaphore(run.experiment.concurrency)
    numbered, first = enumerate(work), FirstAttempts()
    turns = turns or Turns(run.experiment.concurrency)

    async def worker() -> None:
        for number, item in numbered:
            async with turns.taken(item.turn):
                if draining.is_set():
                    return
                progress.in_flight += 1
                attempt = await make_attempt(run, item)
            await unrecorded.acquire()
            group.create_task(keep(number, attempt))

    async def keep(number: int, attempt: Attempt) -> None:
        try:
            await run.record(attempt)
        except UnreadableAttempt as error:
            attempt = unread(attempt, error)
            await run.record(attempt)
        unrecorded.release()
        progress.ended(attempt)
        first.ended(number, attempt)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(run.experiment.concurrency):
                group.create_task(worker())
    except* RunStopped as stopped:
        raise stopped.exceptions[0] from None


async def make_attempt(run: Run, work: Work) -> Attempt:
    """One attempt as a record. An attempt whose engine died under it is made once more.

    Raises:
        RunStopped: the engine cannot be brought back.
    """
    attempt = _Started(run, work, datetime.now(UTC), time.monotonic())
    ledger = Ledger()
    failure: Exception
    for _ in range(2):
        ledger = Ledger()
        try:
            outcome = await run.reasoner(_assignment(run, work, ledger))
            _check(outcome, ledger, run.engines.by_role.keys())
            return _record(attempt, ledger, outcome, None)
        except RunStopped:
            raise
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            failure = EngineFailure("a request was cancelled by its engine, not by the run")
            failure.__cause__ = error
            break
        except SystemExit as error:
            failure = RuntimeError(f"code of the attempt ended the program (SystemExit: {error})")
            failure.__traceback__ = error.__traceback__
            break
        except Exception as error:  # noqa: BLE001 - the boundary: whatever fails becomes a record
            failure = _first_of(error)
            if not isinstance(failure, EngineDead):
                break
            await run.engines.mend()
    return _record(attempt, ledger, None, failure)


def _assignment(run: Run, work: Work, ledger: Ledger) -> Assignment:
    key = (work.problem.dataset, work.problem.problem_id, work.repeat_id)
    engines = {
        role: engine.of(f"{key}") if isinstance(engine, Routed) else engine
        for role, engine in run.engines.by_role.items()
    }
    return Assignment(
        experiment=run.experiment,
        problem=work.problem,
        prompt=run.prompts[work.problem.problem_id],
        prompt_set=run.prompt_set,
        repeat_id=work.repeat_id,
        target=engines.pop("target"),
        draft=engines.pop("draft", None),
        ledger=ledger,
        others=engines,
    )


def _first_of(error: Exception) -> Exception:
    """Of a group of errors, which tracks that run side by side end in, the one to act on.

    That is the death of an engine, since it can be mended, and else the first.
    """
    while isinstance(error, ExceptionGroup):
        error = (error.subgroup(EngineDead) or error).exceptions[0]
    return error


def _check(outcome: Outcome, ledger: Ledger, roles: Collection[str]) -> None:
    """Hold a reasoner to what records, costs and comparisons rest on; it may be of a plug-in.

    Raises:
        TypeError: it returned no outcome, or one whose tracks or steps are no tuple.
        ValueError: two tracks have one id, a model is named that it does not have, or its tracks
            have tokens, and none are booked.
    """
    if not isinstance(outcome, Outcome):
        raise TypeError(f"the reasoner returned {outcome!r} instead of an Outcome")
    if not isinstance(outcome.tracks, tuple):
        raise TypeError(f"the outcome's tracks are a {type(outcome.tracks).__name__}, and no tuple")
    tracks = [track for track in outcome.tracks if isinstance(track, Track)]  # else: unreadable
    for track in tracks:
        if not isinstance(track.steps, tuple):
            raise TypeError(f"a track's steps are a {type(track.steps).__name__}, and no tuple")
    ids = [track.id for track in tracks]
    if len({*ids}) < len(ids):
        raise ValueError(f"its tracks are called {', '.join(map(str, ids))}: each needs its own id")
    steps = [step for track in tracks for step in track.steps if isinstance(step, Step)]
    assistants = {assistant_of(role) for role in roles}
    strangers = {step.author for step in steps} - {*roles}
    strangers |= ledger.usage().keys() - assistants - {*roles}
    if strangers:
        raise ValueError(
            f"it names the model {min(strangers)!r}, as a step's author or in the ledger, and its "
            f"models are {', '.join(roles)}"
        )
    if any(step.tokens for step in steps) and not ledger.usage():
        raise ValueError(
            f"its tracks have {sum(step.tokens or 0 for step in steps)} tokens and its ledger has "
            "none: book every completion with assignment.ledger.book"
        )


def _is_cancelled() -> bool:
    """Whether it is this task that is to end, not only something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _record(
    attempt: _Started,
    ledger: Ledger,
    outcome: Outcome | None,
    failure: Exception | None,
) -> Attempt:
    run, work = attempt.run, attempt.work
    problem = work.problem
    status: Literal["ok", "error"] = "ok" if failure is None else "error"
    return Attempt(
        dataset=problem.dataset,
        problem_id=problem.problem_id,
        repeat_id=work.repeat_id,
        seed=request_seed(
            run.experiment.seed,
            problem.dataset,
            problem.problem_id,
            work.repeat_id,
            track="",
            step=0,
            purpose="attempt",
        ),
        reasoner=run.experiment.reasoner,
        status=status,
        gold=problem.answer,
        kind=problem.kind,
        choice_order=problem.choice_order,
        prompt_sha256=run.prompts[problem.problem_id].sha256,
        tracks=outcome.tracks if outcome is not None else (),
        vote=outcome.vote if outcome is not None else None,
        response=outcome.response if outcome is not None else None,
        answer=outcome.answer if outcome is not None else None,
        usage=ledger.usage(),
        seconds=round(time.monotonic() - attempt.clock, 6),
        started=attempt.started.isoformat(timespec="seconds"),
        error=None
        if failure is None
        else Failure(type(failure).__name__, str(failure) or repr(failure), frames_of(failure)),
        selection=outcome.selection if outcome is not None else None,
    )
