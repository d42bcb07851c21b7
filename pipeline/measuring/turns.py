"""Which decoders take turns: those whose models are in memory together, all in one rotation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.engines.settings import CPU
from pipeline.engines.transformers.loading import device_of
from pipeline.measuring.asking import Asked
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.planning import stations
from pipeline.measuring.room import memory_left, weights

GIB = 2**30
SHARE = 0.5
"""Of the free memory: what calls take, and what is left of others, lies beside the weights."""
OF_VLLM = "vLLM sets the threads of its whole process and whether torch compiles in it"
OF_LOOKUP = "vLLM's lookup brings threads that slow all other engines of its process"
OF_MEMORY = "all models together would take more than half of the memory that is free"
Group = tuple[Decoder, ...]


@dataclass(frozen=True, slots=True)
class Turns:
    """Decoders that take turns, group by group; `apart` says why there are several groups."""

    groups: tuple[Group, ...]
    apart: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """As the report has it."""
        names = [[decoder.name for decoder in group] for group in self.groups]
        return {"groups": names, "apart": list(self.apart)}


def turns_of(decoders: Group, asked: Asked) -> Turns:
    """One rotation of all, as far as their engines and the memory let them be there together."""
    every = tuple(stations(decoders))
    of_vllm = [one for one in every if _engine(one[0], asked) == "vllm"]
    lookup = [one for one in of_vllm if one[0].guesses == "lookup"]
    vllm = [one for one in of_vllm if one not in lookup]
    others = [one for one in every if one not in of_vllm]
    groups: list[Group] = []
    kinds = [one for one in (others, vllm, lookup) if one]
    for together in kinds:
        if _fit(together, asked):
            groups += [tuple(decoder for station in together for decoder in station)]
        else:
            groups += together
    reasons = {
        OF_VLLM: others and of_vllm,
        OF_LOOKUP: lookup and vllm,
        OF_MEMORY: len(groups) > len(kinds),
    }
    return Turns(tuple(groups), tuple(reason for reason, holds in reasons.items() if holds))


def _fit(together: Sequence[Group], asked: Asked) -> bool:
    if len(together) < 2:  # noqa: PLR2004 - one station needs no other's place
        return True
    left, sizes = memory_left(asked.config), list(_sizes(together, asked))
    if left is None or None in sizes:
        return False
    return sum(size for size in sizes if size is not None) <= SHARE * left


def _sizes(together: Sequence[Group], asked: Asked) -> Iterator[float | None]:
    """Bytes that each station takes for good; None where that is not known."""
    config, facts = asked.config, asked.facts
    for station in together:
        yield weights(facts, config)
        if facts.assistant is not None and any(one.needs_assistant for one in station):
            yield weights(facts.assistant, config)
        if _engine(station[0], asked) == "vllm":
            settings = config.engine("vllm")
            on_cpu = device_of(config.engine("transformers")) == CPU
            # On a GPU each takes most of the memory there is.
            yield settings.cpu_kv_cache_gib * GIB if on_cpu else None


def _engine(decoder: Decoder, asked: Asked) -> str | None:
    return None if decoder.serves is None else decoder.serves(asked.config).engine
