"""A shard: the part of some work that one of several processes does, as `2/8` says it."""

import re
from dataclasses import dataclass
from typing import Self

from pipeline.errors import UserMistake

WRITTEN = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `count`, counted from 1. Every place of the work is in exactly one."""

    number: int
    count: int

    def __post_init__(self) -> None:
        """Refuse a number that is not among the shards."""
        if not 1 <= self.number <= self.count:
            raise UserMistake(
                f"there is no shard {self}: of {self.count} shards the first is 1/{self.count} "
                f"and the last {self.count}/{self.count}"
            )

    @classmethod
    def read(cls, text: str) -> Self:
        """The shard that `2/8` names.

        Raises:
            UserMistake: it names none.
        """
        written = WRITTEN.fullmatch(text)
        if written is None:
            raise UserMistake(
                f"{text!r} names no shard; write its number and how many there are, from 1/8 to 8/8"
            )
        return cls(int(written[1]), int(written[2]))

    def __str__(self) -> str:
        """As `read` takes it."""
        return f"{self.number}/{self.count}"

    def holds(self, place: int) -> bool:
        """Whether the work at that place, counted from 0, is this shard's: they take turns."""
        return place % self.count == self.number - 1

    def repeats_at(self, place: int, repeats: int) -> range:
        """Of the repeats of the problem at that place of its dataset those that are this shard's.

        Repeat r of it has the place `place + r`: whether a run has many problems or many repeats,
        its shards are about as large, and a wider range or more repeats move no attempt.
        """
        return range((self.number - 1 - place) % self.count, repeats, self.count)


WHOLE = Shard(1, 1)
"""All of the work."""
