"""vLLM's engine in worker processes of its own: AsyncLLM behind the driver's four calls."""

import asyncio
import contextlib
import itertools
import multiprocessing
from collections.abc import Callable
from typing import Any

import psutil  # type: ignore[import-untyped]
from vllm.inputs import tokens_input
from vllm.v1.engine.exceptions import EngineDeadError

from pipeline.engines.launch import START_LOCK
from pipeline.errors import EngineDead, EngineFailure

# Seconds in which the processes may end by themselves, and in which killed ones must be gone.
GRACE_SECONDS = 20.0
KILL_SECONDS = 10.0


class SubprocessDriver:
    """AsyncLLM and its life. One start, one stop; make a new one to restart."""

    def __init__(self, build: Callable[[], Any]) -> None:
        """`build` makes the AsyncLLM, and with it its processes."""
        self._build = build
        self._engine: Any = None
        self._numbers = itertools.count()
        self._processes: list[psutil.Process] = []

    @property
    def engine(self) -> Any:
        """The AsyncLLM; only to be read once started."""
        return self._engine

    async def start(self) -> None:
        """Start the processes; raises what vLLM raised."""
        await asyncio.to_thread(self._launch)

    async def generate(self, prompt_token_ids: list[int], params: Any, lora: Any) -> Any:
        """The finished RequestOutput; cancelling aborts the request in the engine."""
        self.check()
        request_id = str(next(self._numbers))
        prompt = tokens_input(prompt_token_ids)
        last = None
        try:
            stream = self._engine.generate(prompt, params, request_id, lora_request=lora)
            async for output in stream:
                last = output
        except EngineDeadError as error:
            raise self._dead() from error
        except Exception as error:
            # Boundary: vLLM may raise anything; whether the engine has survived it, it knows.
            self.check()
            raise EngineFailure(f"vLLM failed the request: {error}") from error
        return last

    def _launch(self) -> None:
        """Build the engine, and note which processes are its own."""
        with START_LOCK:
            before = _spawned()
            try:
                self._engine = self._build()
            finally:
                self._processes = list(_spawned() - before)

    def check(self) -> None:
        """Raise `EngineDead` when a process of the engine has died or it was stopped."""
        if self._engine is None:
            raise EngineDead("the vLLM engine is gone: it was stopped")
        if self._engine.errored:
            raise self._dead()

    async def stop(self) -> None:
        """End the processes."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.shutdown, GRACE_SECONDS)
        await asyncio.to_thread(self._bury)

    def _bury(self) -> None:
        """Kill what is left of the processes: a worker may outlive the engine's own process."""
        for process in self._processes:
            # psutil tells a process from another one that was given the same number later.
            if process.is_running():
                process.kill()
        psutil.wait_procs(self._processes, timeout=KILL_SECONDS)
        # Joins the children that have ended, so that none stays as a zombie.
        multiprocessing.active_children()

    def _dead(self) -> EngineDead:
        return EngineDead("the vLLM engine is gone: one of its processes died; see its log")


def _spawned() -> set[psutil.Process]:
    """The processes that multiprocessing has started here, and what they have started."""
    found: set[psutil.Process] = set()
    for child in multiprocessing.active_children():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(child.pid)
            found |= {process, *process.children(recursive=True)}
    return found
