"""Sequences that a model continues together: each is a row of one forward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from pipeline.decoding.row_cache import RowCache, RowForward


def is_plain(cache: Any) -> bool:
    """Whether every layer keeps every token: others cannot be cut and put together again."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


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
    return Forgetting(
        changed / float(at_once.max() - at_once.min()), changed / lost if lost else 0.0
    )


class Together(Protocol):
    """Texts that are continued in one forward, from 0."""

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every row its tokens; the logits after each, (rows, most tokens, vocabulary).

        Of a row that was fed fewer tokens than another, the last logits say nothing.
        """
        ...

    def forget(self, row: int, tokens: int) -> None:
        """Undo the last `tokens` that the row was fed."""
        ...


class Rows(Together, Protocol):
    """Rows of a forward; the last one takes the place of one that leaves."""

    def join(self, cache: Any, token_ids: Sequence[int]) -> None:
        """Add a row: the cache of a text that was read alone, and its tokens."""
        ...

    def leave(self, row: int) -> None:
        """Forget a row; what was the last one has its number from then on."""
        ...


@dataclass(slots=True)
class OneRow:
    """A single row in the cache that its prompt was read into; any kind of cache will do."""

    model: Any
    _cache: Any = None

    def join(self, cache: Any, token_ids: Sequence[int]) -> None:  # noqa: ARG002 - in the cache
        """Take the row over."""
        if self._cache is not None:
            raise ValueError("there is room for one row only")
        self._cache = cache

    def leave(self, row: int) -> None:  # noqa: ARG002 - there is one
        """Forget the row."""
        self._cache = None

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed the row its tokens; the logits after each."""
        inputs = torch.tensor(fed, device=self.model.device)
        return self.model(input_ids=inputs, past_key_values=self._cache).logits

    def forget(self, row: int, tokens: int) -> None:  # noqa: ARG002 - there is one
        """Undo the last tokens; raises `RuntimeError` where layers have forgotten others."""
        if tokens:
            self._cache.crop(-tokens)


@dataclass(slots=True)
class ManyRows:
    """Rows of different lengths, each with its own positions and blind to the others.

    Sums of several run over other shapes than in a row alone, so logits differ from its own by
    rounding. `compute` is called as a `RowForward`; without one it is the model's own.
    """

    model: Any
    compute: Callable[..., Any] | None = None
    lengths: list[int] = field(default_factory=list)
    _cache: RowCache | None = None
    _device: Any = field(init=False)
    _dtype: Any = field(init=False)

    def __post_init__(self) -> None:
        self.compute = self.compute or RowForward(self.model)
        # A model looks for them among its weights each time.
        self._device, self._dtype = self.model.device, self.model.dtype

    def join(self, cache: Any, token_ids: Sequence[int]) -> None:
        """Copy the row in; raises `ValueError` for a cache that forgets tokens."""
        if not is_plain(cache):
            raise ValueError("a cache that forgets tokens cannot be one of several rows")
        if self._cache is None:
            self._cache = RowCache.like(cache)
        length = len(token_ids)
        self._cache.fit(len(self.lengths) + 1, max([length, *self.lengths]) + 1)
        self._cache.write(len(self.lengths), cache)
        self.lengths.append(length)

    def leave(self, row: int) -> None:
        """Move the last row into its place; without rows the memory is given back."""
        last = len(self.lengths) - 1
        if self._cache is not None and row != last:
            self._cache.move(last, row, self.lengths[last])
        self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        if not self.lengths:
            self._cache = None
        elif self._cache is not None:
            self._cache.fit(len(self.lengths), max(self.lengths) + 1)

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every row its tokens; the logits after each."""
        if self._cache is None or self.compute is None:
            raise ValueError("there is no row to feed")
        device, most = self._device, max(map(len, fed))
        width = max(self.lengths) + most
        self._cache.fit(len(fed), width)
        lengths = torch.tensor(self.lengths, device=device)[:, None]
        columns = positions = lengths + torch.arange(most, device=device)
        if any(len(tokens) < most for tokens in fed):
            # They are filled up; positions stay where the row has been fed.
            ends = torch.tensor([[len(tokens) - 1] for tokens in fed], device=device)
            positions = torch.minimum(columns, lengths + ends)
        filled = [[*tokens, *tokens[-1:] * (most - len(tokens))] for tokens in map(list, fed)]
        self.lengths = [had + len(tokens) for had, tokens in zip(self.lengths, fed, strict=True)]
        ids, mask = torch.tensor(filled, device=device), self._mask(columns, width)
        return self.compute(ids, positions, columns, mask, *self._cache.keys, *self._cache.values)

    def forget(self, row: int, tokens: int) -> None:
        """Undo the last tokens: they lie beyond the row's length."""
        self.lengths[row] -= tokens

    def _mask(self, columns: Any, width: int) -> Any:
        """Added to the attention: 0 for what a token sees, else minus infinity.

        In numbers, since truth values are taken for numbers by attention that is not fused.
        """
        unseen = torch.arange(width, device=columns.device) > columns[:, :, None]
        mask = torch.zeros(unseen.shape, dtype=self._dtype, device=columns.device)
        return mask.masked_fill_(unseen, float("-inf"))[:, None]
