"""Stop strings: where a text ends, and the watch over a text that is still growing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.engines.protocol import Tokenizer

# Bytes of one character may be spread over tokens; until they are all there the decoder says this.
UNFINISHED_CHARACTER = "\ufffd"


class Cut(NamedTuple):
    """A text cut before the stop string that was found first."""

    text: str
    stop_string: str | None


def cut_at_stop(text: str, stop: Sequence[str]) -> Cut:
    """`text` before the earliest of the stop strings, or all of it when none occurs."""
    found = [(text.find(one), one) for one in stop if one in text]
    if not found:
        return Cut(text, None)
    position, one = min(found)
    return Cut(text[:position], one)


@dataclass(slots=True)
class StopWatch:
    """Tells after each token whether a stop string has appeared; costs O(1) text per token."""

    tokenizer: Tokenizer
    stop: tuple[str, ...]
    token_ids: list[int] = field(default_factory=list)
    _text: str = ""
    _window: int = 0
    _read: int = 0

    def append(self, token_id: int) -> bool:
        """Take one more token; True when the text now holds a stop string."""
        self.token_ids.append(token_id)
        if not self.stop:
            return False
        # Decoding from a little before the new tokens keeps spaces right between word pieces.
        before = self.tokenizer.decode(self.token_ids[self._window : self._read])
        now = self.tokenizer.decode(self.token_ids[self._window :])
        if now.endswith(UNFINISHED_CHARACTER):
            return False
        fresh = now[len(before) :]
        self._window, self._read = self._read, len(self.token_ids)
        longest = max(map(len, self.stop))
        self._text = self._text[-(longest - 1) :] if longest > 1 else ""
        self._text += fresh
        return any(one in self._text for one in self.stop)

    def finish(self) -> Cut:
        """The whole text, cut before the stop string."""
        return cut_at_stop(self.tokenizer.decode(self.token_ids), self.stop)
