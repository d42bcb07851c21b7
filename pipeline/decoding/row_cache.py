"""Keys and values of several sequences of different lengths: a row each, from column 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers.cache_utils import Cache, DynamicLayer

COLUMN_STEP = 64
WASTE = 4
"""So many times as much memory as is needed may be held before it is given back."""


class Place(NamedTuple):
    """Where the tokens of a forward go, and up to which column rows are read.

    `rows` are (rows, 1, 1), `columns` (rows, 1, tokens of each).
    """

    rows: Any
    columns: Any
    width: int


class RowLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not typed
    """One layer for one forward: keys and values are (rows, heads, columns, width of a head)."""

    def __init__(self, keys: Any, values: Any, place: Place) -> None:
        super().__init__()
        self.keys, self.values, self.place = keys, values, place
        self.is_initialized = True

    def update(
        self, key_states: Any, value_states: Any, *_args: object, **_kwargs: object
    ) -> tuple[Any, Any]:
        """Write the new tokens where `place` says; all that the rows have up to its width."""
        rows, columns, width = self.place
        heads = torch.arange(key_states.shape[1], device=key_states.device)[:, None]
        self.keys.index_put_((rows, heads, columns), key_states)
        self.values.index_put_((rows, heads, columns), value_states)
        rows_fed = rows.shape[0]
        return self.keys[:rows_fed, :, :width], self.values[:rows_fed, :, :width]

    def get_seq_length(self) -> int:
        """Columns that are read; rows may be shorter."""
        return self.place.width


class RowForward(torch.nn.Module):  # type: ignore[misc]  # torch is not typed
    """A model's forward over rows, as a function of tensors alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Any, positions: Any, columns: Any, mask: Any, *kept: Any) -> Any:
        """The logits after each token; its keys and values are written into `kept`.

        `kept` are the keys of all layers and then the values of all, of more rows and columns
        perhaps than `ids` and `mask` have. `mask` is added to the attention.
        """
        rows = torch.arange(ids.shape[0], device=ids.device)[:, None, None]
        place = Place(rows, columns[:, None], mask.shape[3])
        layers = len(kept) // 2
        held = zip(kept[:layers], kept[layers:], strict=True)
        return self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=Cache(layers=[RowLayer(*one, place) for one in held]),
        ).logits


@dataclass(slots=True)
class RowCache:
    """The layers of one model. What lies beyond a row's length is stale and must be masked."""

    keys: list[Any]
    values: list[Any]

    @classmethod
    def like(cls, other: Any) -> "RowCache":
        """No rows yet, of layers as another cache has them."""
        layers = other.layers
        return cls([one.keys[:0] for one in layers], [one.values[:0] for one in layers])

    def fit(self, rows: int, columns: int) -> None:
        """Have room for so many rows and columns, and not for far more."""
        have_rows, _, have_columns, _ = self.keys[0].shape
        fits = rows <= have_rows and columns <= have_columns
        rows, columns = 1 << (rows - 1).bit_length(), with_reserve(columns)
        if not fits or have_rows * have_columns > WASTE * rows * columns:
            self.keys = [_resized(one, rows, columns) for one in self.keys]
            self.values = [_resized(one, rows, columns) for one in self.values]

    def write(self, row: int, other: Any) -> None:
        """Copy the one row of another cache into this row."""
        for keys, values, layer in zip(self.keys, self.values, other.layers, strict=True):
            keys[row, :, : layer.keys.shape[2]] = layer.keys[0]
            values[row, :, : layer.values.shape[2]] = layer.values[0]

    def put(self, row: int, columns: Sequence[int], other: Any, start: int) -> None:
        """Copy what the one row of another cache has from `start` on into columns of this row."""
        for keys, values, layer in zip(self.keys, self.values, other.layers, strict=True):
            keys[row][:, columns] = layer.keys[0, :, start:]
            values[row][:, columns] = layer.values[0, :, start:]

    def move(self, row: int, to: int, length: int) -> None:
        """Copy the first `length` columns of a row over another row."""
        for one in (*self.keys, *self.values):
            one[to, :, :length] = one[row, :, :length]


def with_reserve(columns: int) -> int:
    """About a quarter more than is needed at most: growing by single tokens copies seldom."""
    step = max(COLUMN_STEP, 1 << max(columns.bit_length() - 3, 0))
    return -(-columns // step) * step


def _resized(held: Any, rows: int, columns: int) -> Any:
    """`held` with other numbers of rows and columns, cut or filled with zeros.

    Not with what lies in memory by chance: a share of 0 of what is not a number is not a number.
    """
    made = held.new_zeros((rows, held.shape[1], columns, held.shape[3]))
    some, part = min(rows, held.shape[0]), min(columns, held.shape[2])
    made[:some, :, :part] = held[:some, :, :part]
    return made
