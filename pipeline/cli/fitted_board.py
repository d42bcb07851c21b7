"""The leaderboard on a terminal: the columns that matter, and of the others those that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from evaluators.reports.board_columns import (
    BY_NAME,
    RATES,
    Column,
    absent_rates,
    label,
    rate,
    silent_columns,
)
from evaluators.reports.leaderboard import Row
from evaluators.run_files.run_names import shortened_names
from pipeline.cli.tables import Cell, fits

RATIOS = ("x-total", "x-tokens")
"""What says how dear a run is against the baseline; the first that is known is shown."""
EXTRAS = (
    *("tokens-a-forward", "reasoner", "x-decode", "drafts-kept", "model", "pass@k", "maj@k"),
    *("seconds", "gflops", "any", "se", "rewritten", "draft-tokens-kept"),
)
"""Columns for a wide terminal, what readers miss first before the others."""
TROUBLE = "trouble"
"""The heading over all shares that are not zero, where a column for each has no room."""


@dataclass(frozen=True, slots=True)
class Board:
    """A table to print: its columns, the cells below them, and the names of the runs in it."""

    columns: tuple[Column, ...]
    headings: tuple[str, ...]
    cells: list[list[Cell]]
    are_shortened: bool

    @property
    def texts(self) -> int:
        """How many of the first columns stand to the left."""
        return len(list(takewhile(lambda column: column.is_text, self.columns)))


def fitted_board(table: Sequence[Row], width: int, *, with_votes: bool) -> Board:
    """The table in the fullest form that `width` has room for.

    Where it is too narrow for the columns that matter, the names of the runs lose what they share,
    and then one column says what a column for each kind of trouble would. `with_votes`: pass@k and
    maj@k were asked for, and matter.
    """
    silent, absent = silent_columns(table), absent_rates(table)
    needed = _needed(table, silent, with_votes=with_votes)
    rates = {column.name for column in RATES} - set(absent)
    whole, short = [row.metrics.run for row in table], _short(table)
    for names, merged in ((whole, False), (short, False), (short, bool(rates))):
        board = _board(table, needed if merged else needed | rates, names, merged=merged)
        if fits(board.headings, board.cells, width):
            break
    for extra in EXTRAS:
        if extra in silent or board.headings[-1] == TROUBLE:
            continue
        wider = _board(table, {column.name for column in board.columns} | {extra}, names)
        if fits(wider.headings, wider.cells, width):
            board = wider
    return board


def asked_board(table: Sequence[Row], columns: Sequence[Column], width: int) -> Board:
    """The table of these columns; names lose what they share where it is too narrow."""
    whole, short = [row.metrics.run for row in table], _short(table)
    board = _laid(table, columns, whole)
    return board if fits(board.headings, board.cells, width) else _laid(table, columns, short)


def _needed(table: Sequence[Row], silent: set[str], *, with_votes: bool) -> set[str]:
    drafted = any(row.metrics.costs.draft_tokens for row in table)
    ratio = [name for name in RATIOS if name not in silent][:1]
    needed = {"run", "accuracy", "tokens" if drafted else "all-tokens", *ratio}
    if len({row.metrics.dataset for row in table}) > 1:
        needed.add("dataset")
    if len(set(map(label, table))) > 1:
        needed.add("label")
    return needed | ({"pass@k", "maj@k"} if with_votes else set())


def _board(
    table: Sequence[Row], names: set[str], runs: Sequence[str], *, merged: bool = False
) -> Board:
    """The named columns in their order; `merged` adds the one for all kinds of trouble."""
    chosen = [column for name, column in BY_NAME.items() if name in names]
    board = _laid(table, chosen, runs)
    if not merged:
        return board
    cells = [[*line, _trouble(row)] for line, row in zip(board.cells, table, strict=True)]
    return Board(board.columns, (*board.headings, TROUBLE), cells, board.are_shortened)


def _laid(table: Sequence[Row], columns: Sequence[Column], runs: Sequence[str]) -> Board:
    cells: list[list[Cell]] = [
        [run if column.name == "run" else column.show(row) for column in columns]
        for row, run in zip(table, runs, strict=True)
    ]
    shortened = any(row.metrics.run != run for row, run in zip(table, runs, strict=True))
    return Board(tuple(columns), tuple(one.heading for one in columns), cells, shortened)


def _trouble(row: Row) -> tuple[str, ...]:
    there = (column for column in RATES if rate(row, column.name) != 0)
    return tuple(f"{column.heading} {column.show(row)}" for column in there) or ("–",)


def _short(table: Sequence[Row]) -> list[str]:
    return shortened_names([row.metrics.run for row in table])
