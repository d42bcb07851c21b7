"""A block of end-of-text tokens, refined by each forward: Jacobi decoding (arXiv 2305.10427).

The model's own choices after a wrong guess are the next guess. They are often wrong too, since they
were made on a wrong guess; a model that was trained to refine makes them right sooner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.decoding.proposer import Text


def refined(text: Text, refused: Any) -> list[int]:
    """The tokens that the model would choose by the logits after a wrong guess."""
    return list(map(text.ahead(), refused))


@dataclass(slots=True)
class EndBlock:
    """Guesses that the text is over until the model has refined them."""

    end_id: int
    _tails: list[list[int]] = field(default_factory=list)

    def join(self, text: Text) -> Iterator[None]:  # noqa: ARG002 - the first block is the same for all
        """A row more."""
        yield from ()
        self._tails.append([])

    def leave(self, row: int) -> None:
        """A row less."""
        self._tails[row] = self._tails[-1]
        self._tails.pop()

    def propose(self, texts: Sequence[Text], most: Sequence[int]) -> list[list[int]]:  # noqa: ARG002 - the tails are known
        """The refined tails, filled up with ends of text."""
        return [
            [*tail, *[self.end_id] * limit][:limit]
            for tail, limit in zip(self._tails, most, strict=True)
        ]

    def learn(self, row: int, text: Text, refused: Any) -> None:
        """Keep what the model makes of the guesses that were refused."""
        self._tails[row] = refined(text, refused)
