"""Fields of foreign records, each checked where it is read."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class CorruptEntry(ValueError):  # noqa: N818 - named for what it is
    """An entry cannot be read; it becomes a failed attempt with this message."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A foreign record; `where` says which, for messages. A missing field is None."""

    values: dict[Any, Any]
    where: str

    @classmethod
    def of(cls, value: object, where: str) -> "Fields":
        """The record `value`.

        Raises:
            CorruptEntry: it is none.
        """
        if not isinstance(value, dict):
            raise CorruptEntry(f"{where} is a {type(value).__name__}, not a record")
        return cls(value, where)

    def has(self, name: str) -> bool:
        """Whether the field is there and not None."""
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        """A text that must be there.

        Raises:
            CorruptEntry: it is not.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, value, "a text")
        return clean(value)

    def optional_text(self, name: str) -> str | None:
        """A text, or None where there is none.

        Raises:
            CorruptEntry: it is something else.
        """
        return self.text(name) if self.has(name) else None

    def number(self, name: str) -> float | None:
        """A finite number, or None where there is none.

        Raises:
            CorruptEntry: it is something else.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not _fits(value):
            raise self._wrong(name, value, "a number")
        return float(value)

    def seconds(self, name: str) -> float | None:
        """A stretch of time, or None where there is none.

        Raises:
            CorruptEntry: it is something else.
        """
        value = self.number(name)
        if value is not None and value < 0:
            raise self._wrong(name, value, "a time of 0 or more")
        return value

    def count(self, name: str) -> int | None:
        """A whole number from 0, or None where there is none.

        Raises:
            CorruptEntry: it is something else.
        """
        value = self.number(name)
        if value is None:
            return None
        if value < 0 or value != int(value):
            raise self._wrong(name, value, "a count")
        return int(value)

    def record(self, name: str) -> "Fields":
        """A record inside this one.

        Raises:
            CorruptEntry: it is not there.
        """
        return Fields.of(self.values.get(name), f"{self.where}: {name}")

    def items(self, name: str) -> list[Any]:
        """A list that must be there.

        Raises:
            CorruptEntry: it is not.
        """
        value = self.values.get(name)
        if not isinstance(value, list | tuple):
            raise self._wrong(name, value, "a list")
        return list(value)

    def records(self, name: str) -> "Iterator[Fields]":
        """The records of a list."""
        return (
            Fields.of(item, f"{self.where}: {name} {number}")
            for number, item in enumerate(self.items(name))
        )

    def named(self, name: str) -> "Iterator[tuple[str, Fields]]":
        """The records of a record, with their names."""
        inside = self.record(name)
        return ((str(key), inside.record(key)) for key in inside.values)

    def _wrong(self, name: str, value: object, wanted: str) -> CorruptEntry:
        got = "nothing" if value is None else f"a {type(value).__name__}"
        return CorruptEntry(f"{self.where}: {name} is {got}, not {wanted}")


def clean(text: str) -> str:
    """The text as UTF-8 can hold it: half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _fits(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond any float
        return False
