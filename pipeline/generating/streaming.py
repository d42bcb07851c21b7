"""Answers as they grow: events whose texts, put together, are the answer's text."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pipeline.engines.protocol import Tokenizer
from pipeline.engines.stopping import UNFINISHED_CHARACTER


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the answer to a prompt.

    `begin` drops what was told of it before; `text` is what it has more, which one `token` may have
    given or several, or none where the engine is told texts (a server); `end` is the last. `branch`
    is its place among those that are written together.
    """

    prompt_id: str
    kind: Literal["begin", "text", "end"]
    branch: int = 0
    text: str = ""
    token: int | None = None


Hear = Callable[[Event], None]
"""Called in the thread of the event loop; it must raise nothing."""


@dataclass(slots=True)
class Growing:
    """The text of tokens that come one by one; a character stands as soon as all its bytes do."""

    tokenizer: Tokenizer
    _token_ids: list[int] = field(default_factory=list)
    _window: int = 0
    _read: int = 0

    def append(self, token_id: int) -> str:
        """What the text has more by a token."""
        self._token_ids.append(token_id)
        # Decoding from a little before the new tokens keeps spaces right between word pieces.
        before = self.tokenizer.decode(self._token_ids[self._window : self._read])
        now = self.tokenizer.decode(self._token_ids[self._window :])
        if now.endswith(UNFINISHED_CHARACTER):
            return ""
        self._window, self._read = self._read, len(self._token_ids)
        return now[len(before) :]


@dataclass(slots=True)
class Stream:
    """The events of one answer, told to `hear` in the thread of the event loop."""

    prompt_id: str
    branch: int
    hear: Hear
    tokenizer: Tokenizer | None
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _growing: Growing | None = None
    _sent: str = ""
    _is_over: bool = False

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begin()

    def begin(self) -> None:
        """Nothing is written yet."""
        self._growing = None if self.tokenizer is None else Growing(self.tokenizer)
        self._sent = ""
        self._tell("begin")

    def on_token(self, token_id: int) -> None:
        """A token more; may be called in any thread."""
        self._loop.call_soon_threadsafe(self._grow, token_id)

    def on_text(self, so_far: str) -> None:
        """The text so far; may be called in any thread, and with a text that begins anew."""
        self._loop.call_soon_threadsafe(self._show, so_far)

    def end(self, text: str) -> None:
        """The whole text; tells what of it has not been told."""
        self._show(text, whole=True)
        self._tell("end")
        self._is_over = True

    def _grow(self, token_id: int) -> None:
        if self._growing is not None and not self._is_over:
            fresh = self._growing.append(token_id)
            if fresh:
                self._sent += fresh
                self._tell("text", fresh, token_id)

    def _show(self, text: str, *, whole: bool = False) -> None:
        """Tell what a text has more than was told; one that begins anew may have less at first."""
        if self._is_over or (self._sent.startswith(text) and not whole):
            return
        if not text.startswith(self._sent):
            self.begin()
        fresh = text[len(self._sent) :]
        if fresh:
            self._sent = text
            self._tell("text", fresh)

    def _tell(
        self, kind: Literal["begin", "text", "end"], text: str = "", token: int | None = None
    ) -> None:
        self.hear(Event(self.prompt_id, kind, self.branch, text, token))
