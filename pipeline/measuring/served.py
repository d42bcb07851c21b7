"""Decoders that an engine of this project serves, behind the same call as those of `generate()`."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import torch

from pipeline.engines.protocol import Completion, Computed, Engine, ModelFacts
from pipeline.engines.transformers.loading import device_of
from pipeline.ledger import known_sum
from pipeline.measuring.ask import Ask
from pipeline.measuring.clock import CallTimes
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.memory import MemoryMeter
from pipeline.measuring.written import NOTHING, Written, own_work


@dataclass(frozen=True, slots=True)
class Served:
    """An engine that has started."""

    engine: Engine

    async def write(self, decoder: Decoder, config: Config, asks: Sequence[Ask]) -> Written:
        """Ask for all completions of a call at once.

        Raises:
            EngineFailure: one failed.
        """
        sampling = decoder.sampling(config)
        began = time.perf_counter()
        # Not a group of tasks: its first failure must come out as it is.
        completions = await asyncio.gather(
            *(
                self.engine.complete(ask.prompt, sampling.request(ask.room, ask.seed))
                for ask in asks
            )
        )
        seconds = time.perf_counter() - began
        tokens = tuple(one.token_ids or () for one in completions)
        cached = tuple(one.cached_prompt_tokens or 0 for one in completions)
        return Written(
            tuple(asks),
            tokens,
            _times(seconds, tokens, completions, checked=decoder.guesses != "itself"),
            cached,
        )

    def effective(self, decoder: Decoder, config: Config) -> dict[str, Any]:
        """What the engine says that it is."""
        assert decoder.serves is not None  # noqa: S101 - it serves this decoder
        facts, settings = self.engine.facts, decoder.serves(config)
        return {
            "engine": settings.engine,
            "dtype": facts.dtype,
            "context": facts.context,
            "threads": torch.get_num_threads(),
            "speculative": settings.speculative,
            "assistant": None if facts.assistant is None else facts.assistant.model,
        }

    def meter(self, config: Config) -> MemoryMeter:
        """A meter of the memory that calls take beside the models."""
        facts, device = self.engine.facts, torch.device(device_of(config.engine("transformers")))
        beside = facts.assistant
        return MemoryMeter(
            Resident(device, facts),
            None if beside is None else Resident(device, replace(beside, dtype=facts.dtype)),
        )


@dataclass(frozen=True, slots=True)
class Resident:
    """What the meter of memory asks of a model, known of one that an engine has loaded."""

    device: torch.device
    facts: ModelFacts

    def get_memory_footprint(self) -> int | None:
        """Bytes of its weights, counted from the config; None where that does not say."""
        if self.facts.parameters is None or self.facts.dtype is None:
            return None
        size: int = getattr(torch, self.facts.dtype).itemsize
        return self.facts.parameters * size


def _times(
    seconds: float,
    tokens: tuple[tuple[int, ...], ...],
    completions: Sequence[Completion],
    *,
    checked: bool,
) -> CallTimes:
    """What engines tell: when each completion was there, and not when each of its tokens was.

    Where guesses are `checked` in windows, every forward but the one that reads the prompt is fed
    one token and guesses, and keeps one token and those guesses that were right.
    """
    forwards: int | None = 0
    guessing: int | None = 0
    for one in completions:
        forwards = known_sum(forwards, one.forwards)
        guessing = known_sum(guessing, 0 if one.assisted is None else one.assistant_forwards)
    windows = None if not checked or forwards is None else forwards - len(completions)
    target = None if forwards is None else _sum(_own(one) for one in completions)
    assistant = _sum(one.assisted or NOTHING for one in completions)
    return CallTimes(
        seconds=seconds,
        tokens=tuple(len(row) for row in tokens),
        token_times=None,
        latencies=tuple(one.seconds for one in completions),
        target_forwards=forwards,
        assistant_forwards=None if forwards is None else guessing,
        target_computed=None if target is None else target.prompt + target.tokens,
        assistant_computed=None if target is None else assistant.prompt + assistant.tokens,
        proposed=None if windows is None or target is None else target.tokens - windows,
        accepted=None if windows is None else sum(map(len, tokens)) - len(tokens) - windows,
        target_work=target,
        assistant_work=None if target is None else assistant,
    )


def _own(completion: Completion) -> Computed:
    """All that the model computed for a completion, its refused guesses too."""
    own = own_work(
        completion.prompt_tokens or 0,
        completion.cached_prompt_tokens or 0,
        len(completion.token_ids or ()),
    )
    return _sum([own, completion.refused or NOTHING])


def _sum(works: Iterable[Computed]) -> Computed:
    added = NOTHING
    for one in works:
        added = Computed(*(a + b for a, b in zip(astuple(added), astuple(one), strict=True)))
    return added
