"""One of several engines that serve the same model: what it is doing and has done, and whether it
is like the others.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.engines.protocol import Ability, Completion, Engine


@dataclass(slots=True, eq=False)
class Replica:
    """One of the engines, what it is doing, and what it has done."""

    name: str
    engine: Engine
    alive: bool = True
    missed: int = 0
    asked: set[asyncio.Task[Completion]] = field(default_factory=set)
    answered: int = 0
    tokens: int | None = 0
    moved: int = 0
    deaths: int = 0

    @contextlib.contextmanager
    def asking(
        self, request: Coroutine[Any, Any, Completion]
    ) -> Iterator[asyncio.Task[Completion]]:
        """A request in flight here."""
        task = asyncio.create_task(request)
        self.asked.add(task)
        try:
            yield task
        finally:
            self.asked.discard(task)

    def count(self, completion: Completion) -> None:
        """Take down what it answered."""
        self.answered += 1
        known = self.tokens is not None and completion.generated is not None
        self.tokens = (self.tokens or 0) + (completion.generated or 0) if known else None

    def end(self) -> None:
        """It is gone: requests that wait for it are to go elsewhere."""
        self.alive = False
        self.missed = 0
        self.deaths += 1
        for task in self.asked:
            task.cancel()


def difference_between(one: Engine, other: Engine) -> str | None:
    """In what two engines differ that are to be replicas; None where they are alike."""
    if one.abilities != other.abilities:
        odd = sorted(ability.value for ability in one.abilities ^ other.abilities)
        return f"only one of the two offers {', '.join(odd)}"
    if one.facts != other.facts:
        return f"it says {other.facts}, and the other {one.facts}"
    if Ability.TOKEN_PROMPTS in one.abilities and (
        one.tokenizer.fingerprint != other.tokenizer.fingerprint
    ):
        return "they have different tokenizers"
    return None
