"""The thread that steps a model while there are requests."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.engines.step_watch import StepWatch
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.requests import Job
from pipeline.errors import EngineDead


class Steps(Protocol):
    """A loaded model and the requests in flight, for one thread."""

    model: Any
    tokenizer: HFTokenizer

    @property
    def busy(self) -> bool:
        """Whether there is a request that has no answer."""
        ...

    def add(self, job: Job) -> None:
        """Take a request."""
        ...

    def step(self) -> None:
        """Compute something for those in flight."""
        ...

    def give_up(self, error: Exception) -> None:
        """Answer everybody with an error."""
        ...


@dataclass(slots=True)
class Worker:
    """Steps in the pool's one thread; a request that comes meanwhile is in the next step."""

    pool: ThreadPoolExecutor
    stepper: Steps
    watch: StepWatch
    ended: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _coming: list[Job] = field(default_factory=list)
    _stepping: bool = False

    def ask(self, *jobs: Job) -> None:
        """Hand over requests to the next step, as part of a running event loop.

        All that is asked before the loop goes on is in one step.

        Raises:
            EngineDead: the model has ended.
        """
        with self._lock:
            self.check()
            self._coming.extend(jobs)
            if not self._stepping:
                self._stepping = True
                asyncio.get_running_loop().call_soon(self.pool.submit, self._serve)

    def check(self) -> None:
        """Raise `EngineDead` when the model has ended."""
        if self.ended is not None:
            raise EngineDead(f"the transformers engine is not running: {self.ended}")

    def end(self, reason: str) -> None:
        """Take no more requests; those in flight get `EngineDead` after the step that runs."""
        with self._lock:
            self.ended = self.ended or reason

    def _serve(self) -> None:
        """Step until every request has its answer."""
        while self._go_on():
            try:
                with self.watch:
                    self.stepper.step()
            # Boundary: after a failed forward nothing is known of the model or the device.
            except Exception as error:  # noqa: BLE001
                self.end(f"{type(error).__name__}: {error}")

    def _go_on(self) -> bool:
        """Take over what has come; whether there is anything to do."""
        with self._lock:
            for job in self._coming:
                self.stepper.add(job)
            self._coming.clear()
            if self.ended is not None:
                self.stepper.give_up(EngineDead(f"the transformers engine has ended: {self.ended}"))
            self._stepping = self.stepper.busy
            return self._stepping
