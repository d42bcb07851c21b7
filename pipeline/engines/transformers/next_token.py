"""Choosing the next token from the model's logits, by the request's seed and the token's place."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pipeline.engines.protocol import SamplingRequest

# Far more than rounding adds up to in a sum of shares in float32.
ROUNDING = 1e-5
# So few tokens are sorted before it is known which of them matter.
SORTED_WHOLE = 4096
# Below this, dividing by the temperature overflows and the draw is the argmax anyway.
GREEDY_BELOW = 1e-5


def choose(
    logits: Any,
    sampling: SamplingRequest,
    prompt: Sequence[int] = (),
    written: Sequence[int] = (),
) -> int:
    """One token id: the likeliest at temperature 0, else drawn from the nucleus.

    `logits` is one row on any device, after the tokens `prompt` and `written`. The likeliest is
    found there, so that only its number has to be moved; draws are made on the CPU in float32, so
    that they are the same on every device.
    """
    logits = penalised(logits, sampling, prompt, written)
    if sampling.temperature < GREEDY_BELOW:
        return int(torch.argmax(logits))
    logits = logits.float().cpu()
    shares = possible(torch.softmax(logits / sampling.temperature, dim=-1), sampling)
    return drawn(shares, draw_key(sampling.seed, len(written)))


def draw_key(seed: int, place: int) -> int:
    """What the draw of a request's token at `place`, from 0, is made of: 0 <= key < 2**64."""
    return int.from_bytes(hashlib.sha256(f"draw {seed} {place}".encode()).digest()[:8], "big")


def drawn(shares: Any, key: int) -> int:
    """The token that wins a race in which each arrives after an exponential time over its share.

    It wins with the probability of its share. Every token's time follows from `key` and its id,
    by one step of SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2714064.2660195). So only
    those with a share need one, whatever the vocabulary, and two models that draw by the same key
    choose alike where they think alike.
    """
    shares = shares.numpy()
    ids = np.flatnonzero(shares > 0)
    mixed = np.uint64(key) + (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    # In the middle of 2^53 equal parts of 0 to 1: never an end, whose time has no logarithm.
    uniform = ((mixed >> np.uint64(11)) + 0.5) * 2.0**-53
    return int(ids[np.argmax(shares[ids] / -np.log(uniform))])


def penalised(
    logits: Any, sampling: SamplingRequest, prompt: Sequence[int], written: Sequence[int]
) -> Any:
    """`logits` after the penalties, as vLLM applies them.

    The repetition penalty (Keskar et al. 2019, arXiv 1909.05858) makes every token of prompt and
    answer less likely, the presence penalty every token of the answer.
    """
    if sampling.repetition_penalty != 1:
        logits = logits.float()
        ids = torch.tensor(sorted({*prompt, *written}), device=logits.device)
        seen, penalty = logits[ids], sampling.repetition_penalty
        logits = logits.index_put((ids,), torch.where(seen > 0, seen / penalty, seen * penalty))
    if sampling.presence_penalty and written:
        logits = logits.float()
        ids = torch.tensor(sorted({*written}), device=logits.device)
        logits = logits.index_put((ids,), logits[ids] - sampling.presence_penalty)
    return logits


def possible(shares: Any, sampling: SamplingRequest) -> Any:
    """The shares that are left of a distribution: `min_p`, `top_k` and `top_p`, one by one.

    What is left keeps its relative size. Of tokens as likely as the last of the `top_k`, all stay,
    as in vLLM.
    """
    if sampling.min_p:
        shares = _at_least(shares, sampling.min_p * shares.max())
    if 0 < sampling.top_k < len(shares):
        shares = _at_least(shares, torch.topk(shares, sampling.top_k).values[-1])
    if sampling.top_p < 1:
        shares = nucleus(shares, sampling.top_p)
    return shares


def _at_least(shares: Any, least: Any) -> Any:
    """The shares of `least` or more, which add up to 1 again."""
    kept = torch.where(shares >= least, shares, torch.zeros_like(shares))
    return kept / kept.sum()


def nucleus(shares: Any, top_p: float) -> Any:
    """`shares` without the unlikeliest tokens that are not needed to reach `top_p`.

    Sorting a large vocabulary takes longer than many a model's pass, so only those are sorted that
    can matter: tokens below `least` have less than 1 - `top_p` together. All are sorted where the
    rest does not reach `top_p` for certain.
    """
    if len(shares) <= SORTED_WHOLE:
        ordered, order = torch.sort(shares, descending=True, stable=True)
    else:
        least = (1 - top_p) / (2 * len(shares))
        likely = torch.nonzero(shares >= least).squeeze(-1)
        if float(shares[likely].sum(dtype=torch.float64)) < top_p + ROUNDING:
            likely = torch.arange(len(shares))
        ordered, order = torch.sort(shares[likely], descending=True, stable=True)
        order = likely[order]
    before = torch.cumsum(ordered, dim=-1) - ordered
    ordered = ordered.masked_fill(before >= top_p, 0)
    return torch.zeros_like(shares).scatter(0, order, ordered)
