"""Recycled tails: runs of tokens from refused guesses, found again by their first token.

What a model writes after a wrong guess is often right elsewhere: lookahead decoding (arXiv
2402.02057) collects such runs. Here no forward is made for them alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.decoding.proposer import Text
from pipeline.decoding.proposers.end_block import refined

LONGEST = 8
"""Tokens that a run has at most."""


@dataclass(slots=True)
class Recycled:
    """Guesses the newest run that begins with the last token, and before there is one the tail."""

    end_id: int
    _tails: list[list[int]] = field(default_factory=list)
    _pools: list[dict[int, list[int]]] = field(default_factory=list)

    def join(self, text: Text) -> Iterator[None]:
        """A row more; the prompt's own runs are in its pool."""
        yield from ()
        self._tails.append([])
        self._pools.append({})
        self._collect(self._pools[-1], text.token_ids)

    def leave(self, row: int) -> None:
        """A row less."""
        self._tails[row], self._pools[row] = self._tails[-1], self._pools[-1]
        self._tails.pop()
        self._pools.pop()

    def propose(self, texts: Sequence[Text], most: Sequence[int]) -> list[list[int]]:
        """For every row a run, filled up with ends of text, which the forward will refine."""
        guesses = []
        for text, tail, pool, limit in zip(texts, self._tails, self._pools, most, strict=True):
            guess = pool.get(text.token_ids[-1], tail)
            guesses.append([*guess, *[self.end_id] * limit][:limit])
        return guesses

    def learn(self, row: int, text: Text, refused: Any) -> None:
        """Put the refined tail into the pool."""
        self._tails[row] = refined(text, refused)
        self._collect(self._pools[row], [text.token_ids[-1], *self._tails[row]])

    @staticmethod
    def _collect(pool: dict[int, list[int]], tokens: Sequence[int]) -> None:
        for start in range(len(tokens) - 1):
            pool[tokens[start]] = list(tokens[start + 1 : start + 1 + LONGEST])
