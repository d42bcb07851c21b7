"""Windows: every row is fed its last token and guesses, and keeps what the model itself chose.

A causal model says after each fed token what it would write next. So the longest prefix of the
guesses that it would have written is kept, and one token more: its own choice after them. The text
is the one that single tokens give, up to the rounding of sums over other shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.decoding.proposer import Proposer, Text
from pipeline.decoding.rows import Together


@dataclass(slots=True)
class Counts:
    """What windows cost so far; reading prompts is not in it."""

    forwards: int = 0
    computed: int = 0
    """Tokens fed, with those that fill rows up to the length of the longest: no text's cost."""
    committed: int = 0
    """Tokens written."""


def guesses_for(window: int, rows: int, tokens_together: int) -> int:
    """How many guesses a row is fed beside its last token, for windows of at most `window` tokens.

    A device computes about `tokens_together` tokens in the time of few. The rows share them, so
    that many rows get no guesses: they would only cost.
    """
    return max(1, min(window, tokens_together // rows)) - 1


def grow(text: Text, guesses: Sequence[int], logits: Any) -> int:
    """Write what the model chooses, up to the first token that was not guessed; how many they are.

    `logits` are those after the last token and after each guess.
    """
    for written, guess in enumerate([*guesses, None], start=1):
        if text.grow(logits[written - 1]) != guess or text.room == 0:
            break
    return written


def step(
    rows: Together,
    texts: Sequence[Text],
    guesses: Sequence[list[int]],
    counts: Counts,
    proposer: Proposer | None = None,
) -> None:
    """One forward for all rows, by which every text grows by at least one token."""
    fed = [[text.token_ids[-1], *guess] for text, guess in zip(texts, guesses, strict=True)]
    logits = rows.forward(fed)
    counts.forwards += 1
    for row, (text, guess) in enumerate(zip(texts, guesses, strict=True)):
        before = len(text.token_ids) - 1
        written = grow(text, guess, logits[row])
        rows.forget(row, len(guess) + 1 - written)
        text.refused.feed(before + written, len(guess) + 1 - written)
        counts.computed += logits.shape[1]
        counts.committed += written
        if proposer is not None and text.room:
            proposer.learn(row, text, logits[row, written : len(guess) + 1])
