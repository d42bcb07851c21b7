"""How sure a model is of each token of a text: where it hardly is, rounding decides."""

from collections.abc import Sequence
from typing import Any

import torch

PIECE = 128
"""Tokens read at a time, so that the logits of a long text do not fill the memory."""


def gaps(model: Any, prompt: Sequence[int], tokens: Sequence[int]) -> tuple[float, ...]:
    """The two largest log-probabilities at the place of each token: the first minus the second."""
    read, found, cache = [*prompt, *tokens[:-1]], list[float](), None
    with torch.inference_mode():
        for start in range(0, len(read), PIECE):
            piece = torch.tensor([read[start : start + PIECE]], device=model.device)
            out = model(piece, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            # Of logarithms of a softmax and of its logits the differences are the same.
            two = out.logits[0].float().topk(2).values
            # Of logits that are no numbers it is sure of none.
            found += torch.nan_to_num(two[:, 0] - two[:, 1], nan=0.0).tolist()
    return tuple(round(gap, 4) for gap in found[len(prompt) - 1 :])
