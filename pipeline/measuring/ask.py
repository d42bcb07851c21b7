"""What is asked for: one completion of one prompt, as token ids, and how many go into one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Ask:
    """One completion: of which prompt, which of its completions, and how it is drawn.

    `room` is how many tokens it may have.
    """

    prompt_id: str
    completion: int
    prompt: tuple[int, ...]
    seed: int
    room: int


Calls = tuple[tuple[Ask, ...], ...]
"""Completions that are asked for together, call by call."""


def one_by_one(asks: Sequence[Ask], _batch_size: int) -> Calls:
    """A call for each completion."""
    return tuple((ask,) for ask in asks)


def in_batches(asks: Sequence[Ask], batch_size: int) -> Calls:
    """The flat list of all completions of all prompts, cut every `batch_size`."""
    return tuple(
        tuple(asks[first : first + batch_size]) for first in range(0, len(asks), batch_size)
    )


def by_prompt(asks: Sequence[Ask], _batch_size: int) -> Calls:
    """A call for each prompt, with all its completions."""
    return tuple(tuple(own) for _, own in groupby(asks, key=lambda ask: ask.prompt_id))


def all_at_once(asks: Sequence[Ask], _batch_size: int) -> Calls:
    """One call for everything: who answers it sees to it that not too many are in flight."""
    return (tuple(asks),)
