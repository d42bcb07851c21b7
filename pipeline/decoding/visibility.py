"""Which tokens of a sequence with branches see which, as the mask of a forward."""

from typing import Any

import torch

from pipeline.decoding.layout import COLUMNAR, TRUNK, Layout


def visible(layout: Layout, branches: Any, times: Any, fed: int) -> Any:
    """Which tokens of a sequence the last `fed` ones see: truth values, (fed, all).

    `branches` and `times` are those of all tokens, in their order.
    """
    branch, time = branches[-fed:, None], times[-fed:, None]
    if layout.mode == COLUMNAR:
        own = torch.arange(len(times), device=times.device)
        return (times < time) | (own == own[-fed:, None])
    return ((branches == branch) | (branches == TRUNK)) & (times <= time)


def added_mask(seen: Any, dtype: Any) -> Any:
    """Added to the attention: 0 for what is seen, else minus infinity; (1, 1, fed, all).

    In numbers, since truth values are taken for numbers by attention that is not fused.
    """
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, float("-inf"))[None, None]
