"""Refining: a block of end-of-text tokens is rewritten as a whole for some rounds, then kept.

Each round feeds the block as it stands and takes the model's own choice at every place: Jacobi
decoding (arXiv 2305.10427). What follows only right guesses is the model's own text and is kept at
once; after the last round the rest is kept unverified. So the text is the model's own only if there
are as many rounds as tokens in a block, or if the guesses have come to agree before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.decoding.beginnings import common
from pipeline.decoding.proposer import Written
from pipeline.decoding.rows import Rows
from pipeline.decoding.windows import Counts


@dataclass(frozen=True, slots=True)
class Round:
    """What a forward made of a block: its tokens from place `start` of the text on.

    The first `sure` of them follow what is kept, and are kept at once. In a block's last round all
    are kept.
    """

    block: int
    number: int
    start: int
    tokens: tuple[int, ...]
    sure: int


class RefinedText(Written, Protocol):
    """A text that is written in blocks, and the rounds that it took."""

    rounds: list[Round]


@dataclass(slots=True)
class _Block:
    """A block that is being refined: `left` tokens of it are still to be kept.

    `unread` tokens at the end of the text are not in the row's cache, or wrongly. They are 0 in the
    first round of all: the prompt has been read, and its first token is guessed to be the end.
    """

    number: int
    left: int
    guess: list[int]
    unread: int
    rounds: int = 0


@dataclass(slots=True)
class Refining:
    """Rows that are refined together, each in a block and a round of its own.

    A block has `appended` + 1 tokens, of which the first is known when it begins, and at most
    `rounds` rounds. `end_id` is the guess to begin with.
    """

    appended: int
    rounds: int
    end_id: int
    _blocks: list[_Block] = field(default_factory=list)

    def join(self, text: RefinedText) -> None:
        """A row more, whose first token has been written by the logits after its prompt."""
        size = min(self.appended, text.room)
        block = _Block(0, size, [self.end_id] * size, unread=0)
        self._blocks.append(block if size else self._begun(text, 1, unread=1))

    def leave(self, row: int) -> None:
        """A row less; the last one gets its number."""
        self._blocks[row] = self._blocks[-1]
        self._blocks.pop()

    def step(self, rows: Rows, texts: Sequence[RefinedText], counts: Counts) -> None:
        """One round for every row. A text grows by what is sure, in the last round by all."""
        fed = [
            [*text.token_ids[len(text.token_ids) - block.unread :], *block.guess]
            for text, block in zip(texts, self._blocks, strict=True)
        ]
        logits = rows.forward(fed)
        logits = logits if len(texts) == 1 else logits.cpu()
        counts.forwards += 1
        for row, (text, tokens) in enumerate(zip(texts, fed, strict=True)):
            before = len(text.token_ids)
            left = self._blocks[row].left
            right = self._keep(row, text, logits[row, len(tokens) - left : len(tokens)])
            rows.forget(row, len(tokens) - right)
            written = len(text.token_ids) - before
            text.refused.feed(before - 1 + written, len(tokens) - written)
            counts.computed += logits.shape[1]
            counts.committed += written

    def _keep(self, row: int, text: RefinedText, logits: Any) -> int:
        """Grow the text by what this round gives; how many of the fed tokens were right."""
        block = self._blocks[row]
        choices = list(map(text.ahead(), logits))
        same = common(block.guess, choices) if block.unread else 0
        sure = same + 1 if block.unread else 0
        block.rounds += 1
        text.rounds.append(
            Round(block.number, block.rounds, len(text.token_ids), tuple(choices), sure)
        )
        kept = block.left if block.rounds == self.rounds else sure
        for chosen in logits[:kept]:
            text.grow(chosen)
            if text.room == 0:
                return 0
        right = block.unread + same
        block.left -= kept
        block.unread = max(block.unread, 1) + kept - right
        block.guess = choices[kept:][: block.left - 1]
        if block.left == 0:
            self._blocks[row] = self._begun(text, block.number + 1, block.unread)
        return right

    def _begun(self, text: RefinedText, number: int, unread: int) -> _Block:
        size = min(self.appended + 1, text.room)
        return _Block(number, size, [self.end_id] * (size - 1), unread)
