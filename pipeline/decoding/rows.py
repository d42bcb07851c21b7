"""Sequences that a model continues together: each is a row of one forward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from transformers.cache_utils import DynamicLayer

from pipeline.decoding.row_cache import RowCache, RowForward

LEAST_ALIKE = 256
"""Columns that rows are read up to at least where forwards are to be alike; else a power of two."""


def is_plain(cache: Any) -> bool:
    """Whether every layer keeps every token: others cannot be cut and put together again."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


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

    def give_back(self) -> bool:
        """Give back memory that no row has; whether there was some."""
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

    def give_back(self) -> bool:
        """There is none."""
        return False

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

    `alike` has many forwards share their shapes and their memory, as graphs need it: rows are read
    up to more columns than they have, which nobody sees, and the memory of rows that left is kept.
    """

    model: Any
    compute: Callable[..., Any] | None = None
    alike: bool = False
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
        self._fit(len(self.lengths) + 1, max([length, *self.lengths]) + 1)
        self._cache.write(len(self.lengths), cache)
        self.lengths.append(length)

    def leave(self, row: int) -> None:
        """Move the last row into its place; without rows the memory is given back."""
        last = len(self.lengths) - 1
        if self._cache is not None and row != last:
            self._cache.move(last, row, self.lengths[last])
        self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        if self.lengths:
            self._fit(len(self.lengths), max(self.lengths) + 1)
        elif not self.alike:
            self._cache = None

    def give_back(self) -> bool:
        """Give back what rows that left had, where it is kept."""
        kept = self._cache is not None and not self.lengths
        if kept:
            self._cache = None
        return kept

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every row its tokens; the logits after each."""
        if self._cache is None or self.compute is None:
            raise ValueError("there is no row to feed")
        device, most = self._device, max(map(len, fed))
        width = self._fit(len(fed), max(self.lengths) + most)
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

    def _fit(self, rows: int, columns: int) -> int:
        """Have room for so many; up to which column rows are read then."""
        assert self._cache is not None  # noqa: S101 - there is a row
        if not self.alike:
            self._cache.fit(rows, columns)
            return columns
        columns = max(LEAST_ALIKE, 1 << (columns - 1).bit_length())
        have_rows, _, have_columns, _ = self._cache.keys[0].shape
        self._cache.fit(max(rows, have_rows), max(columns, have_columns))
        return columns

    def _mask(self, columns: Any, width: int) -> Any:
        """Added to the attention: 0 for what a token sees, else minus infinity.

        In numbers, since truth values are taken for numbers by attention that is not fused.
        """
        unseen = torch.arange(width, device=columns.device) > columns[:, :, None]
        mask = torch.zeros(unseen.shape, dtype=self._dtype, device=columns.device)
        return mask.masked_fill_(unseen, float("-inf"))[:, None]
