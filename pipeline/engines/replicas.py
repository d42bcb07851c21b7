"""Several engines that serve one model, as one: each request goes to the replica that has its
prefix, and from a replica that dies to another.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import (
    Callable,
    Mapping,
    Sequence,
)
from datetime import UTC, datetime
from pathlib import Path

from pipeline.engines.limits import TooSlow
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Engine,
    Message,
    ModelFacts,
    SamplingRequest,
    Tokenizer,
)
from pipeline.engines.replica import Replica, difference_between
from pipeline.engines.routed import Asked, OneName
from pipeline.engines.routing import chosen
from pipeline.errors import (
    EngineDead,
    EngineFailure,
    PromptTooLong,
    RunStopped,
    Unserved,
    UserMistake,
)

LOOK_SECONDS = 10.0
"""How often every replica is looked after while the engine runs."""
MOST_MISSED = 2
"""Looks in a row that a replica does not answer before it is dead: requests that wait for it lose
what it has computed, and it may only have been slow."""
MOST_SLOW = 2
"""Replicas that do nothing else and on which a request takes too long: then it is the request."""
NAMING_TOKENS = 256
"""Tokens by which a request is known that nobody has named."""


class Replicas:
    """Engines of one model as one engine; `makes` are how each is made, by its name.

    A request that fails because its replica died, or is found dead, is made again on another; only
    the answer that comes back is anybody's. So is one that a replica fails for no fault of the
    request; one that fails all for a while, in which others answer, is left as the dead are. These
    are tried again every few seconds, and come back when they answer as they did at the start. When
    none is left the engine is dead.
    `log` gets a line for each death and return, and at the end what each replica did; `on_change`
    is told with its name whether a replica is there, whenever that changes.
    """

    def __init__(
        self,
        makes: Mapping[str, Callable[[], Engine]],
        log: Path | None,
        on_change: Callable[[str, bool], None] | None = None,
    ) -> None:
        self._makes = makes
        self._log = log
        self._on_change = on_change
        self._replicas = {name: Replica(name, make()) for name, make in makes.items()}
        self._watch: list[asyncio.Task[None]] = []
        self._started = False

    @property
    def abilities(self) -> frozenset[Ability]:
        """What every replica can do: they are alike."""
        return self._first.abilities

    @property
    def facts(self) -> ModelFacts:
        """The model's facts."""
        return self._first.facts

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._first.tokenizer

    def of(self, name: str) -> Engine:
        """This engine for requests that share most of their prompts: those of an attempt, say."""
        return OneName(self, name)

    async def start(self) -> None:
        """Start all: the first time every one must be there, after a death of all any is enough.

        Raises:
            UserMistake, RunStopped: one does not start, or serves another model than the first.
        """
        await self.stop()
        every = list(self._replicas.values())
        for replica in every:
            replica.engine, replica.alive = self._makes[replica.name](), True
        ends: list[BaseException | None] = []
        # The first alone: libraries that it is the first to load (transformers) cannot be imported
        # by two threads at once.
        for together in (every[:1], every[1:]):
            starts = (replica.engine.start() for replica in together)
            ends += await asyncio.gather(*starts, return_exceptions=True)
            if not self._started and ends[0] is not None:
                break
        failed = {one.name: end for one, end in zip(every, ends, strict=False) if end is not None}
        for name, end in failed.items():
            strict = not self._started or len(failed) == len(every)
            if strict or not isinstance(end, UserMistake | RunStopped | EngineFailure):
                await self._stop_all()
                raise self._named(name, end)
            self._replicas[name].alive = False
        for replica in self._living():
            difference = difference_between(self._first, replica.engine)
            if difference is not None:
                first = next(one.name for one in self._living())
                await self._stop_all()
                raise UserMistake(
                    f"the replica {replica.name} does not serve what {first} does: {difference}; "
                    "all replicas must serve the same model with the same settings"
                )
        self._started = True
        for replica in every:
            self._tell(replica)
        if len(every) > 1:
            self._watch = [asyncio.create_task(self._look_after(one)) for one in every]

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix."""
        named = hashlib.blake2b(repr(tuple(prompt_token_ids[:NAMING_TOKENS])).encode()).hexdigest()
        return await OneName(self, named).complete(prompt_token_ids, sampling)

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat."""
        return await OneName(self, json.dumps(list(messages))).chat(messages, sampling)

    async def health(self) -> None:
        """Return when one replica can take requests; raise `EngineDead` when none can."""
        if not self._started:
            raise EngineDead("the replicas are not running")
        every = list(self._replicas.values())
        if len(every) == 1:
            await every[0].engine.health()
        elif not self._living():
            for one in every:
                one.rests_until = 0.0
            await asyncio.gather(*(self._look_at(one) for one in every))
            if not self._living():
                raise EngineDead(f"none of the {len(every)} replicas answers")

    async def stop(self) -> None:
        """Stop all."""
        watch, self._watch = self._watch, []
        for looking in watch:
            looking.cancel()
        await asyncio.gather(*watch, return_exceptions=True)
        if self._started:
            self._tell_what_each_did()
        await self._stop_all()

    async def ask(self, name: str, held_by: str | None, request: Asked) -> tuple[Completion, str]:
        """The answer to a request of that name and who gave it; `held_by` served the name last.

        Raises:
            EngineFailure: it failed, and not because its replica died; or no replica is left.
        """
        failure: EngineFailure = EngineDead("all have died")
        tried: set[str] = set()
        slow = 0
        while True:
            able = [one for one in self._living() if one.name not in tried]
            if not able and isinstance(failure, Unserved):
                raise failure
            if not able:
                raise EngineDead(f"no replica is left: {failure}") from failure
            # One that is back after many failures first has to answer one request.
            sure = [one for one in able if not (one.rests and one.asked)] or able
            loads = {one.name: len(one.asked) for one in sure}
            replica = self._replicas[chosen(name, loads, held_by)]
            sent = time.monotonic()
            try:
                with replica.asking(request(replica.engine)) as task:
                    completion = await task
            except PromptTooLong:
                raise
            except EngineFailure as error:
                if await self._died(replica, error):
                    failure = EngineDead(str(error))
                elif isinstance(error, Unserved):
                    failure = error
                    # Lately: it may have fallen silent just after the request was sent.
                    answers = replica.heard >= (sent + time.monotonic()) / 2
                    if not answers:
                        self._blame(replica, sent, error)
                    slow += isinstance(error, TooSlow)
                    if isinstance(error, TooSlow) and (answers or slow == MOST_SLOW):
                        raise  # for it is the request
                else:
                    raise
            except asyncio.CancelledError:
                own = asyncio.current_task()
                if replica.alive or own is None or own.cancelling():
                    raise
                failure = EngineDead(f"the replica {replica.name} no longer answers")
            else:
                replica.count(completion)
                return completion, replica.name
            tried.add(replica.name)
            replica.moved += 1

    @property
    def _first(self) -> Engine:
        """A replica that is alive, or any: what all have in common is asked of it."""
        living = self._living() or list(self._replicas.values())
        return living[0].engine

    def _living(self) -> list[Replica]:
        return [replica for replica in self._replicas.values() if replica.alive]

    async def _died(self, replica: Replica, failure: EngineFailure) -> bool:
        """Whether a request failed because its replica is dead; then it is no longer asked."""
        if len(self._replicas) == 1:
            return False
        why = str(failure) if isinstance(failure, EngineDead) else await self._why_dead(replica)
        if why is None:
            return False
        self._end(replica, why)
        return True

    def _blame(self, replica: Replica, sent: float, why: EngineFailure) -> None:
        """Take down that a replica failed a request that was sent then and answers no other; too
        many in a row, and it is no longer asked.
        """
        heard = max((one.heard for one in self._living() if one is not replica), default=0.0)
        if replica.failed(sent) and heard > replica.unserved_since:
            row = f"it failed {replica.unserved} requests in a row while others answered"
            self._end(replica, f"{row} (the last: {why}); tried again in {replica.rest():g} s")

    def _end(self, replica: Replica, why: str) -> None:
        if replica.alive:
            replica.end()
            self._say(f"{replica.name} is not asked any more: {why}")
            self._tell(replica)

    def _tell(self, replica: Replica) -> None:
        if self._on_change is not None:
            self._on_change(replica.name, replica.alive)

    async def _why_dead(self, replica: Replica) -> str | None:
        try:
            await replica.engine.health()
        except EngineDead as death:
            return str(death)
        return None

    async def _look_after(self, replica: Replica) -> None:
        """Find out whether a replica has died or has come back, again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() >= replica.rests_until:
                await self._look_at(replica)

    async def _look_at(self, replica: Replica) -> None:
        if replica.alive:
            why = await self._why_dead(replica)
            replica.missed = 0 if why is None else replica.missed + 1
            if why is not None and replica.missed >= MOST_MISSED:
                self._end(replica, why)
            return
        # Nobody waits for the old one any more, and there may be room for one only.
        await replica.engine.stop()
        fresh = self._makes[replica.name]()
        try:
            await fresh.start()
        except (UserMistake, RunStopped, EngineFailure):
            await fresh.stop()
            return
        if replica.alive:
            await fresh.stop()
            return
        difference = difference_between(self._first, fresh) if self._living() else None
        if difference is not None:
            if replica.odd != difference:
                self._say(f"{replica.name} is back and is not asked: {difference}")
            replica.odd = difference
            await fresh.stop()
            return
        replica.engine, replica.alive, replica.odd = fresh, True, None
        self._say(f"{replica.name} is back")
        self._tell(replica)

    async def _stop_all(self) -> None:
        for replica in self._replicas.values():
            await replica.engine.stop()

    def _named(self, name: str, error: BaseException) -> BaseException:
        """An error of one of several replicas, which says of which."""
        several = len(self._replicas) > 1 and isinstance(error, UserMistake | RunStopped)
        if not several or name in str(error):
            return error
        return type(error)(f"the replica {name}: {error}")

    def _tell_what_each_did(self) -> None:
        for one in self._replicas.values() if len(self._replicas) > 1 else ():
            tokens = "an unknown number of" if one.tokens is None else f"{one.tokens:,}"
            self._say(
                f"{one.name} answered {one.answered:,} requests with {tokens} tokens, died "
                f"{one.deaths} times, and {one.moved} requests moved from it"
            )

    def _say(self, line: str) -> None:
        if self._log is not None and self._log.parent.is_dir():
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} replica {line}\n")
