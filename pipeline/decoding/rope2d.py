"""Rotary positions in two dimensions: some pairs of a head turn by the branch, not by the time.

After ParallelMind. Of a head's pairs the last round(pairs * ratio) have two dimensions, those that
turn slowest: the first of them turns by the branch, the next by the time, and so on. The others
turn by the position that the model is given.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache

from pipeline.decoding.rows import is_plain

FIXED = ("default", "linear", "llama3", "yarn")
"""Kinds of rotary positions whose angles do not depend on how long a text is."""
ROUNDED = 0.01
"""Cosines may differ by so much, in any type."""


class Rope2D(nn.Module):  # type: ignore[misc]  # torch is not typed
    """In place of a model's rotary module; `place` says the coordinates of the next forward."""

    def __init__(self, inner: Any, ratio: float) -> None:
        super().__init__()
        # Not registered as a part of it, so that the model's own names stay as they are.
        self._inner = [inner]
        pairs = len(inner.inv_freq)
        turning = pairs - torch.arange(pairs) <= round(pairs * ratio)
        first = pairs - round(pairs * ratio)
        self.by_branch = turning & ((torch.arange(pairs) - first) % 2 == 0)
        self.by_time = turning & ~self.by_branch
        self._placed: tuple[Any, Any] | None = None

    def place(self, branches: Any, times: Any) -> None:
        """The coordinates of the tokens that are fed next, (1, tokens) each."""
        self._placed = branches, times

    def forward(self, x: Any, position_ids: Any) -> tuple[Any, Any]:
        """Cosines and sines of the angles, (rows, tokens, width of a head)."""
        if self._placed is None:
            raise RuntimeError("nobody said to which branches these tokens belong")
        inner, (branches, times) = self._inner[0], self._placed
        self._placed = None
        at = position_ids[..., None].float().expand(*position_ids.shape, len(inner.inv_freq))
        for chosen, places in ((self.by_branch, branches), (self.by_time, times)):
            at = torch.where(chosen.to(x.device), places[..., None].to(x.device).float(), at)
        angles = at * inner.inv_freq.to(device=x.device, dtype=torch.float)
        both = torch.cat((angles, angles), dim=-1)
        cosines, sines = both.cos(), both.sin()
        scale = inner.attention_scaling
        return (cosines * scale).to(dtype=x.dtype), (sines * scale).to(dtype=x.dtype)


@contextmanager
def two_dimensions(model: Any, ratio: float) -> Iterator[Rope2D]:
    """Let a model have rotary positions in two dimensions until the block ends, however it ends.

    Raises:
        ValueError: the model has none that this can replace.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"the ratio is {ratio}; it must be between 0 and 1")
    holder, inner = _rotary(model)
    rope = Rope2D(inner, ratio)
    holder.rotary_emb = rope
    try:
        yield rope
    finally:
        holder.rotary_emb = inner


def _rotary(model: Any) -> tuple[Any, Any]:
    """The module that holds the model's rotary module, and that one."""
    if not is_plain(DynamicCache(config=model.config)):
        raise ValueError("the model's layers do not keep every token, so it has no columns")
    found = [
        (part, part.rotary_emb)
        for part in model.modules()
        if isinstance(getattr(part, "rotary_emb", None), nn.Module)
    ]
    if len(found) != 1:
        raise ValueError(f"the model has {len(found)} rotary modules; one is needed")
    holder, inner = found[0]
    kind = getattr(inner, "rope_type", "default")
    if not isinstance(kind, str):
        raise ValueError("the model's layers have rotary positions of several kinds")  # noqa: TRY004 - the model is wrong
    if kind not in FIXED:
        raise ValueError(f"the model's rotary positions are {kind!r}: they change with the length")
    config = model.config.get_text_config()
    # Where attention is to a latent of the keys, `head_dim` is the width of what is turned.
    width = (
        getattr(config, "qk_head_dim", None)
        or getattr(config, "head_dim", None)
        or config.hidden_size // config.num_attention_heads
    )
    if 2 * len(inner.inv_freq) != width:
        raise ValueError(
            f"the model's rotary positions turn {2 * len(inner.inv_freq)} of the {width} numbers "
            "of a head only"
        )
    _compare(inner, model)
    return holder, inner


def _compare(inner: Any, model: Any) -> None:
    """Raise `ValueError` where one dimension does not come out as it is, up to rounding."""
    places = torch.arange(0, 500, 7, device=model.device)[None]
    like = torch.zeros(1, dtype=model.dtype, device=model.device)
    ours = Rope2D(inner, 0.0)
    ours.place(places, places)
    pairs = zip(ours(like, places), inner(like, places), strict=True)
    # A device may round an angle otherwise; pairs of another order differ by about 1.
    if not all(a.shape == b.shape and bool(((a - b).abs() <= ROUNDED).all()) for a, b in pairs):
        raise ValueError("the model's rotary positions are put together in a way of their own")
