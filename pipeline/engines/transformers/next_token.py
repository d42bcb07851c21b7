"""Choosing the next token from the model's logits, with a generator of the request's own."""

from typing import Any

import torch

from pipeline.engines.protocol import SamplingRequest

# Far more than rounding adds up to in a sum of shares in float32.
ROUNDING = 1e-5
# Below this, dividing by the temperature overflows and the draw is the argmax anyway.
GREEDY_BELOW = 1e-5


def choose(logits: Any, sampling: SamplingRequest, generator: Any) -> int:
    """One token id: the likeliest at temperature 0, else drawn from the nucleus.

    `logits` is one row on any device. The likeliest is found there, so that only its number has to
    be moved; draws are made on the CPU in float32, so that they are the same on every device.
    """
    if sampling.temperature < GREEDY_BELOW:
        return int(torch.argmax(logits))
    logits = logits.float().cpu()
    shares = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        shares = nucleus(shares, sampling.top_p)
    return int(torch.multinomial(shares, 1, generator=generator))


def nucleus(shares: Any, top_p: float) -> Any:
    """`shares` without the unlikeliest tokens that are not needed to reach `top_p`.

    Sorting a vocabulary takes longer than many a model's pass, so only those are sorted that can
    matter: tokens below `least` have less than 1 - `top_p` together. All are sorted where the rest
    does not reach `top_p` for certain.
    """
    least = (1 - top_p) / (2 * len(shares))
    likely = torch.nonzero(shares >= least).squeeze(-1)
    if float(shares[likely].sum(dtype=torch.float64)) < top_p + ROUNDING:
        likely = torch.arange(len(shares))
    ordered, order = torch.sort(shares[likely], descending=True, stable=True)
    before = torch.cumsum(ordered, dim=-1) - ordered
    ordered = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(shares).scatter(0, likely[order], ordered)
