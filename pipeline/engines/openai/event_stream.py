"""Answers in pieces: server-sent events, and the body that the server would have sent whole."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.http_retry import Call, is_stream
from pipeline.engines.openai.wire import reason_of, thinking_and_answer, whole_characters
from pipeline.errors import Unserved

STREAM: dict[str, Any] = {"stream": True}
STREAM_AND_COUNT = STREAM | {"stream_options": {"include_usage": True}}
"""Fields that ask for a stream; the second also for the counts of tokens, which not all know."""
LONGEST_LINE = 2**20
"""In bytes; an event holds a few tokens."""
DONE = b"[DONE]"
REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Piece(msgspec.Struct):
    text: str | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    stop_reason: Any = None
    matched_stop: Any = None


class _Event(msgspec.Struct):
    choices: list[_Piece] = []
    usage: Any = None
    error: Any = None


class EventStream:
    """One answer as it comes; `hear` is told its whole text so far."""

    def __init__(self, secrets: Secrets, hear: Callable[[str], None] | None = None) -> None:
        self._secrets, self._hear = secrets, hear
        self._line = bytearray()
        self._data: list[bytes] = []
        self._said = self._thought = ""
        self._is_chat = False
        self._token_ids: list[int] | None = []
        self._end: dict[str, Any] = {}
        self._is_done = False
        self._usage: Any = None

    @property
    def is_over(self) -> bool:
        """Whether no more of the answer comes; counts of its tokens may follow."""
        return bool(self._end) or self._is_done or _is_done(bytes(self._line))

    def feed(self, piece: bytes) -> None:
        """The next bytes.

        Raises:
            Unserved: they are no events, or one is an error.
        """
        first, *others = piece.split(b"\n")
        for line in (first, *others)[: len(others)]:
            self._take(bytes(self._line + line).removesuffix(b"\r"))
            self._line.clear()
        self._line += others[-1] if others else first
        if len(self._line) > LONGEST_LINE:
            raise Unserved(f"a line of the server's stream has over {LONGEST_LINE:,} bytes")

    def body(self) -> dict[str, Any]:
        """The answer as one body.

        Raises:
            Unserved: as `feed`.
        """
        self._take(bytes(self._line).removesuffix(b"\r"))
        self._take(b"")
        said: dict[str, Any] = {"text": self._said}
        if self._is_chat:
            said = {"message": {"content": self._said, "reasoning_content": self._thought}}
        return {
            "choices": [{**said, "token_ids": self._token_ids or None, **self._end}],
            "usage": self._usage,
        }

    def _take(self, line: bytes) -> None:
        """A line: a part of an event's data, or an empty one that ends the event."""
        self._is_done = self._is_done or _is_done(line)
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            if data.strip() != DONE:
                self._add(data)

    def _add(self, data: bytes) -> None:
        try:
            event = msgspec.convert(json.loads(data), _Event)
        except (ValueError, RecursionError) as error:
            raise Unserved(f"an event of the server's stream is none ({error})") from error
        if event.error is not None:
            told = event.error
            reason = str(told.get("message", told) if isinstance(told, dict) else told)
            raise Unserved(f"the server broke its answer off: {reason_of(reason, self._secrets)}")
        self._usage = event.usage or self._usage
        for piece in event.choices[:1]:
            self._grow(piece)

    def _grow(self, piece: _Piece) -> None:
        said, thought = piece.text or "", ""
        if piece.delta is not None:
            self._is_chat, said = True, piece.delta.content or ""
            thought = piece.delta.reasoning_content or piece.delta.reasoning or ""
        self._said = _joined(self._said, said)
        self._thought = _joined(self._thought, thought)
        if piece.token_ids is not None and self._token_ids is not None:
            self._token_ids += piece.token_ids
        elif said or thought:
            self._token_ids = None
        if piece.finish_reason is not None:
            self._end = {
                name: getattr(piece, name)
                for name in ("finish_reason", "stop_reason", "matched_stop")
            }
        if self._hear is not None and (said or thought):
            self._hear(self._text_so_far())

    def _text_so_far(self) -> str:
        """Without half a character at its end."""
        text = thinking_and_answer(self._thought, self._said or None)
        return text[:-1] if text and _is_half(text[-1]) else text


def heard(
    call: Call, fields: dict[str, Any], on_text: Callable[[str], None], secrets: Secrets
) -> Call:
    """The same request, answered piece by piece; from a secret on nothing is told till the end."""

    def listener() -> EventStream:
        told = 0

        def hear(text: str) -> None:
            nonlocal told
            text = whole_characters(text)
            told = secrets.before_any(text, told)
            on_text(text[:told])

        return EventStream(secrets, hear)

    return replace(call, body=(call.body or {}) | fields, listen=listener)


def body_of(response: httpx.Response, secrets: Secrets) -> Any:
    """The body of an answer, as it is or as the events of a stream come to it.

    Raises:
        Unserved: the events are none, or one is an error.
        ValueError, RecursionError: the body is no JSON.
    """
    if not is_stream(response):
        return response.json()
    stream = EventStream(secrets)
    stream.feed(response.content)
    return stream.body()


def refuses_streams(response: httpx.Response) -> bool:
    """Whether a server does not take the fields that ask for a stream."""
    return response.status_code in REFUSED and "stream" in response.text


def _is_done(line: bytes) -> bool:
    """Whether it ends the stream, which a server may do that names no reason."""
    return line.startswith(b"data:") and line.removeprefix(b"data:").strip() == DONE


def _joined(text: str, more: str) -> str:
    """Put together; the halves of a character, which JSON lets through, become one."""
    whole = text + more
    if text and more and _is_half(text[-1]):
        with contextlib.suppress(UnicodeDecodeError):
            return whole.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return whole


def _is_half(character: str) -> bool:
    """Whether it is the first half of a surrogate pair."""
    return "\ud800" <= character <= "\udbff"
