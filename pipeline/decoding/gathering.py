"""Rows whose texts begin alike share a row: what they have in common is kept once.

A row is then a sequence with branches that are blind to each other, as isolated ones are in
`pipeline.decoding.layout`; but they come and go, and share what any two of them have in common.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

import torch

from pipeline.decoding.beginnings import common
from pipeline.decoding.row_cache import RowCache, RowForward
from pipeline.decoding.rows import is_plain

LEAST_SHARED = 0.5
"""Of a text this share must be in common with another for both to be in one row: each token of a
row is compared with all that the row holds."""


@dataclass(slots=True)
class _Row:
    """Which columns of a row are free below `width`, and how many texts have each of the others."""

    width: int = 0
    free: list[int] = field(default_factory=list)
    users: Counter[int] = field(default_factory=Counter)

    def take(self) -> int:
        """A column for one text more."""
        if self.free:
            column = heappop(self.free)
        else:
            column, self.width = self.width, self.width + 1
        self.users[column] += 1
        return column

    def release(self, columns: Sequence[int]) -> None:
        """One text less has these columns."""
        for column in columns:
            self.users[column] -= 1
            if self.users[column] == 0:
                del self.users[column]
                heappush(self.free, column)
        if len(self.users) + len(self.free) > 2 * len(self.users):
            self.width = max(self.users, default=-1) + 1
            self.free = [column for column in self.free if column < self.width]
            heapify(self.free)


@dataclass(slots=True)
class _Text:
    """What a text has been fed, where each token's keys lie, and in which row."""

    row: int
    token_ids: list[int]
    columns: list[int]


