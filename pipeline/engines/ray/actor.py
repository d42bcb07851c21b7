"""An engine in an actor: what runs on the cluster's side."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ray

from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Engine,
    Message,
    ModelFacts,
    SamplingRequest,
)
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineDead

PIECE = 2**20
"""The most bytes of a log that are told at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an actor runs; `sees_log` is whether the run directory's file is there, too."""

    machine: str
    process: int
    sees_log: bool


class HostedEngine:
    """One engine; Ray makes an actor of it.

    It writes to `log` where that is the run's own file, known by the `mark` in it. On a machine
    that does not see the run directory it keeps a file of its own, of which it tells.
    """

    def __init__(self, settings: EngineSettings, log: Path | None, mark: str) -> None:
        """Nothing is loaded before `start`."""
        self._sees_log = log is not None and _has(log, mark)
        self._folder: Path | None = None
        if log is not None and not self._sees_log:
            self._folder = Path(tempfile.mkdtemp(prefix="speclrm-actor-"))
            log = self._folder / log.name
            log.touch()
        self._log = log
        self._settings = replace(with_model_folder(settings), log=log)
        self._engine: Engine | None = None

    async def place(self) -> Place:
        """Where it is."""
        return Place(ray.util.get_node_ip_address(), os.getpid(), self._sees_log)

    async def start(self) -> tuple[frozenset[Ability], ModelFacts]:
        """Load the model; what the engine can do, and its facts."""
        engine = create(self._settings)
        await engine.start()
        self._engine = engine
        return engine.abilities, engine.facts

    async def complete(self, prompt: Sequence[int], sampling: SamplingRequest) -> Completion:
        """Continue a token prefix."""
        return await self._running().complete(prompt, sampling)

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat."""
        return await self._running().chat(messages, sampling)

    async def health(self) -> None:
        """Return when it can take requests."""
        await self._running().health()

    async def logged(self, since: int) -> bytes:
        """What stands in the log of its own from that byte on, as far as one piece goes."""
        if self._log is None or self._folder is None:
            return b""
        with self._log.open("rb") as log:
            log.seek(since)
            return log.read(PIECE)

    async def stop(self) -> None:
        """End the engine and all that it started."""
        if self._engine is not None:
            await self._engine.stop()

    async def leave(self) -> None:
        """Remove the log of its own."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _running(self) -> Engine:
        if self._engine is None:
            raise EngineDead("the engine of the actor is not running")
        return self._engine


def _has(log: Path, mark: str) -> bool:
    """Whether the file that is seen here under that name is the one with the mark, near its end."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - PIECE))
            return mark.encode() in file.read(PIECE)
    except OSError:
        return False
