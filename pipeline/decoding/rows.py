"""Sequences that a model continues together: each is a row of one forward."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from transformers.cache_utils import DynamicLayer

from pipeline.decoding.row_cache import Place, RowCache


def is_plain(cache: Any) -> bool:
    """Whether every layer keeps every token: others cannot be cut and put together again."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


class Rows(Protocol):
    """Rows of a forward, from 0; the last one takes the place of one that leaves."""

    def join(self, cache: Any, length: int) -> None:
        """Add a row: the cache of a sequence that was read alone, and its number of tokens."""
        ...

    def leave(self, row: int) -> None:
        """Forget a row; what was the last one has its number from then on."""
        ...

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every row its tokens; the logits after each, (rows, most tokens, vocabulary).

        What is fed counts only once it is committed; rows with fewer tokens have stale logits last.
        """
        ...

    def commit(self, row: int, tokens: int) -> None:
        """Keep the first `tokens` of what the row was fed by the last forward."""
        ...


@dataclass(slots=True)
class OneRow:
    """A single row in the cache that its prompt was read into; any kind of cache will do."""

    model: Any
    _cache: Any = None
    _fed: int = 0

    def join(self, cache: Any, length: int) -> None:  # noqa: ARG002 - the cache knows it
        """Take the row over."""
        if self._cache is not None:
            raise ValueError("there is room for one row only")
        self._cache = cache

    def leave(self, row: int) -> None:  # noqa: ARG002 - there is one
        """Forget the row."""
        self._cache = None

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed the row its tokens; the logits after each."""
        (tokens,) = fed
        self._fed = len(tokens)
        inputs = torch.tensor([tokens], device=self.model.device)
        return self.model(input_ids=inputs, past_key_values=self._cache).logits

    def commit(self, row: int, tokens: int) -> None:  # noqa: ARG002 - there is one
        """Keep the first tokens that were fed; raises where the cache cannot forget the others."""
        if tokens < self._fed:
            self._cache.crop(tokens - self._fed)


@dataclass(slots=True)
class ManyRows:
    """Rows of different lengths, each with its own positions and blind to the others.

    Sums run over other shapes than in a row alone, so logits differ from its own by rounding.
    """

    model: Any
    lengths: list[int] = field(default_factory=list)
    _cache: RowCache | None = None

    def join(self, cache: Any, length: int) -> None:
        """Copy the row in; raises `ValueError` for a cache that forgets tokens."""
        if not is_plain(cache):
            raise ValueError("a cache that forgets tokens cannot be one of several rows")
        if self._cache is None:
            self._cache = RowCache(len(cache.layers))
        self._cache.fit(len(self.lengths) + 1, max([length, *self.lengths]) + 1, cache)
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
            self._cache.fit(len(self.lengths), max(self.lengths) + 1, self._cache)

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every row its tokens; the logits after each."""
        if self._cache is None:
            raise ValueError("there is no row to feed")
        device, most = self.model.device, max(map(len, fed))
        width = max(self.lengths) + most
        self._cache.fit(len(fed), width, self._cache)
        lengths = torch.tensor(self.lengths, device=device)[:, None]
        columns = lengths + torch.arange(most, device=device)
        self._cache.put_at(Place(torch.arange(len(fed), device=device)[:, None], columns, width))
        # Rows with fewer tokens are filled up; positions stay where the row has been fed.
        ends = lengths + torch.tensor([[len(tokens) - 1] for tokens in fed], device=device)
        filled = [[*tokens, *tokens[-1:] * (most - len(tokens))] for tokens in map(list, fed)]
        return self.model(
            input_ids=torch.tensor(filled, device=device),
            position_ids=torch.minimum(columns, ends),
            attention_mask=self._mask(columns, width),
            past_key_values=self._cache,
        ).logits

    def commit(self, row: int, tokens: int) -> None:
        """Keep the first tokens that were fed; the others lie beyond the row's length."""
        self.lengths[row] += tokens

    def _mask(self, columns: Any, width: int) -> Any:
        """Added to the attention: 0 for what a token sees, else minus infinity.

        In numbers, since truth values are taken for numbers by attention that is not fused.
        """
        unseen = torch.arange(width, device=columns.device) > columns[:, :, None]
        mask = torch.zeros(unseen.shape, dtype=self.model.dtype, device=columns.device)
        return mask.masked_fill_(unseen, float("-inf"))[:, None]
