"""An assistant: a small model with the same vocabulary writes the guesses (arXiv 2211.17192).

It draws with the randomness that the large model will draw with, so that above temperature 0, too,
the two choose the same token wherever they think alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from pipeline.decoding.proposer import Text
from pipeline.decoding.rows import Rows

PIECE = 512
"""Tokens of a prompt that are read at once."""


@dataclass(slots=True)
class Assistant:
    """Rows of its own beside the large model's; `vocabulary` is the width of that one's logits."""

    model: Any
    rows: Rows
    vocabulary: int
    forwards: int = 0
    computed: int = 0
    """Tokens that it was fed."""
    _known: list[list[int]] = field(default_factory=list)
    """What each row has been fed."""
    _sure: list[int] = field(default_factory=list)
    """How many tokens of it were in the text before guesses were fed."""

    def join(self, text: Text) -> None:
        """Read all of the text, which has two tokens at least, but the last."""
        cache = DynamicCache(config=self.model.config)
        known = list(text.token_ids[:-1])
        for start in range(0, len(known), PIECE):
            piece = torch.tensor([known[start : start + PIECE]], device=self.model.device)
            self.model(input_ids=piece, past_key_values=cache, logits_to_keep=1)
            self.forwards += 1
        self.computed += len(known)
        text.assisted.read(len(known))
        self.rows.join(cache, known)
        self._known.append(known)
        self._sure.append(len(known))

    def leave(self, row: int) -> None:
        """A row less."""
        self.rows.leave(row)
        self._known[row], self._sure[row] = self._known[-1], self._sure[-1]
        self._known.pop()
        self._sure.pop()

    def propose(self, texts: Sequence[Text], most: Sequence[int]) -> list[list[int]]:
        """As many tokens as there is room for, one forward a token for all rows together."""
        guesses: list[list[int]] = [[] for _ in texts]
        fed = [self._unread(row, text) for row, text in enumerate(texts)]
        ahead = [text.ahead() for text in texts]
        for _ in range(max(most)):
            logits = self._forward(fed)
            for row, (text, choose) in enumerate(zip(texts, ahead, strict=True)):
                text.assisted.feed(len(self._known[row]), logits.shape[1])
                if len(guesses[row]) < most[row]:
                    self._known[row] += fed[row]
                    guesses[row].append(self._choice(choose, logits[row, len(fed[row]) - 1]))
                    fed[row] = guesses[row][-1:]
                else:
                    self.rows.forget(row, len(fed[row]))
        return guesses

    def learn(self, row: int, text: Text, refused: Any) -> None:
        """Nothing: what was refused is forgotten before the next guess."""

    def _unread(self, row: int, text: Text) -> list[int]:
        """Go back to what the text has in common with what was fed; what it has more."""
        known, tokens, same = self._known[row], text.token_ids, self._sure[row]
        while same < min(len(known), len(tokens) - 1) and known[same] == tokens[same]:
            same += 1
        self.rows.forget(row, len(known) - same)
        del known[same:]
        self._sure[row] = len(tokens)
        return list(tokens[same:])

    def _forward(self, fed: list[list[int]]) -> Any:
        self.forwards += 1
        logits = self.rows.forward(fed)
        self.computed += len(fed) * int(logits.shape[1])
        return logits if len(fed) == 1 else logits.cpu()

    def _choice(self, choose: Callable[[Any], int], logits: Any) -> int:
        """Its choice among the tokens that the large model has, by as many random numbers."""
        missing = self.vocabulary - logits.shape[0]
        if missing > 0:
            logits = torch.nn.functional.pad(logits, (0, missing), value=float("-inf"))
        return choose(logits[: self.vocabulary])
