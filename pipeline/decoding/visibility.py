"""Which tokens of a sequence with branches see which, as the mask of a forward."""

from typing import Any

import torch


def columns_seen(times: Any, fed: int) -> Any:
    """Which tokens the last `fed` columnar ones see: truth values, (fed, all).

    `times` are those of all tokens, in their order.
    """
    own = torch.arange(len(times), device=times.device)
    return (times < times[-fed:, None]) | (own == own[-fed:, None])


def own_seen(own: Any, times: Any) -> Any:
    """Which tokens the last ones see, isolated: truth values, (fed, all).

    `own` says of each that is fed which tokens are those of its text, `times` are those of all.
    """
    return own & (times <= times[-len(own) :, None])


def added_mask(seen: Any, dtype: Any) -> Any:
    """Added to the attention: 0 for what is seen, else minus infinity; (1, 1, fed, all).

    In numbers, since truth values are taken for numbers by attention that is not fused.
    """
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, float("-inf"))[None, None]