@dataclass(slots=True)
class GatheredRows:
    """Texts of which those that begin alike share a row; see `pipeline.decoding.rows.Rows`.

    `compute` is called as a `RowForward`; without one it is the model's own.
    """

    model: Any
    compute: Callable[..., Any] | None = None
    _texts: list[_Text] = field(default_factory=list)
    _rows: list[_Row] = field(default_factory=list)
    _cache: RowCache | None = None
    _seen: Any = None
    """(texts and one that is nobody, columns): which columns each text sees."""

    def __post_init__(self) -> None:
        self.compute = self.compute or RowForward(self.model)

    @property
    def rows(self) -> int:
        """How many rows a forward has."""
        return len(self._rows)

    @property
    def columns(self) -> int:
        """How many tokens' keys and values are kept."""
        return sum(len(row.users) for row in self._rows)

    def join(self, cache: Any, token_ids: Sequence[int]) -> None:
        """Take a text that was read alone; raises `ValueError` for a cache that forgets tokens."""
        if not is_plain(cache):
            raise ValueError("a cache that forgets tokens cannot be one of several rows")
        text = self._placed(token_ids)
        row, shared = self._rows[text.row], len(text.columns)
        row.users.update(text.columns)
        text.columns += [row.take() for _ in range(len(token_ids) - shared)]
        self._texts.append(text)
        if self._cache is None:
            self._cache = RowCache.like(cache)
        self._fit()
        self._cache.put(text.row, text.columns[shared:], cache, shared)
        self._seen[len(self._texts) - 1, text.columns] = True

    def leave(self, row: int) -> None:
        """Forget a text; what was the last one has its number from then on."""
        gone, last = self._texts[row], self._texts.pop()
        self._rows[gone.row].release(gone.columns)
        if last is not gone:
            self._texts[row] = last
            self._seen[row] = self._seen[len(self._texts)]
        self._seen[len(self._texts)] = False
        if not self._rows[gone.row].users:
            self._drop_row(gone.row)
        if not self._texts:
            self._cache = None

    def give_back(self) -> bool:
        """There is none."""
        return False

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every text its tokens; the logits after each."""
        if self._cache is None or self.compute is None:
            raise ValueError("there is no row to feed")
        places: list[list[tuple[int, int]]] = [[] for _ in fed]
        entries: list[list[tuple[int, int, int, int]]] = [[] for _ in self._rows]
        for number, (text, tokens) in enumerate(zip(self._texts, fed, strict=True)):
            for token in tokens:
                places[number].append((text.row, len(entries[text.row])))
                column = self._rows[text.row].take()
                entries[text.row].append((token, len(text.columns), column, number))
                text.columns.append(column)
                text.token_ids.append(token)
        logits = self._computed(entries, max(map(len, entries)))
        most = max(map(len, fed))
        filled = [mine + mine[-1:] * (most - len(mine)) for mine in places]
        at = torch.tensor(filled, device=logits.device)
        return logits[at[..., 0], at[..., 1]]

    def forget(self, row: int, tokens: int) -> None:
        """Undo the last tokens that a text was fed."""
        if tokens:
            text = self._texts[row]
            self._rows[text.row].release(text.columns[-tokens:])
            self._seen[row, text.columns[-tokens:]] = False
            del text.columns[-tokens:], text.token_ids[-tokens:]

    def _placed(self, token_ids: Sequence[int]) -> _Text:
        """The row of a new text, and where the tokens lie that another has too."""
        ids = [*token_ids]
        best, most = None, max(1, round(LEAST_SHARED * len(ids))) - 1
        for text in self._texts:
            shared = common(text.token_ids, ids)
            if shared > most:
                best, most = text, shared
        if best is None:
            self._rows.append(_Row())
            return _Text(len(self._rows) - 1, ids, [])
        return _Text(best.row, ids, best.columns[:most])

    def _computed(self, entries: list[list[tuple[int, int, int, int]]], most: int) -> Any:
        """A forward of (token, position, column, text) for each place of each row."""
        assert self._cache is not None and self.compute is not None  # noqa: S101, PT018 - forward
        nobody = len(self._texts)
        for row, mine in zip(self._rows, entries, strict=True):
            # Rows with fewer tokens are filled up, in columns that are free again afterwards.
            fillers = [row.take() for _ in range(most - len(mine))]
            mine += [(mine[-1][0], mine[-1][1], column, nobody) for column in fillers]
        self._fit()
        device, width = self.model.device, max(row.width for row in self._rows)
        told = torch.tensor(entries, device=device)
        ids, positions, columns, texts = told.unbind(2)
        seen = self._seen[texts, :width]
        of_text = (texts[:, :, None] == texts[:, None]) & (texts[:, :, None] != nobody)
        of_text = of_text.tril() | torch.eye(most, dtype=torch.bool, device=device)
        seen = seen.scatter(2, columns[:, None].expand(-1, most, -1), of_text)
        mask = torch.zeros(seen.shape, dtype=self.model.dtype, device=device)
        mask = mask.masked_fill_(~seen, float("-inf"))[:, None]
        logits = self.compute(ids, positions, columns, mask, *self._cache.keys, *self._cache.values)
        self._seen[texts, columns] = texts != nobody
        for row, mine in zip(self._rows, entries, strict=True):
            row.release([column for _, _, column, text in mine if text == nobody])
        return logits

    def _fit(self) -> None:
        """Have room for every row and column."""
        assert self._cache is not None  # noqa: S101 - there is a text
        width = max(row.width for row in self._rows)
        self._cache.fit(len(self._rows), width)
        columns = self._cache.keys[0].shape[2]
        have = (0, 0) if self._seen is None else self._seen.shape
        if have[0] <= len(self._texts) or have[1] < columns:
            texts = 1 << len(self._texts).bit_length()
            grown = torch.zeros(
                (max(texts, have[0]), max(columns, have[1])),
                dtype=torch.bool,
                device=self.model.device,
            )
            if self._seen is not None:
                grown[: have[0], : have[1]] = self._seen
            self._seen = grown

    def _drop_row(self, row: int) -> None:
        """The last row takes its place."""
        last = len(self._rows) - 1
        if row != last and self._cache is not None:
            self._cache.move(last, row, self._rows[last].width)
        for text in self._texts:
            if text.row == last:
                text.row = row
        self._rows[row] = self._rows[-1]
        self._rows.pop()
