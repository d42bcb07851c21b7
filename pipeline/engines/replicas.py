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
from pipeline.engines.replica import Likeness, Replica, say
from pipeline.engines.routed import Asked, OneName
from pipeline.engines.routing import chosen
from pipeline.errors import (
    EngineDead,
    EngineFailure,
    NotThere,
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
MOST_LIVES = 2
"""How often in the mean a request is given to a replica: it may be what kills them."""
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
        self._like: Likeness | None = None

    @property
    def abilities(self) -> frozenset[Ability]:
        """What every replica can do: they are alike."""
        return self._some.abilities if self._like is None else self._like.abilities

    @property
    def facts(self) -> ModelFacts:
        """The model's facts."""
        return self._some.facts if self._like is None else self._like.facts

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        known = None if self._like is None else self._like.tokenizer
        return self._some.tokenizer if known is None else known

    def of(self, name: str) -> Engine:
        """This engine for requests that share most of their prompts: those of an attempt, say."""
        return OneName(self, name)

    async def start(self) -> None:
        """Start all; those that are down are left out, and taken in once they are there.

        Raises:
            UserMistake: one cannot be what was asked for, or serves another model than the others.
            RunStopped: none of several starts.
        """
        await self.stop()
        every = list(self._replicas.values())
        for replica in every:
            replica.engine, replica.alive = self._makes[replica.name](), True
        starts = (replica.engine.start() for replica in every)
        ends = await asyncio.gather(*starts, return_exceptions=True)
        failed = {one.name: end for one, end in zip(every, ends, strict=True) if end is not None}
        likes = {one.name: Likeness.of(one.engine) for one in every if one.name not in failed}
        failed |= self._unlike(likes)
        refused = self._refusal(failed)
        if refused is not None:
            await self._stop_all()
            raise refused
        self._like = self._like or next(iter(likes.values()))
        for replica in every:
            replica.alive = replica.name not in failed
            if not replica.alive:
                self._say(f"{replica.name} is not asked: {failed[replica.name]}")
            self._tell(replica)
        if len(every) > 1:
            self._watch = [asyncio.create_task(self._look_after(one)) for one in every]

    def _unlike(self, likes: Mapping[str, Likeness]) -> dict[str, BaseException]:
        """Those that do not serve what the replicas did before, or at first what one of them does.

        `likes` are those that are there.
        """
        model, whose = self._like, "what it did before"
        unlike: dict[str, BaseException] = {}
        for name, like in likes.items():
            if model is None:
                model, whose = like, f"what {name} does"
            difference = model.difference_to(like)
            if difference is not None:
                unlike[name] = UserMistake(
                    f"the replica {name} does not serve {whose}: {difference}; all replicas must "
                    "serve the same model with the same settings"
                )
        return unlike

    def _refusal(self, failed: Mapping[str, BaseException]) -> BaseException | None:
        """What ends the start where these cannot be asked."""
        passing: tuple[type[Exception], ...] = (NotThere, RunStopped, EngineFailure)
        if self._like is not None:  # what was right at first may be being set up again
            passing = (*passing, UserMistake)
        for name, end in failed.items():
            if not isinstance(end, passing):
                return self._named(name, end)
        if len(failed) < len(self._replicas):
            return None
        name, end = next(iter(failed.items()))
        if len(failed) == 1:
            return end
        return RunStopped(
            f"none of the {len(failed)} replicas can be asked (of {name}: {end}); repeat the "
            "command once one can"
        )

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
        if self._like is None:
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
        if self._like is not None:
            self._tell_what_each_did()
        await self._stop_all()

    async def ask(self, name: str, held_by: str | None, request: Asked) -> tuple[Completion, str]:
        """The answer to a request of that name and who gave it; `held_by` served the name last.

        Raises:
            EngineFailure: it failed, and not because its replica died; or no replica is left.
        """
        failure: EngineFailure = EngineDead("all have died")
        # One that has died and is back may be asked once more, of as many as there are.
        tried: set[tuple[str, int]] = set()
        slow = 0
        while True:
            spent = len(tried) >= MOST_LIVES * len(self._replicas)
            living = [] if spent else self._living()
            able = [one for one in living if (one.name, one.deaths) not in tried]
            if not able and isinstance(failure, Unserved):
                raise failure
            if not able:
                raise EngineDead(f"no replica is left: {failure}") from failure
            # One that is back after many failures first has to answer one request.
            sure = [one for one in able if not (one.rests and one.asked)] or able
            loads = {one.name: len(one.asked) for one in sure}
            replica = self._replicas[chosen(name, loads, held_by)]
            tried.add((replica.name, replica.deaths))
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
            replica.moved += 1

    @property
    def _some(self) -> Engine:
        """A replica that is alive, or any: before the start it says what all have in common."""
        living = self._living() or list(self._replicas.values())
        return living[0].engine

    def _living(self) -> list[Replica]:
        return [replica for replica in self._replicas.values() if replica.alive]

    async def _died(self, replica: Replica, failure: EngineFailure) -> bool:
        """Whether a request failed because its replica is dead; then it is no longer asked.

        Raises:
            EngineDead: it is, and there is no other.
        """
        alone, life = len(self._replicas) == 1, replica.deaths
        if isinstance(failure, EngineDead):
            why: str | None = str(failure)
        elif alone and (isinstance(failure, TooSlow) or not isinstance(failure, Unserved)):
            why = None
        else:
            why = await self._why_dead(replica)
        if why is not None and alone:
            raise EngineDead(why) from failure
        if why is not None and replica.deaths == life:  # else it is back meanwhile
            self._end(replica, why)
        return why is not None

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
        odd = None
        try:
            await fresh.start()
        except (NotThere, RunStopped, EngineFailure):
            await fresh.stop()
            return
        except UserMistake as mistake:
            odd = str(mistake)
        if odd is None and self._like is not None:
            odd = self._like.difference_to(Likeness.of(fresh))
        if odd is not None and odd != replica.odd:
            self._say(f"{replica.name} is there and is not asked: {odd}")
        replica.odd = odd
        if replica.alive or odd is not None:
            await fresh.stop()
            return
        replica.engine, replica.alive = fresh, True
        self._say(f"{replica.name} is back" if replica.deaths else f"{replica.name} is there")
        self._tell(replica)

    async def _stop_all(self) -> None:
        await asyncio.gather(*(replica.engine.stop() for replica in self._replicas.values()))

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
        say(self._log, line)
