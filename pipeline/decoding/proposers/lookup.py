"""Prompt lookup: what followed the last time that the text had these tokens (Saxena 2023)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.decoding.proposer import Text

LONGEST = 3
"""Tokens that must be the same; where they are nowhere, fewer will do."""


@dataclass(slots=True)
class Places:
    """Where each run of tokens of a text last ended, not counting the text's own end."""

    ends: dict[tuple[int, ...], int] = field(default_factory=dict)
    _read: int = 0

    def read(self, tokens: Sequence[int]) -> None:
        """Take in what is new; each token costs the same however long the text is."""
        for end in range(max(self._read, 1), len(tokens)):
            for length in range(1, min(LONGEST, end) + 1):
                self.ends[tuple(tokens[end - length : end])] = end
        self._read = len(tokens)

    def end_of(self, newest: Sequence[int]) -> int | None:
        """Where the longest run that these tokens end with last ended; None where it is new."""
        for length in range(min(LONGEST, len(newest)), 0, -1):
            end = self.ends.get(tuple(newest[-length:]))
            if end is not None:
                return end
        return None

    def after(self, tokens: Sequence[int], most: int) -> list[int]:
        """What followed the longest run that the text ends with and has had before."""
        end = self.end_of(tokens)
        return [] if end is None else list(tokens[end : end + most])


@dataclass(slots=True)
class Lookup:
    """Guesses from the text itself: it costs nothing and is right where texts repeat themselves."""

    _rows: list[Places] = field(default_factory=list)

    def join(self, text: Text) -> Iterator[None]:  # noqa: ARG002 - it is read when it is asked for
        """A row more."""
        yield from ()
        self._rows.append(Places())

    def leave(self, row: int) -> None:
        """A row less."""
        self._rows[row] = self._rows[-1]
        self._rows.pop()

    def propose(self, texts: Sequence[Text], most: Sequence[int]) -> list[list[int]]:
        """What followed before, for every row."""
        guesses = []
        for places, text, limit in zip(self._rows, texts, most, strict=True):
            places.read(text.token_ids)
            guesses.append(places.after(text.token_ids, limit))
        return guesses

    def learn(self, row: int, text: Text, refused: Any) -> None:
        """Nothing: all that it knows is in the text."""
