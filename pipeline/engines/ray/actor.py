"""An engine in an actor: what runs on the cluster's side."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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


class HostedEngine:
    """One engine; Ray makes an actor of it. `log` is used where its folder is there, too."""

    def __init__(self, settings: EngineSettings, log: Path | None) -> None:
        """Nothing is loaded before `start`."""
        there = log if log is not None and log.parent.is_dir() else None
        self._settings = replace(with_model_folder(settings), log=there)
        self._engine: Engine | None = None

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

    async def process_id(self) -> int:
        """The process that it is in."""
        return os.getpid()

    async def stop(self) -> None:
        """End the engine and all that it started."""
        if self._engine is not None:
            await self._engine.stop()

    def _running(self) -> Engine:
        if self._engine is None:
            raise EngineDead("the engine of the actor is not running")
        return self._engine
