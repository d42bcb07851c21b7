"""One stored row, read by its manifest's columns and checked.

Messages name the row and the column, never the row's text: some datasets may not be quoted.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pipeline.errors import UserMistake
from pipeline.letters import LETTERS
from pipeline.problems.data_files import Row, refuse_half_characters
from pipeline.problems.manifests import ANSWER_KINDS, AnswerKind, Columns, Manifest

MIN_CHOICES = 2
MAX_CHOICES = len(LETTERS)
_PLAIN_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_NAME_LIMIT = 120  # characters; file systems allow 255 bytes for a whole file name
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class StoredProblem:
    """A row as stored. `shuffled`: choice 0 is the correct one and the order is to be drawn."""

    problem_id: str
    record_id: str
    aliases: tuple[str, ...]
    problem: str
    answer: str
    kind: AnswerKind
    choices: tuple[str, ...]
    shuffled: bool
    level: str | None
    subject: str | None


def stored_problem(manifest: Manifest, row: Row, number: int) -> StoredProblem:
    """Read one row; `number` counts rows from 0. Raises `UserMistake` for a row that is wrong."""
    columns = manifest.columns
    cells = _Cells(row)
    own_id = str(number) if columns.id is None else cells.required(columns.id)
    problem_id = file_safe(own_id)
    answer = cells.answer(columns)
    choices = cells.choices(columns.choices)
    shuffled = bool(columns.incorrect)
    if shuffled:
        choices = (answer, *(cells.required(name) for name in columns.incorrect))
    kind = _kind(manifest, cells, has_choices=bool(choices))
    if kind == "choice" and not shuffled:
        answer = _letter(answer, len(choices), row, columns.answer)
    if kind == "integer" and not _INTEGER.fullmatch(answer):
        raise UserMistake(f"{row.where}: {columns.answer!r} is not an integer; kind latex may fit")
    # Where choices are shuffled the record id is the seed, so a row cannot do without it.
    read_record = cells.required if shuffled else cells.optional
    record = None if columns.record is None else read_record(columns.record)
    return StoredProblem(
        problem_id=problem_id,
        record_id=record or problem_id,
        aliases=_aliases(manifest, cells, problem_id, [own_id, *([record] if record else [])]),
        problem=cells.required(columns.problem),
        answer=answer,
        kind=kind,
        choices=choices,
        shuffled=shuffled,
        level=None if columns.level is None else cells.optional(columns.level),
        subject=None if columns.subject is None else cells.optional(columns.subject),
    )


def file_safe(name: str) -> str:
    """`name` made safe as a part of a file name; no two names give the same result.

    Letters, digits, `-`, `_` and `.` stay; every other byte becomes %XX. A very long name is cut
    and ends in `~` and a hash, which no short name contains.
    """
    data = name.encode("utf-8", "surrogatepass")
    safe = "".join(chr(byte) if byte in _PLAIN_BYTES else f"%{byte:02X}" for byte in data)
    if len(safe) <= _NAME_LIMIT:
        return safe
    return f"{safe[: _NAME_LIMIT // 2]}~{hashlib.sha256(data).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row's cells as text."""

    row: Row

    def required(self, column: str) -> str:
        text = self.optional(column)
        if text is None:
            if column not in self.row.values:
                raise self._missing(column)
            raise UserMistake(f"{self.row.where}: no value in the column {column!r}")
        return text

    def answer(self, columns: Columns) -> str:
        """The gold answer."""
        column, pattern = columns.answer, columns.answer_pattern
        value = self.row.values.get(column)
        if columns.answer_is_list and isinstance(value, list) and value:
            text = ", ".join(self._items(column, value))
        else:
            text = self.required(column)
        if pattern is None:
            return text
        found = pattern.findall(text)
        if not found:
            raise UserMistake(
                f"{self.row.where}: no answer in {column!r} where the manifest's answer_pattern "
                f"looks for {pattern.pattern!r}"
            )
        return str(found[-1]).strip()

    def optional(self, column: str) -> str | None:
        value = self.row.values.get(column)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            kind = type(value).__name__
            raise UserMistake(f"{self.row.where}: {column!r} is a {kind}, not a text or a number")
        if isinstance(value, float) and value.is_integer():  # tables store whole numbers as floats
            value = int(value)
        text = str(value).strip()
        refuse_half_characters(f"{self.row.where}: {column!r}", text)
        return text or None

    def choices(self, column: str | None) -> tuple[str, ...]:
        value = None if column is None else self.row.values.get(column)
        if isinstance(value, str) and value.strip():
            value = self._choices_text(value, str(column))
        if value is None or value in ("", []):
            return ()
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise UserMistake(f"{self.row.where}: {column!r} is not a list of choices")
        if not MIN_CHOICES <= len(value) <= MAX_CHOICES:
            raise UserMistake(
                f"{self.row.where}: {len(value)} choices where "
                f"{MIN_CHOICES} to {MAX_CHOICES} are allowed"
            )
        return self._items(str(column), value)

    def _items(self, column: str, values: Sequence[object]) -> tuple[str, ...]:
        cells = _Cells(Row(self.row.where, {f"{column} {i}": v for i, v in enumerate(values)}))
        return tuple(cells.required(name) for name in cells.row.values)

    def _choices_text(self, text: str, column: str) -> object:
        try:
            return cast("object", json.loads(text))
        except (ValueError, RecursionError) as error:
            raise UserMistake(
                f'{self.row.where}: {column!r} is not a JSON list such as ["1", "2"]'
            ) from error

    def _missing(self, column: str) -> UserMistake:
        found = ", ".join(map(str, self.row.values)) or "none"
        return UserMistake(f"{self.row.where}: no column {column!r}; the columns are {found}")


def _kind(manifest: Manifest, cells: _Cells, *, has_choices: bool) -> AnswerKind:
    column = manifest.columns.kind
    said = None if column is None else cells.optional(column)
    if said is not None and said not in ANSWER_KINDS:
        allowed = ", ".join(ANSWER_KINDS)
        raise UserMistake(f"{cells.row.where}: kind {said[:20]!r} is none of {allowed}")
    kind = said or manifest.kind or ("choice" if has_choices else "latex")
    if (kind == "choice") != has_choices:
        what = "has choices" if has_choices else "has no choices"
        raise UserMistake(f"{cells.row.where}: the row is of kind {kind} but {what}")
    return cast("AnswerKind", kind)


def _letter(answer: str, n: int, row: Row, column: str) -> str:
    """The letter that an answer letter, or an index from 0, names."""
    letters = list(LETTERS[:n])
    if answer.upper() in letters:
        return answer.upper()
    if answer in map(str, range(n)):
        return letters[int(answer)]
    raise UserMistake(
        f"{row.where}: {column!r} is neither a letter from A to {letters[-1]} "
        f"nor an index from 0 to {n - 1}"
    )


def _aliases(
    manifest: Manifest, cells: _Cells, problem_id: str, names: Sequence[str]
) -> tuple[str, ...]:
    found = list(names)
    for rule in manifest.aliases:
        match = rule.pattern.search(cells.optional(rule.column) or "")
        if match:
            found.append(match.expand(rule.name))
    return tuple(dict.fromkeys(name for name in found if name != problem_id))
