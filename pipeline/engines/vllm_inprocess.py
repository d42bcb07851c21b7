"""vLLM's engine in this process, driven by one thread of its own.

The thread adds, aborts and steps; it sleeps when there is nothing to do. Everything of vLLM happens
in that thread. After a step that has finished requests it lets the asyncio loop go first, for a
moment: so the requests that follow are in the next step already, and the two threads do not fight
for the interpreter while the step runs.
"""

import asyncio
import gc
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vllm.v1.engine import core

from pipeline.errors import EngineDead, EngineFailure


@dataclass(slots=True)
class SharedState:
    """What the engines of one process share, since vLLM keeps it in globals of its own.

    The batch being computed: so two engines must not compute at the same time. And the process
    groups, which every engine uses and each one's shutdown would destroy: so the last one does.
    """

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


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way to the engine, and where its answer goes."""

    request_id: str
    prompt_token_ids: list[int]
    params: Any
    lora: Any
    answer: asyncio.Future[Any] = field(compare=False)


class InprocessDriver:
    """The stepping task and its mailbox. One start, one stop; make a new one to restart."""

    def __init__(self, build: Callable[[], Any]) -> None:
        """`build` makes the LLMEngine."""
        self._build = build
        self._engine: Any = None
        self._jobs: list[Job] = []
        self._waiting: dict[str, Job] = {}
        self._numbers = itertools.count()
        self._asked = asyncio.Event()
        self._stepping: asyncio.Task[None] | None = None
        self._ended: str | None = None

    @property
    def engine(self) -> Any:
        """The LLMEngine; only to be read once started."""
        return self._engine

    async def start(self) -> None:
        """Build the engine; raises what building raised."""
        self._engine = self._build()
        SHARED.engines += 1
        self._stepping = asyncio.create_task(self._run())

    async def generate(self, prompt_token_ids: list[int], params: Any, lora: Any) -> Any:
        """The finished RequestOutput; cancelling aborts the request in the engine."""
        self.check()
        answer = asyncio.get_running_loop().create_future()
        job = Job(str(next(self._numbers)), prompt_token_ids, params, lora, answer)
        self._jobs.append(job)
        self._asked.set()
        try:
            return await answer
        finally:
            if answer.cancelled() and self._waiting.pop(job.request_id, None):
                self._engine.abort_request([job.request_id])

    def check(self) -> None:
        """Raise `EngineDead` when the engine has ended."""
        if self._ended is not None:
            raise EngineDead(f"the vLLM engine is gone: {self._ended}")

    async def stop(self) -> None:
        """End the stepping and free the engine."""
        if self._stepping is None:
            return
        self._stepping.cancel()
        await asyncio.wait([self._stepping])

    async def _run(self) -> None:
        """Serve, and whatever happens leave nobody waiting."""
        reason = "it was stopped"
        try:
            await self._serve()
        except Exception as error:  # noqa: BLE001 - boundary: vLLM may raise anything at all
            reason = f"{type(error).__name__}: {error}"
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        self._ended = reason
        dead = EngineDead(f"the vLLM engine is gone: {reason}")
        for job in (*self._waiting.values(), *self._jobs):
            if not job.answer.done():
                job.answer.set_exception(dead)
        self._waiting, self._jobs = {}, []
        engine, self._engine = self._engine, None
        SHARED.shut_down(engine)
        del engine
        # The model and the cache hang in reference cycles.
        gc.collect()

    async def _serve(self) -> None:
        while True:
            await asyncio.sleep(0)
            if not self._jobs and not self._engine.has_unfinished_requests():
                self._asked.clear()
                await self._asked.wait()
                continue
            self._admit()
            if self._step():
                await asyncio.sleep(0)

    def _admit(self) -> None:
        """Add requests to the engine; those that it refuses get the reason."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            if job.answer.cancelled():
                continue
            prompt = {"prompt_token_ids": job.prompt_token_ids}
            try:
                self._engine.add_request(job.request_id, prompt, job.params, lora_request=job.lora)
            except Exception as error:  # noqa: BLE001 - boundary: validation, harmless to others
                job.answer.set_exception(EngineFailure(f"vLLM refused the request: {error}"))
                continue
            self._waiting[job.request_id] = job

    def _step(self) -> bool:
        """One step of the engine; any exception of it ends the engine."""
        finished = [output for output in self._engine.step() if output.finished]
        for output in finished:
            job = self._waiting.pop(output.request_id, None)
            if job is not None and not job.answer.done():
                job.answer.set_result(output)
        return bool(finished)
