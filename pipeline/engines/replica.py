"""One of several engines that serve the same model: what it is doing and has done, and whether it
is like the others.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.engines.protocol import Ability, Completion, Engine, ModelFacts, Tokenizer

MOST_UNSERVED = 2
"""Requests in a row that a replica fails, though it seems well, before it is left."""
REST_SECONDS, LONGEST_REST = 60.0, 3600.0
"""How long it is then left alone the first time, and at most: twice as long each time."""


@dataclass(slots=True, eq=False)
class Replica:
    """One of the engines, what it is doing, and what it has done.

    `odd` is in what it differed from the others when it came back last. `heard` is when it last
    answered a request, in monotonic seconds. It has failed `unserved` requests since, of which the
    first was sent at `unserved_since`; `rests` is how often it was left for that since then, and
    `rests_until` when it may be tried again.
    """

    name: str
    engine: Engine
    alive: bool = True
    odd: str | None = None
    missed: int = 0
    heard: float = 0.0
    unserved: int = 0
    unserved_since: float = 0.0
    rests: int = 0
    rests_until: float = 0.0
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
        self.heard = time.monotonic()
        self.unserved = self.rests = 0
        self.answered += 1
        known = self.tokens is not None and completion.generated is not None
        self.tokens = (self.tokens or 0) + (completion.generated or 0) if known else None

    def failed(self, sent: float) -> bool:
        """Take down that it failed a request that was sent then; whether these are too many in a
        row. One that was left for that and has answered nothing since is not given as many again.
        """
        if not self.unserved:
            self.unserved_since = sent
        self.unserved += 1
        return self.rests > 0 or self.unserved >= MOST_UNSERVED

    def rest(self) -> float:
        """Leave it alone for a while; for how many seconds."""
        seconds = min(REST_SECONDS * 2.0**self.rests, LONGEST_REST)
        self.rests += 1
        self.rests_until = time.monotonic() + seconds
        return seconds

    def end(self) -> None:
        """It is gone: requests that wait for it are to go elsewhere."""
        self.alive = False
        self.missed = self.unserved = 0
        self.deaths += 1
        for task in self.asked:
            task.cancel()


def say(log: Path | None, line: str) -> None:
    """A line on a replica in the run's log, where there is one."""
    if log is not None and log.parent.is_dir():
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} replica {line}\n")


@dataclass(frozen=True, slots=True)
class Likeness:
    """What engines that are replicas of one model have in common."""

    abilities: frozenset[Ability]
    facts: ModelFacts
    tokenizer: Tokenizer | None

    @classmethod
    def of(cls, engine: Engine) -> "Likeness":
        """That of an engine that has started."""
        takes_tokens = Ability.TOKEN_PROMPTS in engine.abilities
        return cls(engine.abilities, engine.facts, engine.tokenizer if takes_tokens else None)

    def difference_to(self, one: "Likeness") -> str | None:
        """In what `one` differs; None where it is alike."""
        if one.abilities != self.abilities:
            odd = sorted(ability.value for ability in one.abilities ^ self.abilities)
            return f"only one of the two offers {', '.join(odd)}"
        if one.facts != self.facts:
            return f"it says {one.facts}, and the other {self.facts}"
        mine, its = self.tokenizer, one.tokenizer
        if mine is not None and its is not None and mine.fingerprint != its.fingerprint:
            return "they have different tokenizers"
        return None
