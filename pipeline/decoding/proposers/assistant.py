"""An assistant: a small model with the same vocabulary writes the guesses (arXiv 2211.17192).

It draws with the randomness that the large model will draw with, so that above temperature 0, too,
the two choose the same token wherever they think alike. It writes in windows of its own, whose
guesses are looked up in the text (arXiv 2312.11462).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposer import Text
from pipeline.decoding.proposers.lookup import LONGEST, Places
from pipeline.decoding.reading import Reading
from pipeline.decoding.rows import Rows

LOOKED_UP = 1
"""Tokens that it is fed beside its last: more cost more operations than they save time."""
MORE, FEWER = 2, 1
"""Guesses that are added where all were right, and taken away where one was wrong. So a window has
as many as are all right in one of three rounds."""


@dataclass(slots=True)
class _Row:
    """What one row has been fed; of it `sure` tokens were in the text before guesses were fed.

    `places` are those of the text. `guesses` is how many are made at most, None before any were;
    `asked` is the most that were asked for. Both are the text's own, so that no text costs more or
    less for those before it.
    """

    known: list[int]
    sure: int
    places: Places = field(default_factory=Places)
    guesses: int | None = None
    asked: int = 0


@dataclass(slots=True)
class Assistant:
    """Rows of its own beside the large model's; `vocabulary` is the width of that one's logits.

    `blocks` keeps the beginnings of prompts, which are read block by block.
    """

    model: Any
    rows: Rows
    vocabulary: int
    blocks: PrefixBlocks = field(default_factory=PrefixBlocks)
    forwards: int = 0
    computed: int = 0
    """Tokens that it was fed."""
    _rows: list[_Row] = field(default_factory=list)

    def join(self, text: Text) -> Iterator[None]:
        """Read all of the text, which has two tokens at least, but the last."""
        known = list(text.token_ids[:-1])
        reading = Reading.begin(self.model, self.blocks, known)
        while reading.read_piece() is None:
            self.forwards += 1
            yield
        self.forwards += 1
        self.computed += len(known) - reading.reused
        text.assisted.read(len(known), reading.reused)
        self.rows.join(reading.cache, known)
        self._rows.append(_Row(known, len(known)))

    def leave(self, row: int) -> None:
        """A row less."""
        self.rows.leave(row)
        self._rows[row] = self._rows[-1]
        self._rows.pop()

    def propose(self, texts: Sequence[Text], most: Sequence[int]) -> list[list[int]]:
        """As many tokens as were right of late, in forwards for all rows together."""
        for one, limit in zip(self._rows, most, strict=True):
            one.asked = max(one.asked, limit)
        limits = [
            limit if one.guesses is None else min(limit, one.guesses)
            for one, limit in zip(self._rows, most, strict=True)
        ]
        guesses: list[list[int]] = [[] for _ in texts]
        unread = [self._unread(row, text) for row, text in enumerate(texts)]
        ahead = [text.ahead() for text in texts]
        while any(len(guess) < limit for guess, limit in zip(guesses, limits, strict=True)):
            looked = [
                self._looked_up(row, text, unread[row], limits[row] - len(guesses[row]) - 1)
                for row, text in enumerate(texts)
            ]
            together = [[*new, *old] for new, old in zip(unread, looked, strict=True)]
            logits = self.rows.forward(together)
            self.forwards += 1
            self.computed += len(texts) * int(logits.shape[1])
            for row, text in enumerate(texts):
                fed = len(together[row])
                if len(guesses[row]) == limits[row]:
                    # It only fills up a forward of rows that want more: no cost of its text.
                    self.rows.forget(row, fed)
                    continue
                text.assisted.feed(len(self._rows[row].known), fed)
                text.assisted.forwards += 1
                new = self._chosen(ahead[row], looked[row], logits[row, len(unread[row]) - 1 : fed])
                self.rows.forget(row, len(looked[row]) + 1 - len(new))
                self._rows[row].known += [*unread[row], *new[:-1]]
                unread[row] = new[-1:]
                guesses[row] += new
        return guesses

    def learn(self, row: int, text: Text, refused: Any) -> None:  # noqa: ARG002 - how many says all
        """Guess more where all were right, else fewer: what was refused was computed in vain."""
        one, wrong = self._rows[row], len(refused) > 0
        if not one.asked:
            return
        before = one.asked if one.guesses is None else one.guesses
        one.guesses = max(1, before - FEWER) if wrong else min(one.asked, before + MORE)

    def _unread(self, row: int, text: Text) -> list[int]:
        """Go back to what the text has in common with what was fed; what it has more."""
        one, tokens = self._rows[row], text.token_ids
        known = one.known
        # Of a row that was asked for no guesses, the newest tokens were never fed.
        same = min(one.sure, len(known))
        while same < min(len(known), len(tokens) - 1) and known[same] == tokens[same]:
            same += 1
        self.rows.forget(row, len(known) - same)
        del known[same:]
        one.sure = len(tokens)
        one.places.read(tokens)
        return list(tokens[same:])

    def _looked_up(self, row: int, text: Text, unread: Sequence[int], most: int) -> list[int]:
        """What followed in the text where it last had the newest tokens, guesses among them."""
        one = self._rows[row]
        newest = [*one.known[-LONGEST:], *unread]
        end = one.places.end_of(newest) if most > 0 else None
        return [] if end is None else list(text.token_ids[end : end + min(LOOKED_UP, most)])

    def _chosen(
        self, choose: Callable[[Any], int], looked: Sequence[int], logits: Any
    ) -> list[int]:
        """Its choices among the large model's tokens, up to one that was not looked up."""
        chosen: list[int] = []
        for place, old in enumerate([*looked, None]):
            chosen.append(choose(logits[place, : self.vocabulary]))
            if chosen[-1] != old:
                break
        return chosen
