"""vLLM's engine in this process, stepped by a task of the asyncio loop.

Everything of vLLM happens in the loop's thread: add, abort, step. A step holds the loop up; between
two steps it does what has become due. A thread of its own for the steps was slower: the two fought
for the interpreter, and each finished request cost two changes of thread.
"""

import asyncio
import gc
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vllm.inputs import tokens_input
from vllm.v1.engine import core

from pipeline.engines.step_watch import StepWatch
from pipeline.errors import EngineDead, EngineFailure


@dataclass(slots=True)
class SharedState:
    """What the engines of one process share, since vLLM keeps it in globals of its own.

    The process groups, which every engine uses and each one's shutdown would destroy: so only the
    last one does.
    """

    engines: int = 0

    def shut_down(self, engine: Any) -> None:
        """Free one engine; the process groups only with the last."""
        self.engines -= 1
        destroy = core.cleanup_dist_env_and_memory
        if self.engines:
            core.cleanup_dist_env_and_memory = gc.collect
        try:
            engine.engine_core.shutdown()
        finally:
            core.cleanup_dist_env_and_memory = destroy


SHARED = SharedState()

# Rounds of the loop between two steps: one wakes who waited for an answer, one starts what follows.
TURNS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way to the engine, and where its answer goes."""

    request_id: str
    prompt_token_ids: list[int]
    params: Any
    lora: Any
    tell: Callable[[Any, int | None], None] | None
    answer: asyncio.Future[Any] = field(compare=False)


class InprocessDriver:
    """The engine, its requests and the task that steps it. One start, one stop, then a new one."""

    def __init__(self, build: Callable[[], Any], watch: StepWatch) -> None:
        """`build` makes the LLMEngine."""
        self._build = build
        self._watch = watch
        self._engine: Any = None
        self._jobs: list[Job] = []
        self._waiting: dict[str, Job] = {}
        self._numbers = itertools.count()
        self._steps = 0
        self._stepping: asyncio.Task[None] | None = None
        self._ended: str | None = None

    @property
    def engine(self) -> Any:
        """The LLMEngine; only to be read once started."""
        return self._engine

    async def start(self) -> None:
        """Build the engine; raises what building raised, and never ends the program."""
        try:
            self._engine = self._build()
        except SystemExit as error:
            raise EngineDead(f"vLLM gave up: {error}") from error
        SHARED.engines += 1

    async def generate(
        self,
        prompt_token_ids: list[int],
        params: Any,
        lora: Any,
        tell: Callable[[Any, int | None], None] | None = None,
    ) -> Any:
        """The finished RequestOutput; cancelling aborts the request in the engine.

        `tell` is called with every output that there is before, and with the finished one, and
        with the number of the step that it comes from.
        """
        self.check()
        answer = asyncio.get_running_loop().create_future()
        job = Job(str(next(self._numbers)), prompt_token_ids, params, lora, tell, answer)
        self._jobs.append(job)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._serve())
        try:
            return await answer
        finally:
            if answer.cancelled() and self._waiting.pop(job.request_id, None) is not None:
                self._engine.abort_request([job.request_id])

    def check(self) -> None:
        """Raise `EngineDead` when the engine has ended."""
        if self._ended is not None:
            raise EngineDead(f"the vLLM engine has ended: {self._ended}")

    async def stop(self) -> None:
        """End the stepping and free the engine; raises what vLLM raised at that."""
        # A loop that has been closed took the task with it.
        if self._stepping is not None and not self._stepping.done():
            self._stepping.cancel()
            await asyncio.wait([self._stepping])
        self._end("it was stopped")

    async def _serve(self) -> None:
        """Step while there are requests; an engine that fails leaves nobody waiting."""
        try:
            while self._jobs or self._engine.has_unfinished_requests():
                # Whoever a finished request has woken goes first: what follows it, or is about to
                # be asked at the same time, is then in the next step already.
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                self._admit()
                if self._engine.has_unfinished_requests():
                    self._step()
        # Boundary: vLLM may raise anything at all, and must not end the program.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._end(f"{type(error).__name__}: {error}")

    def _end(self, reason: str) -> None:
        """Tell everybody who waits, then free the engine, once."""
        self._ended = self._ended or reason
        self._watch.end()
        dead = EngineDead(f"the vLLM engine has ended: {self._ended}")
        for job in (*self._waiting.values(), *self._jobs):
            if not job.answer.done():
                job.answer.set_exception(dead)
        self._waiting, self._jobs = {}, []
        engine, self._engine = self._engine, None
        if engine is not None:
            SHARED.shut_down(engine)
        del engine
        # The model and the cache hang in reference cycles.
        gc.collect()

    def _admit(self) -> None:
        """Add requests to the engine; those that it refuses get the reason."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            if job.answer.cancelled():
                continue
            prompt = tokens_input(job.prompt_token_ids)
            try:
                self._engine.add_request(job.request_id, prompt, job.params, lora_request=job.lora)
            except Exception as error:  # noqa: BLE001 - boundary: validation, harmless to others
                job.answer.set_exception(EngineFailure(f"vLLM refused the request: {error}"))
                continue
            self._waiting[job.request_id] = job

    def _step(self) -> None:
        """One step of the engine; any exception of it ends the engine."""
        with self._watch:
            outputs = self._engine.step()
        self._steps += 1
        for output in outputs:
            job = self._waiting.get(output.request_id)
            if job is not None and job.tell is not None:
                job.tell(output, self._steps)
            if job is not None and output.finished:
                del self._waiting[job.request_id]
                if not job.answer.done():
                    job.answer.set_result(output)
