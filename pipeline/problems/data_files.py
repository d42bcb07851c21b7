"""Rows of a local JSONL, CSV or Parquet file, each with the place that an error message names.

The readers are plain ones, offline by nature: a malformed line is reported by its number, and a
CSV cell stays the text it is ("025" keeps its zero).
"""

import csv
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pipeline.errors import UserMistake

STANDS_TWICE = "stands there twice; drop or rename one"
CELLS = threading.Lock()
"""How large a CSV cell may be is one number of the whole process."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as stored; `where` says which, for error messages ("file.jsonl:12")."""

    where: str
    values: Mapping[str, object]


def read_rows(path: Path) -> tuple[Row, ...]:
    """All rows of the file, in its order.

    Raises `UserMistake` for a missing or unreadable file, an unsupported suffix, a malformed
    line (with its number), a name that stands twice and a file without rows.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        allowed = ", ".join(_READERS)
        raise UserMistake(f"data file {path.name}: suffix {path.suffix!r} is none of {allowed}")
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise UserMistake(f"data file {path} {what}; give a {', '.join(_READERS)} file")
    try:
        rows = tuple(reader(path))
    except UnicodeDecodeError as error:
        raise UserMistake(f"data file {path.name} is not UTF-8 text: {error}") from error
    except OSError as error:
        raise UserMistake(f"data file {path} cannot be read: {error.strerror or error}") from error
    if not rows:
        raise UserMistake(f"data file {path.name} is empty: it needs at least one problem")
    return rows


def refuse_half_characters(what: str, text: str) -> None:
    """Raise `UserMistake` where a text cannot be written down, as JSON and arguments may hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserMistake(
            f"{what} holds half of a surrogate pair or a byte that is not UTF-8 "
            f"({text[error.start]!a}), which is not text; correct it"
        ) from error


def _jsonl_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{path.name}:{number}"
                yield Row(where, _json_object(line, where))


def _json_object(line: str, where: str) -> Mapping[str, object]:
    try:
        value = json.loads(line, parse_constant=_no_constant, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{where}: not one JSON object on the line ({error})") from error
    if not isinstance(value, dict):
        raise UserMistake(f"{where}: a {type(value).__name__}, not a JSON object")
    return value


def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The fields of a JSON object; raises `ValueError` where a name stands twice."""
    twice = _twice(name for name, _ in pairs)
    if twice is not None:
        raise ValueError(f"{twice!r} {STANDS_TWICE}")
    return dict(pairs)


def _twice(names: Iterable[str]) -> str | None:
    return next((name for name, times in Counter(names).items() if times > 1), None)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _csv_rows(path: Path) -> Iterator[Row]:
    first_line = 1  # of the record that is being read, which may span lines
    with path.open(encoding="utf-8-sig", newline="") as lines, _cells_of(path.stat().st_size):
        reader = csv.DictReader(lines, strict=True)
        try:
            if reader.fieldnames is not None:
                first_line = reader.line_num + 1
                # Programs that make tables leave empty columns, which have no name.
                twice = _twice(name for name in reader.fieldnames if name)
                if twice is not None:
                    raise UserMistake(f"{path.name}:1: the column {twice!r} {STANDS_TWICE}")
            for values in reader:
                where = f"{path.name}:{first_line}"
                # DictReader files surplus cells under None and fills missing ones with None.
                if None in values or None in values.values():
                    raise UserMistake(f"{where}: the number of cells is not that of the header")
                yield Row(where, values)
                first_line = reader.line_num + 1
        except csv.Error as error:
            raise UserMistake(f"{path.name}:{first_line}: malformed CSV ({error})") from error


@contextmanager
def _cells_of(size: int) -> Iterator[None]:
    """Let a cell have so many characters: no more than its file has bytes."""
    with CELLS:
        before = csv.field_size_limit(max(size, 1))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        import pyarrow.lib  # noqa: PLC0415 - only Parquet needs it
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UserMistake("Parquet files need pyarrow: pip install datasets") from error
    try:
        table = parquet.read_table(path)
    except pyarrow.lib.ArrowException as error:
        raise UserMistake(f"data file {path.name} is not readable Parquet: {error}") from error
    twice = _twice(table.column_names)
    if twice is not None:
        raise UserMistake(f"data file {path.name}: the column {twice!r} {STANDS_TWICE}")
    for number, values in enumerate(table.to_pylist()):
        yield Row(f"{path.name} row {number}", values)


_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}
