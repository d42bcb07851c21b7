"""The ray engine: copies of a model as actors, each in a placement group of its own.

An actor that dies is replaced as any replica that has come back: by a new one, within seconds.
"""

import asyncio
import contextlib
import os
import threading
import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from pipeline.engines.bundled_models import with_bundled_names
from pipeline.engines.limits import time_limit
from pipeline.engines.model_files import first_line
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Message,
    ModelFacts,
    SamplingRequest,
    Tokenizer,
)
from pipeline.engines.ray.actor import HostedEngine, Place
from pipeline.engines.ray.declaration import hosted_settings, hosted_tokenizer
from pipeline.engines.replica import say
from pipeline.engines.replicas import Replicas
from pipeline.engines.settings import EngineSettings
from pipeline.errors import (
    EngineDead,
    EngineFailure,
    NotThere,
    RunStopped,
    Unserved,
    UserMistake,
)

HEALTH_SECONDS = 60.0
"""How long an actor may take to say that it is well, and to stop; on a CPU a step of its engine may
keep it from answering."""
ROOM_SECONDS = 60.0
"""How long a cluster may take to find room for an actor."""
FOLLOW_SECONDS = 5.0
"""How often the log of an actor that does not see the run directory is brought there."""
MOST_SHOWN = 200
GPU_ENGINES = ("vllm", "transformers")
Answer = TypeVar("Answer")


class RayEngine(Replicas):
    """One model in several actors of a cluster."""

    def __init__(self, settings: EngineSettings) -> None:
        """Nothing is asked of the cluster before `start`."""
        self._cluster = _Cluster(settings.own.get("ray_address"))
        makes = {
            f"actor-{number}": partial(_Actor, settings, self._cluster, number)
            for number in range(1, int(str(settings.own.get("replicas") or 1)) + 1)
        }
        super().__init__(makes, settings.log, settings.on_change)

    async def stop(self) -> None:
        """End all actors, and the cluster if it was started for them."""
        await super().stop()
        await asyncio.to_thread(self._cluster.leave)


class _Cluster:
    """The cluster at an address, or one of this machine for as long as it is needed."""

    def __init__(self, address: object) -> None:
        self._address = None if address is None else str(address)
        self._mine = False
        self._lock = threading.Lock()
        self.had_room: set[int] = set()
        """The actors that have run here."""

    def join(self) -> None:
        """Connect to it; raises `UserMistake` where there is none."""
        with self._lock:
            if not ray.is_initialized():
                self._connect()

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address=self._address or "local", log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            raise UserMistake(
                f"no Ray cluster answers at {self._address} ({first_line(error)}); correct "
                "--ray-address, leave it out for a cluster of this machine, or set "
                "RAY_AUTH_MODE=token here where the cluster wants its token"
            ) from error
        self._mine = True

    def leave(self) -> None:
        """End what `join` began."""
        if self._mine:
            self._mine = False
            ray.shutdown()


