"""Decoders that an engine of this project serves, behind the same call as those of `generate()`."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
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
        told: list[list[float]] = [[] for _ in asks]
        began = time.perf_counter()
        # Not a group of tasks: its first failure must come out as it is.
        completions = await asyncio.gather(
            *(
                self.engine.complete(
                    ask.prompt,
                    replace(sampling.request(ask.room, ask.seed), on_token=_noting(began, when)),
                )
                for ask, when in zip(asks, told, strict=True)
            )
        )
        seconds = time.perf_counter() - began
        tokens = tuple(one.token_ids or () for one in completions)
        cached = tuple(one.cached_prompt_tokens or 0 for one in completions)
        return Written(
            tuple(asks),
            tokens,
            _times(seconds, told, completions, checked=decoder.guesses != "itself"),
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


def _noting(began: float, when: list[float]) -> Callable[[int], None]:
    return lambda _token: when.append(time.perf_counter() - began)


def _times(
    seconds: float,
    told: Sequence[Sequence[float]],
    completions: Sequence[Completion],
    *,
    checked: bool,
) -> CallTimes:
    """What engines tell: of one that does not stream, not when each token was there.

    Where guesses are `checked` in windows, every forward but the one that reads the prompt is fed
    one token and guesses, and keeps one token and those guesses that were right. What an engine
    computed for guesses that it only counts is not known.
    """
    tokens = tuple(len(one.token_ids or ()) for one in completions)
    times = [_arrived(one, when) for one, when in zip(completions, told, strict=True)]
    whole = tuple(row for row in times if row is not None)
    own: int | None = 0
    guessing: int | None = 0
    for one in completions:
        own = known_sum(own, one.forwards if one.forwards is not None else _arrivals(one))
        guessing = known_sum(guessing, 0 if one.assisted is None else one.assistant_forwards)
    counted = [one.guesses for one in completions if one.guesses is not None]
    known = own is not None and not counted
    target = _sum(_own(one) for one in completions) if known else None
    assistant = _sum(one.assisted or NOTHING for one in completions) if known else None
    proposed = accepted = None
    if checked and own is not None:
        accepted = sum(tokens) - own
    if checked and own is not None and target is not None:
        proposed = target.tokens - (own - len(completions))
    elif len(counted) == len(completions):
        proposed = sum(one for one, _ in counted)
        accepted = sum(one for _, one in counted) if accepted is None else accepted
    return CallTimes(
        seconds=seconds,
        tokens=tokens,
        token_times=whole if len(whole) == len(completions) else None,
        latencies=tuple(
            row[-1] if row else one.seconds for row, one in zip(times, completions, strict=True)
        ),
        target_forwards=_forwards(completions, own),
        assistant_forwards=guessing if known else None,
        target_computed=None if target is None else target.prompt + target.tokens,
        assistant_computed=None if assistant is None else assistant.prompt + assistant.tokens,
        proposed=proposed,
        accepted=accepted,
        target_work=target,
        assistant_work=assistant,
    )


def _arrived(completion: Completion, when: Sequence[float]) -> tuple[float, ...] | None:
    """When each token was there; those that came together were when the last of them was told.

    None where the engine has told of other tokens than those it gave.
    """
    if len(when) != len(completion.token_ids or ()):
        return None
    times: list[float] = []
    for _, count in completion.arrivals or [(None, 1)] * len(when):
        times += [when[len(times) + count - 1]] * count
    return tuple(times)


def _arrivals(completion: Completion) -> int | None:
    """From how many forwards a text has its tokens; None where the engine does not tell."""
    numbers = [number for number, _ in completion.arrivals]
    return len(numbers) if numbers and None not in numbers else None


def _forwards(completions: Sequence[Completion], own: int | None) -> int | None:
    """Forwards of the device; several texts have part in one, whose number they share."""
    if own is None or len(completions) == 1:
        return own
    numbers = {number for one in completions for number, _ in one.arrivals}
    told = all(one.arrivals for one in completions) and None not in numbers
    return len(numbers) if told else None


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
