"""What is asked of transformers together: a way to generate, guesses, cache, attention, weights."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product

WAYS = ("greedy", "batched", "beam", "sampling", "nucleus", "samples")
"""A text, two padded to one length, beams, a text drawn, drawn from a nucleus, two of a prompt."""
GUESSES = ("none", "assistant", "lookup", "early_exit", "assistant+lookup")
CACHES = ("default", "dynamic", "static", "offloaded", "offloaded_static", "quantized", "paged")
"""`default` asks for none; `paged` is continuous batching, its memory capped."""
UNCAPPED = "paged_uncapped"
"""Continuous batching as transformers sizes it."""
FLEX = "flex_attention"
FLASH = ("flash_attention_2", "flash_attention_3")
"""They compute in half precision alone."""
ATTENTION = ("sdpa", "eager", *FLASH, FLEX)
WEIGHTS = ("full", "4-bit", "8-bit")

DRAWN = frozenset({"sampling", "nucleus", "samples"})
NUCLEUS_TOP_P = 0.9


@dataclass(frozen=True, slots=True)
class Combination:
    """One cell: what is asked for together."""

    way: str = "greedy"
    guesses: str = "none"
    cache: str = "default"
    attention: str = "sdpa"
    weights: str = "full"

    def __str__(self) -> str:
        return ", ".join(getattr(self, one.name) for one in fields(self))

    @property
    def compiles(self) -> bool:
        """Whether something may be compiled first, which takes a minute or so.

        Forwards on a static cache are, on a GPU.
        """
        return self.attention == FLEX or self.cache in {"quantized", "static", "offloaded_static"}

    @property
    def lossless(self) -> bool:
        """Whether its tokens must be those of plain greedy generation or of plain beams."""
        whole = self.weights == "full" and self.attention not in FLASH
        return self.way not in DRAWN and self.cache != "quantized" and whole


def quick_grid() -> tuple[Combination, ...]:
    """What is probed for the compatibility table: seconds on a CPU.

    All ways, guesses and caches with the default attention; and other attentions and weights with
    the ways that differ for them.
    """
    return tuple(dict.fromkeys(_quick()))


def _quick() -> Iterator[Combination]:
    for way, guesses, cache in product(WAYS, GUESSES, CACHES):
        # Continuous batching takes the longest, and has but one way to take no guesses.
        if cache != "paged" or guesses == "none" or way == "greedy":
            yield Combination(way, guesses, cache)
    yield Combination(cache=UNCAPPED)
    some = [Combination(w, g) for w in ("greedy", "batched", "beam") for g in ("none", "assistant")]
    for cell in some:
        yield from (replace(cell, attention=one) for one in ATTENTION if one != FLEX)
        yield from (replace(cell, weights=one) for one in WEIGHTS)