class _Actor:
    """An engine in an actor, as the driver sees it."""

    def __init__(self, settings: EngineSettings, cluster: _Cluster, number: int) -> None:
        self._settings = settings
        self._cluster = cluster
        self._number = number
        # The engine in the actor gives a request up itself, unless all of the actor hangs.
        self._seconds = settings.seconds_allowed() + HEALTH_SECONDS
        self._group: Any = None
        self._actor: Any = None
        self._log: Path | None = None
        self._told = 0
        self._following: asyncio.Task[None] | None = None
        self._said: tuple[frozenset[Ability], ModelFacts] | None = None
        self._tokenizer: Tokenizer | None = None

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the engine in the actor can do; tokens are not told as they come."""
        return self._what_it_said[0] - {Ability.STREAMING}

    @property
    def facts(self) -> ModelFacts:
        """The model's facts."""
        return self._what_it_said[1]

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, loaded here."""
        if self._tokenizer is None:
            raise EngineDead("the actor has not been started")
        return self._tokenizer

    async def start(self) -> None:
        """Find room, make the actor, and let it load the model.

        Raises:
            UserMistake: there is no cluster, no room in it, or the engine refuses the settings.
            RunStopped: the engine does not start.
        """
        await self.stop()
        await asyncio.to_thread(self._cluster.join)
        hosted = hosted_settings(self._settings)
        self._tokenizer = await asyncio.to_thread(hosted_tokenizer, self._settings)
        room = await asyncio.to_thread(self._find_room, hosted)
        strategy = PlacementGroupSchedulingStrategy(self._group)
        there = with_bundled_names(hosted)
        self._log, mark = self._own_log(), uuid.uuid4().hex
        say(self._log, f"actor-{self._number} of {there.model} starts ({mark})")
        self._actor = (
            ray.remote(HostedEngine)
            .options(scheduling_strategy=strategy, num_cpus=1, num_gpus=room.get("GPU", 0))
            .remote(there, self._log, mark)
        )
        try:
            abilities, facts = await self._load(there.model)
        except EngineDead as death:
            raise RunStopped(f"the actor died while it started: {death}") from death
        self._said = abilities, replace(facts, model=hosted.model)

    async def _load(self, model: str) -> tuple[frozenset[Ability], ModelFacts]:
        """Let the actor load the model, and tell where it does; what it says of it."""
        place: Place = await _answer(self._actor.place.remote())
        say(
            self._settings.log,
            f"actor-{self._number} of {model} is process {place.process} on {place.machine}",
        )
        if not place.sees_log and self._log is not None:
            self._told = 0
            self._following = asyncio.create_task(self._follow())
        try:
            said: tuple[frozenset[Ability], ModelFacts] = await _answer(self._actor.start.remote())
        except (UserMistake, RunStopped) as error:
            if place.machine == ray.util.get_node_ip_address():
                raise
            raise type(error)(f"on the machine {place.machine}: {error}") from None
        self._cluster.had_room.add(self._number)
        return said

    async def _follow(self) -> None:
        """Bring the actor's log here, again and again."""
        with contextlib.suppress(EngineFailure):
            while True:
                await asyncio.sleep(FOLLOW_SECONDS)
                await self._bring_log(self._actor)

    async def _bring_log(self, actor: Any) -> None:
        log = self._log
        while log is not None and (piece := await _answer(actor.logged.remote(self._told))):
            self._told += len(piece)
            with log.open("ab") as file:
                file.write(piece)

    async def complete(self, prompt: Sequence[int], sampling: SamplingRequest) -> Completion:
        """Continue a token prefix."""
        asked = replace(sampling, on_token=None, on_text=None)
        async with time_limit(self._seconds):
            return await _answer(self._running().complete.remote(list(prompt), asked))

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat."""
        asked = replace(sampling, on_token=None, on_text=None)
        async with time_limit(self._seconds):
            return await _answer(self._running().chat.remote(list(messages), asked))

    async def health(self) -> None:
        """Raise `EngineDead` when the actor or its engine is gone, or hangs."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await _answer(self._running().health.remote())
        except TimeoutError as error:
            raise EngineDead(f"the actor does not answer within {HEALTH_SECONDS:g} s") from error

    async def stop(self) -> None:
        """End the engine and the actor, and give its room back."""
        actor, self._actor = self._actor, None
        group, self._group = self._group, None
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        if not ray.is_initialized():
            return
        if actor is not None:
            with contextlib.suppress(EngineDead, TimeoutError):
                async with asyncio.timeout(HEALTH_SECONDS):
                    await _answer(actor.stop.remote())
                    if following is not None:
                        await self._bring_log(actor)
                        await _answer(actor.leave.remote())
            ray.kill(actor)
        if group is not None:
            await asyncio.to_thread(remove_placement_group, group)

    @property
    def _what_it_said(self) -> tuple[frozenset[Ability], ModelFacts]:
        if self._said is None:
            raise EngineDead("the actor has not been started")
        return self._said

    def _running(self) -> Any:
        if self._actor is None:
            raise EngineDead("the actor is not running")
        return self._actor

    def _find_room(self, hosted: EngineSettings) -> dict[str, float]:
        """Reserve what the actor needs on one machine."""
        gpus = ray.cluster_resources().get("GPU", 0) and hosted.engine in GPU_ENGINES
        room: dict[str, float] = {"CPU": 1}
        if gpus:
            room["GPU"] = hosted.tensor_parallel_size
        self._group = placement_group([room], strategy="STRICT_PACK")
        if not self._group.wait(ROOM_SECONDS):
            group, self._group = self._group, None
            remove_placement_group(group)
            wanted = ", ".join(f"{amount:g} {what}" for what, amount in room.items())
            raise (NotThere if self._number in self._cluster.had_room else UserMistake)(
                f"the cluster has no room for actor {self._number} ({wanted} on one machine), for "
                f"{ROOM_SECONDS:g} s; lower --replicas, or wait for room"
            )
        return room

    def _own_log(self) -> Path | None:
        log = self._settings.log
        there = log is not None and log.parent.is_dir()
        return (
            None
            if log is None or not there
            else log.with_name(f"{log.stem}.actor-{self._number}.log")
        )


async def _answer(asked: Awaitable[Answer]) -> Answer:
    """What an actor answers; its engine's errors are raised as they were, its death as one.

    The actor drops what nobody waits for any more.
    """
    try:
        return await asked
    except asyncio.CancelledError:
        if ray.is_initialized():
            ray.cancel(asked)
        raise
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, UserMistake | RunStopped | EngineFailure):
            raise type(cause)(str(cause)) from None
        raise Unserved(f"the actor failed: {cause}") from error
    except RayActorError as error:
        last = str(error).strip().rpartition("\n")[2].strip()
        if last.startswith(ModuleNotFoundError.__name__):
            raise UserMistake(
                f"a machine of the cluster lacks a package ({last}); install speclrm there as here"
            ) from error
        raise EngineDead(f"the actor has died ({last[:MOST_SHOWN]})") from error
    except RayError as error:  # its answer was on a machine that is gone, say
        raise EngineDead(f"the actor's answer is lost ({first_line(error)})") from error
