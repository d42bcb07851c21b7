"""Keys and values of several sequences of different lengths: a row each, from column 0."""

from typing import Any, NamedTuple

import torch
from transformers.cache_utils import Cache, DynamicLayer

COLUMN_STEP = 64
WASTE = 4
"""So many times as much memory as is needed may be held before it is given back."""


class Place(NamedTuple):
    """Where the tokens of a forward go, (rows, tokens) each, and up to which column rows are read.

    `rows` has one column only, and is broadcast.
    """

    rows: Any
    columns: Any
    width: int


class RowLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not typed
    """One layer: keys and values are (rows, heads, columns, width of a head)."""

    def __init__(self) -> None:
        super().__init__()
        self.place: Place | None = None

    def update(
        self, key_states: Any, value_states: Any, *_args: object, **_kwargs: object
    ) -> tuple[Any, Any]:
        """Write the new tokens where `place` says; all that the rows have up to its width."""
        if self.place is None or self.keys is None or self.values is None:
            raise RuntimeError("nobody said where these keys and values go")
        rows, columns, width = self.place
        self.keys[rows, :, columns] = key_states.transpose(1, 2)
        self.values[rows, :, columns] = value_states.transpose(1, 2)
        return self.keys[: len(rows), :, :width], self.values[: len(rows), :, :width]

    def get_seq_length(self) -> int:
        """Columns that are read; rows may be shorter."""
        return 0 if self.place is None else self.place.width


class RowCache(Cache):  # type: ignore[misc]  # transformers is not typed
    """The layers of one model. What lies beyond a row's length is stale and must be masked."""

    def __init__(self, layers: int) -> None:
        super().__init__(layers=[RowLayer() for _ in range(layers)])

    def put_at(self, place: Place) -> None:
        """Say where the next forward's tokens go."""
        for layer in self.layers:
            layer.place = place

    def fit(self, rows: int, columns: int, like: Any) -> None:
        """Have room for so many rows and columns, and not for far more; `like` has the layers."""
        first = self.layers[0].keys
        have_rows, have_columns = (0, 0) if first is None else (first.shape[0], first.shape[2])
        fits = rows <= have_rows and columns <= have_columns
        rows, columns = 1 << (rows - 1).bit_length(), _with_reserve(columns)
        if fits and have_rows * have_columns <= WASTE * rows * columns:
            return
        for ours, theirs in zip(self.layers, like.layers, strict=True):
            ours.keys = _resized(ours.keys, rows, columns, theirs.keys)
            ours.values = _resized(ours.values, rows, columns, theirs.values)
            ours.is_initialized = True

    def write(self, row: int, other: Any) -> None:
        """Copy the one row of another cache into this row."""
        for ours, theirs in zip(self.layers, other.layers, strict=True):
            ours.keys[row, :, : theirs.keys.shape[2]] = theirs.keys[0]
            ours.values[row, :, : theirs.values.shape[2]] = theirs.values[0]

    def move(self, row: int, to: int, length: int) -> None:
        """Copy the first `length` columns of a row over another row."""
        for layer in self.layers:
            layer.keys[to, :, :length] = layer.keys[row, :, :length]
            layer.values[to, :, :length] = layer.values[row, :, :length]


def _with_reserve(columns: int) -> int:
    """About a quarter more than is needed at most: growing by single tokens copies seldom."""
    step = max(COLUMN_STEP, 1 << max(columns.bit_length() - 3, 0))
    return -(-columns // step) * step


def _resized(held: Any, rows: int, columns: int, like: Any) -> Any:
    """`held` with other numbers of rows and columns, cut or filled with zeros.

    Not with what lies in memory by chance: a share of 0 of what is not a number is not a number.
    """
    made = torch.zeros(
        (rows, like.shape[1], columns, like.shape[3]), dtype=like.dtype, device=like.device
    )
    if held is not None:
        some, part = min(rows, held.shape[0]), min(columns, held.shape[2])
        made[:some, :, :part] = held[:some, :, :part]
    return made
