"""vLLM's engine in worker processes of its own: AsyncLLM behind the driver's four calls."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from vllm.inputs import tokens_input
from vllm.v1.engine.exceptions import EngineDeadError

from pipeline.engines.launch import START_LOCK
from pipeline.errors import EngineDead, EngineFailure

# Seconds in which the processes may end by themselves; those that are left are then killed.
GRACE_SECONDS = 20.0
DEATH_LOOKS, DEATH_LOOK_SECONDS = 100, 0.1
"""How often, and after how long each, it is looked whether vLLM has died that ended a request."""
ABORTED = "abort"
LOOK_SECONDS = 1.0
"""So often it is looked, while a request is in flight, whether vLLM still lives."""


class SubprocessDriver:
    """AsyncLLM and its life. One start, one stop; make a new one to restart."""

    def __init__(self, build: Callable[[], Any]) -> None:
        """`build` makes the AsyncLLM, and with it its processes."""
        self._build = build
        self._engine: Any = None
        self._numbers = itertools.count()
        self._stopped = False

    @property
    def engine(self) -> Any:
        """The AsyncLLM; only to be read once started."""
        return self._engine

    async def start(self) -> None:
        """Start the processes; raises what vLLM raised."""
        await asyncio.to_thread(self._launch)

    async def generate(
        self,
        prompt_token_ids: list[int],
        params: Any,
        lora: Any,
        tell: Callable[[Any, int | None], None] | None = None,
    ) -> Any:
        """The finished RequestOutput; cancelling aborts the request in the engine.

        `tell` is called with every output, which may be that of several steps.
        """
        self.check()
        request_id = str(next(self._numbers))
        stream = self._engine.generate(
            tokens_input(prompt_token_ids), params, request_id, lora_request=lora
        )
        told = asyncio.ensure_future(_last_of(stream, tell))
        told.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            # Requests that a copy of the model had when it died may never be told of it.
            while not (await asyncio.wait({told}, timeout=LOOK_SECONDS))[0]:
                self.check()
            last = told.result()
        except EngineDead:
            raise
        except EngineDeadError as error:
            raise self._dead() from error
        except Exception as error:
            # Boundary: vLLM may raise anything; whether the engine has survived it, it knows.
            self.check()
            raise EngineFailure(f"vLLM failed the request: {error}") from error
        finally:
            told.cancel()
        if last is not None and last.outputs[0].finish_reason == ABORTED:
            # Nobody here asked for it: where one copy of the model dies, vLLM ends the others, and
            # their requests, before it says so.
            for _ in range(DEATH_LOOKS):
                self.check()
                await asyncio.sleep(DEATH_LOOK_SECONDS)
        return last

    def _launch(self) -> None:
        """Build the engine; one that was stopped meanwhile ends at once."""
        with START_LOCK:
            self._engine = self._build()
        if self._stopped:
            self._engine.shutdown(0)

    def check(self) -> None:
        """Raise `EngineDead` when a process of the engine has died or it was stopped."""
        if self._engine is None:
            raise EngineDead("the vLLM engine has ended: it was stopped")
        if self._engine.errored:
            raise self._dead()

    async def stop(self) -> None:
        """Let the processes end by themselves."""
        self._stopped = True
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.shutdown, GRACE_SECONDS)

    def _dead(self) -> EngineDead:
        return EngineDead("the vLLM engine has ended: one of its processes died; see its log")


async def _last_of(stream: Any, tell: Callable[[Any, int | None], None] | None) -> Any:
    """The last output, after `tell` has heard all."""
    last = None
    async for output in stream:
        last = output
        if tell is not None:
            tell(output, None)
    return last
