"""Requests that belong together: an engine of several replicas as it looks to those of one name."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, runtime_checkable

from pipeline.engines.protocol import (
    Ability,
    Completion,
    Engine,
    Message,
    ModelFacts,
    SamplingRequest,
    Tokenizer,
)

Asked = Callable[[Engine], Coroutine[Any, Any, Completion]]


@runtime_checkable
class Routed(Protocol):
    """An engine that wants to know which requests belong together."""

    def of(self, name: str) -> Engine:
        """This engine for the requests of that name: they share most of their prompts."""
        ...


class Askable(Engine, Protocol):
    """An engine of several replicas."""

    async def ask(self, name: str, held_by: str | None, request: Asked) -> tuple[Completion, str]:
        """The answer to a request of that name and who gave it; `held_by` served the name last."""
        ...


class OneName:
    """The replicas for the requests of one name, which the last of them served."""

    def __init__(self, replicas: Askable, name: str) -> None:
        """Nobody has served it yet."""
        self._replicas = replicas
        self._name = name
        self._held_by: str | None = None

    @property
    def abilities(self) -> frozenset[Ability]:
        """What every replica can do."""
        return self._replicas.abilities

    @property
    def facts(self) -> ModelFacts:
        """The model's facts."""
        return self._replicas.facts

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._replicas.tokenizer

    async def start(self) -> None:
        """Start all replicas."""
        await self._replicas.start()

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix."""
        return await self._ask(lambda engine: engine.complete(prompt_token_ids, sampling))

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat."""
        return await self._ask(lambda engine: engine.chat(messages, sampling))

    async def health(self) -> None:
        """Raise `EngineDead` when no replica can take requests."""
        await self._replicas.health()

    async def stop(self) -> None:
        """Stop all replicas."""
        await self._replicas.stop()

    async def _ask(self, request: Asked) -> Completion:
        completion, self._held_by = await self._replicas.ask(self._name, self._held_by, request)
        return completion
