"""Tokens of an answer's text, and the ways to read a comma between digits."""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction


class Comma(Enum):
    """How a comma between digits is read."""

    LIST = "list"
    THOUSANDS = "thousands"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `spaced` when blank space stands before it, `prose` when it is running text."""

    kind: str
    text: str
    spaced: bool = False
    prose: bool = False
    value: Fraction | None = None
    places: int | None = None
