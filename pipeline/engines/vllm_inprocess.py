"""vLLM's engine in this process, driven by one thread of its own.

The thread adds, aborts and steps; it sleeps when there is nothing to do. Everything of vLLM happens
in that thread. After a step that has finished requests it lets the asyncio loop go first, for a
moment: so the requests that follow are in the next step already, and the two threads do not fight
for the interpreter while the step runs.
"""

import asyncio
import contextlib
import gc
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vllm.v1.engine import core

from pipeline.engines.turns import Turns
from pipeline.errors import EngineDead, EngineFailure


@dataclass(slots=True)
class SharedState:
    """What the engines of one process share, since vLLM keeps it in globals of its own.

    The batch being computed: so two engines must not compute at the same time. And the process
    groups, which every engine uses and each one's shutdown would destroy: so the last one does.
    """

    computing: Turns = field(default_factory=Turns)
    engines: int = 0

    def shut_down(self, engine: Any) -> None:
        """Free one engine; the process groups only with the last. Call it in a turn."""
        self.engines -= 1
        destroy = core.cleanup_dist_env_and_memory
        if self.engines:
            core.cleanup_dist_env_and_memory = gc.collect
        try:
            engine.engine_core.shutdown()
        finally:
            core.cleanup_dist_env_and_memory = destroy


SHARED = SharedState()

