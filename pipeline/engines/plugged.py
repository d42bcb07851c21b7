"""An engine of a plug-in: its start and what it then says of itself are checked."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from pipeline.engines.protocol import (
    Ability,
    Completion,
    Engine,
    Message,
    ModelFacts,
    SamplingRequest,
    Tokenizer,
)
from pipeline.errors import Misdeclared, UserMistake


class PluggedEngine:
    """The engine of somebody else's class; `blamed` tells its errors in a sentence."""

    def __init__(self, engine: Engine, blamed: Callable[[], AbstractContextManager[None]]) -> None:
        """Stand before an engine that is not started yet."""
        self._engine = engine
        self._blamed = blamed

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do."""
        return self._engine.abilities

    @property
    def facts(self) -> ModelFacts:
        """Its model's facts."""
        return self._engine.facts

    @property
    def tokenizer(self) -> Tokenizer:
        """Its model's tokenizer."""
        return self._engine.tokenizer

    async def start(self) -> None:
        """Start it, and look at what every run asks of it.

        Raises:
            UserMistake: it does not start, or something that it says of itself is of another type.
        """
        with self._blamed():
            await self._engine.start()
            if not isinstance(self.facts, ModelFacts):
                raise Misdeclared(f"its facts are {self.facts!r}, and no ModelFacts")
            strange = [one for one in self.abilities if not isinstance(one, Ability)]
            if strange:
                raise Misdeclared(f"its abilities have {strange[0]!r}, which is no Ability")
            with contextlib.suppress(UserMistake):  # there is none, which engines may say
                for name in ("encode", "decode", "render_chat"):
                    if not callable(getattr(self.tokenizer, name, None)):
                        raise Misdeclared(f"its tokenizer {self.tokenizer!r} cannot {name}")

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix."""
        return await self._engine.complete(prompt_token_ids, sampling)

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat."""
        return await self._engine.chat(messages, sampling)

    async def health(self) -> None:
        """Return when it can take requests."""
        await self._engine.health()

    async def stop(self) -> None:
        """End it."""
        await self._engine.stop()
