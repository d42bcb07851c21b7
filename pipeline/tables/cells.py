"""The cells of a table: each row's settings on each column's problems, as experiments."""

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.tables.document import Document, nearest
from pipeline.tables.table_file import Card, Column, Expected, Row, Setting, Settings, TableFile


class BadSetting(UserMistake):
    """A setting that an experiment cannot have; `key` says which, where that is known."""

    def __init__(self, sentence: str, key: str | None = None) -> None:
        super().__init__(sentence)
        self.key = key


class Options(Protocol):
    """The options of a run, by which a table's settings are read."""

    def of(self, reasoner: str) -> Collection[str]:
        """The keys that a row with this reasoner may have, those of its models' engines too."""

    def of_models(self) -> Collection[str]:
        """The keys of a model's engine, as for the target."""

    def key(self, role: str, name: str) -> str:
        """The key of a model's option, or of its sampling, where the model has that role."""

    def experiment(self, reasoner: str, settings: Settings) -> Experiment:
        """The experiment that the settings ask for.

        Raises:
            BadSetting: there is none.
        """


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment of the table; `cards` are by the roles of its models.

    `notes` say what of the file has no effect on it.
    """

    row: Row
    column: Column
    experiment: Experiment
    cards: Mapping[str, Card]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """By which it is known in messages."""
        return f"{self.row.name} / {self.column.name}"

    @property
    def expected(self) -> Expected | None:
        """What somebody else reports for it."""
        return self.row.expected.get(self.column.name)


def names_of(cells: Collection[Cell]) -> str:
    """The rows and columns of cells that share a run: `large, same / sums, sums[first:3]`."""
    rows = dict.fromkeys(cell.row.name for cell in cells)
    columns = dict.fromkeys(cell.column.name for cell in cells)
    if len(rows) * len(columns) > len(cells):
        return ", ".join(cell.name for cell in cells)
    return f"{', '.join(rows)} / {', '.join(columns)}"


def cells_of(table: TableFile, options: Options) -> tuple[Cell, ...]:
    """Every cell, row by row.

    Raises:
        UserMistake: a key is unknown or a value impossible; the message says which and where.
    """
    _refuse_unused_defaults(table, options)
    for card in table.cards.values():
        _refuse_unknown(table.document, card.options, options.of_models(), "a model has no")
    crossed = itertools.product(table.rows, table.columns)
    return tuple(_cell(table, row, column, options) for row, column in crossed)


def _cell(table: TableFile, row: Row, column: Column, options: Options) -> Cell:
    document = table.document
    known = _known(document, row, options)
    whose = f"the reasoner {row.reasoner!r} has no"
    _refuse_unknown(document, row.settings, known, whose)
    _refuse_unknown(document, column.settings, known, whose)
    for key in row.settings.keys() & column.settings.keys():
        setting = row.settings[key]
        raise document.mistake(
            setting.keys, f"the column {column.name!r} has {key} too; write it in one of the two."
        )
    cards = {
        role: table.cards[card.value] for role, card in row.cards.items() if _used(role, known)
    }
    for role in row.cards.keys() - cards.keys():
        keys = row.cards[role].keys
        if keys[0] != "defaults":
            raise document.mistake(keys, f"the reasoner {row.reasoner!r} uses no {role} model.")
    settings = {key: one for key, one in table.defaults.items() if key in known}
    notes = []
    for role, card in cards.items():
        settings |= {options.key(role, name): one for name, one in card.options.items()}
        for name, one in card.sampling.items():
            key = options.key(role, name)
            if key in known:
                settings[key] = one
            elif role == "target":
                raise document.unknown(one.keys, "sampling option", name, known)
            else:
                notes.append(
                    f"the {role} {card.name} asks for {name} {one.value}, which only the target "
                    "can have of its own"
                )
    settings |= {**column.settings, **row.settings}
    settings |= {
        key: Setting(value, column.keys)
        for key, value in (
            ("dataset", column.dataset),
            ("data_file", column.data_file),
            ("problem_range", column.problem_range),
        )
        if value is not None
    }
    try:
        experiment = options.experiment(row.reasoner, settings)
    except BadSetting as error:
        keys = settings[error.key].keys if error.key is not None else ("rows", row.family)
        key = f"{error.key}: " if error.key is not None else ""
        no_target = "target" not in row.cards and bool(table.cards)
        hint = f" Or give the row a target: {', '.join(table.cards)}." if no_target else ""
        raise document.mistake(keys, f"row {row.name!r}: {key}{error}{hint}") from error
    return Cell(row, column, experiment, cards, tuple(notes))


def _known(document: Document, row: Row, options: Options) -> Collection[str]:
    try:
        return options.of(row.reasoner)
    except BadSetting as error:
        keys = ("rows", row.family, "reasoner")
        raise document.mistake(keys, str(error)) from error


def _used(role: str, known: Collection[str]) -> bool:
    return role == "target" or f"{role}_model" in known


def _refuse_unknown(
    document: Document, settings: Settings, known: Collection[str], whose: str
) -> None:
    for name, setting in settings.items():
        if name not in known:
            instead = nearest(name, sorted(known))
            raise document.mistake(setting.keys, f"{whose} setting {name!r}; {instead}.", name)


def _refuse_unused_defaults(table: TableFile, options: Options) -> None:
    """A default holds for the rows that can have it; one that none can have is a mistake."""
    every = {"reasoner", *(role for row in table.rows for role in row.cards)}
    for row in table.rows:
        every |= set(_known(table.document, row, options))
    _refuse_unknown(table.document, table.defaults, every, "no row here has a")


def chosen(
    cells: Collection[Cell], rows: Collection[str], columns: Collection[str]
) -> tuple[Cell, ...]:
    """The cells of these rows (by name, or by that of their sweep) and columns; all where none.

    Raises:
        UserMistake: there is no such row or column.
    """
    families = {name for cell in cells for name in (cell.row.name, cell.row.family)}
    there = {cell.column.name for cell in cells}
    for what, asked, known in (("row", rows, families), ("column", columns, there)):
        for name in asked:
            if name not in known:
                from_here = ", ".join(sorted(known))
                raise UserMistake(f"The table has no {what} {name!r}; there are {from_here}.")
    return tuple(
        cell
        for cell in cells
        if (not rows or {cell.row.name, cell.row.family} & set(rows))
        and (not columns or cell.column.name in columns)
    )