# A step takes milliseconds to seconds; one that takes longer than this will not come back.
STOP_SECONDS = 60.0
# What follows a finished request takes the loop a fraction of a millisecond; a loop that is busy
# with something else must not hold up the requests that are still going on.
LOOP_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way to the engine, and where its answer goes."""

    request_id: str
    prompt_token_ids: list[int]
    params: Any
    lora: Any
    answer: asyncio.Future[Any] = field(compare=False)


@dataclass(slots=True)
class _Mail:
    """What the asyncio side has put down for the stepping thread."""

    jobs: list[Job] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    stopping: bool = False

    def __bool__(self) -> bool:
        return bool(self.jobs or self.aborted or self.stopping)


class Answer(NamedTuple):
    """A waiting future and what it gets: a RequestOutput, or an exception to raise."""

    future: asyncio.Future[Any]
    result: Any


def _settle(answers: list[Answer], acted: threading.Event) -> None:
    """Hand results to their waiting tasks, and say when these have run; in the asyncio loop."""
    for future, result in answers:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
    # The loop runs what it is given in order: the tasks that were just woken come first.
    asyncio.get_running_loop().call_soon(acted.set)


class InprocessDriver:
    """The stepping thread and its mailbox. One start, one stop; make a new one to restart."""

    def __init__(self, build: Callable[[], Any]) -> None:
        """`build` makes the LLMEngine; it is called in the stepping thread."""
        self._build = build
        self._engine: Any = None
        self._mail = _Mail()
        self._wake = threading.Condition()
        self._ended: str | None = None
        self._waiting: dict[str, Job] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @property
    def engine(self) -> Any:
        """The LLMEngine; only to be read once started."""
        return self._engine

    async def start(self) -> None:
        """Build the engine in its thread; raises what building raised."""
        ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="vllm-steps", daemon=True
        )
        self._thread.start()
        await ready

    async def generate(self, prompt_token_ids: list[int], params: Any, lora: Any) -> Any:
        """The finished RequestOutput; cancelling aborts the request in the engine."""
        loop = asyncio.get_running_loop()
        request_id = str(next(self._numbers))
        job = Job(request_id, prompt_token_ids, params, lora, loop.create_future())
        with self._wake:
            self.check()
            self._mail.jobs.append(job)
        # An idle engine is woken after the tasks that are about to ask too: its batch has them all.
        loop.call_soon(self._notify)
        try:
            return await job.answer
        finally:
            if job.answer.cancelled():
                self._abort(request_id)

    def check(self) -> None:
        """Raise `EngineDead` when the thread has ended."""
        if self._ended is not None:
            raise EngineDead(f"the vLLM engine is gone: {self._ended}")

    async def stop(self) -> None:
        """End the thread and free the engine."""
        if self._thread is None:
            return
        with self._wake:
            self._mail.stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join, STOP_SECONDS)
        if self._thread.is_alive():
            raise EngineDead(f"the vLLM engine did not stop within {STOP_SECONDS:.0f} s")

    def _notify(self) -> None:
        with self._wake:
            self._wake.notify()

    def _abort(self, request_id: str) -> None:
        with self._wake:
            self._mail.aborted.append(request_id)
            self._wake.notify()

    def _run(self, ready: asyncio.Future[Any]) -> None:
        """The thread: build, serve, and whatever happens leave nobody waiting."""
        reason = "it was stopped"
        try:
            with SHARED.computing.turn():
                self._engine = self._build()
                SHARED.engines += 1
            _tell([Answer(ready, None)])
            self._serve()
        # Boundary: vLLM may raise anything at all, and what a thread exits by nobody else hears of.
        except BaseException as error:  # noqa: BLE001
            reason = f"{type(error).__name__}: {error}"
            failure = error if isinstance(error, Exception) else EngineDead(reason)
            _tell([Answer(ready, failure)])
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        with self._wake:
            self._ended = reason
            jobs = [*self._waiting.values(), *self._mail.jobs]
            self._mail = _Mail()
        self._waiting = {}
        dead = EngineDead(f"the vLLM engine is gone: {reason}")
        engine, self._engine = self._engine, None
        try:
            with SHARED.computing.turn():
                if engine is not None:
                    SHARED.shut_down(engine)
                del engine
                # The model and the cache hang in reference cycles.
                gc.collect()
        finally:
            _tell([Answer(job.answer, dead) for job in jobs])

    def _serve(self) -> None:
        while True:
            mail = self._collect()
            if mail.stopping:
                return
            refused = self._admit(mail.jobs)
            self._drop(mail.aborted)
            finished = self._step() if self._engine.has_unfinished_requests() else []
            for acted in _tell(refused + finished):
                acted.wait(LOOP_SECONDS)

    def _collect(self) -> _Mail:
        """Everything in the mailbox; waits for some only when the engine is idle."""
        with self._wake:
            if not self._engine.has_unfinished_requests():
                self._wake.wait_for(lambda: bool(self._mail))
            mail, self._mail = self._mail, _Mail()
        return mail

    def _admit(self, jobs: list[Job]) -> list[Answer]:
        """Add requests to the engine; returns those that it refused, with the reason."""
        refused: list[Answer] = []
        for job in jobs:
            prompt = {"prompt_token_ids": job.prompt_token_ids}
            try:
                self._engine.add_request(job.request_id, prompt, job.params, lora_request=job.lora)
            except Exception as error:  # noqa: BLE001 - boundary: validation, harmless to others
                failure = EngineFailure(f"vLLM refused the request: {error}")
                refused.append(Answer(job.answer, failure))
                continue
            self._waiting[job.request_id] = job
        return refused

    def _drop(self, request_ids: list[str]) -> None:
        known = [one for one in request_ids if self._waiting.pop(one, None)]
        if known:
            self._engine.abort_request(known)

    def _step(self) -> list[Answer]:
        """One step of the engine; any exception of it ends the engine."""
        with SHARED.computing.turn():
            outputs = [output for output in self._engine.step() if output.finished]
        jobs = [(self._waiting.pop(output.request_id, None), output) for output in outputs]
        return [Answer(job.answer, output) for job, output in jobs if job is not None]


def _tell(answers: list[Answer]) -> list[threading.Event]:
    """Wake the loops that wait for these answers, once each; an event says when one has acted."""
    events = []
    for loop in {answer.future.get_loop() for answer in answers}:
        own = [answer for answer in answers if answer.future.get_loop() is loop]
        acted = threading.Event()
        # A loop that was closed has nobody left who could wait.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, own, acted)
            events.append(acted)
    return events
