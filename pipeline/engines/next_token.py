"""Choosing the next token from the model's logits, with a generator of the request's own."""

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.engines.protocol import SamplingRequest

# Below this, dividing by the temperature overflows and the draw is the argmax anyway.
GREEDY_BELOW = 1e-5


def choose(
    logits: Any, sampling: SamplingRequest, generator: Any, allowed: frozenset[int] | None
) -> int:
    """One token id: the likeliest at temperature 0, else drawn from the nucleus.

    `logits` is one row on the CPU in float32, so that the draw is the same on every device.
    `allowed` restricts the choice; None allows everything.
    """
    if allowed is not None:
        mask = torch.full_like(logits, float("-inf"))
        mask[sorted(allowed)] = 0.0
        logits = logits + mask
    if sampling.temperature < GREEDY_BELOW:
        return int(torch.argmax(logits))
    shares = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        shares = nucleus(shares, sampling.top_p)
    return int(torch.multinomial(shares, 1, generator=generator))


def nucleus(shares: Any, top_p: float) -> Any:
    """`shares` without the unlikeliest tokens that are not needed to reach `top_p`."""
    ordered, order = torch.sort(shares, descending=True, stable=True)
    before = torch.cumsum(ordered, dim=-1) - ordered
    ordered = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(shares).scatter(0, order, ordered)


def allowed_by(choices: Sequence[Sequence[int]], written: Sequence[int]) -> frozenset[int]:
    """The tokens that can follow `written` on the way to one of `choices`; empty at an end."""
    done = len(written)
    return frozenset(
        choice[done]
        for choice in choices
        if len(choice) > done and list(choice[:done]) == list(written)
    )
