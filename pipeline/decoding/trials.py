"""What a model does with texts that share a forward or are read in pieces, tried on short ones."""

from typing import Any, NamedTuple

import torch
from transformers import DynamicCache

from pipeline.decoding.rows import ManyRows

MOST_DISTURBED, MOST_ROUNDED = 0.1, 0.001
"""Shares of the spread of logits that may be rounding: in any type, and in float32."""
MOST_LOST = 0.5
"""So much of what forgetting would change may be the rounding of half precision."""


def most_rounded(dtype: Any) -> float:
    """The share of the spread of logits that may be rounding, in numbers of this type."""
    return MOST_ROUNDED if dtype == torch.float32 else MOST_DISTURBED


def disturbance(model: Any) -> float:
    """How much a row's logits are changed by a mate, of another length, that it should not see.

    As a share of the spread of the logits alone: rounding gives far below 0.01, a model that heeds
    neither masks nor positions far above 0.1.
    """
    texts, next_tokens = ([1, 2, 3, 4, 5, 6, 7], [3, 2]), ([4], [5])
    rows, worst = ManyRows(model), 0.0
    with torch.inference_mode():
        for text in texts:
            cache = DynamicCache(config=model.config)
            model(input_ids=torch.tensor([text], device=model.device), past_key_values=cache)
            rows.join(cache, text)
        together = rows.forward(next_tokens)[:, 0].float()
        for row, (text, token) in enumerate(zip(texts, next_tokens, strict=True)):
            whole = torch.tensor([[*text, *token]], device=model.device)
            alone = model(input_ids=whole).logits[0, -1].float()
            spread = float(alone.max() - alone.min())
            worst = max(worst, float((together[row] - alone).abs().max()) / spread)
    return worst


class Forgetting(NamedTuple):
    """How much logits are changed by reading a text in pieces, as a text is that is written.

    `spread` is the change as a share of their spread, as above, and `lost` as a share of what the
    loss of all but the last piece would change. Far from rounding are models that keep what they
    have read in another way than this cache, and so see the last piece only, and those that are not
    causal: of them `lost` is 1, however little that piece's own logits differ.
    """

    spread: float
    lost: float

    def is_rounding(self, dtype: Any) -> bool:
        """Whether it is no more than what numbers of this type may lose; not if it is no number."""
        rounded = self.spread <= MOST_ROUNDED or self.lost <= MOST_LOST
        return self.spread <= most_rounded(dtype) and rounded


def forgetting(model: Any) -> Forgetting:
    """What a model forgets of a text that it reads in pieces."""
    cache = DynamicCache(config=model.config)
    text = [1, 2, 3, 4, 5, 6, 7]
    with torch.inference_mode():
        for piece in (text[:4], text[4:6], text[6:]):
            fed = torch.tensor([piece], device=model.device)
            continued = model(input_ids=fed, past_key_values=cache).logits[0, -1].float()
        whole = torch.tensor([text], device=model.device)
        at_once = model(input_ids=whole).logits[0, -1].float()
        alone = model(input_ids=whole[:, -1:]).logits[0, -1].float()
    changed = float((continued - at_once).abs().max())
    lost = float((alone - at_once).abs().max())
    spread = float(at_once.max() - at_once.min())
    # Logits that are all alike are told from nothing.
    return Forgetting(changed / spread if spread else changed, changed / lost if lost else 0.0)
