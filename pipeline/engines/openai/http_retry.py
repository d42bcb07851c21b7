"""HTTP requests that are retried when that can help."""

import asyncio
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

import httpx

from pipeline.engines.limits import time_limit
from pipeline.errors import Unserved

# The server is well and asks to be asked later.
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
LONGEST_ASKED = 120.0
"""The longest wait in seconds that a server is granted at once."""
MAX_BODY = 64 * 1024 * 1024
"""The most bytes of an answer, unpacked; a long one with its tokens has a few hundred thousand."""
KEPT = ("Retry-After", "Location", "Content-Type")
"""The headers that are read."""
CUT = ("closed connection", "disconnected")
"""What httpx says of a connection that the server ended before its answer."""
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long one try may take, and how often and how long it is tried again.

    A try has `seconds` from connecting to the last byte; one that takes longer is not repeated. A
    broken connection, 408 and 5xx end after `tries` tries. 429 and 503 end when `patience` seconds
    have been waited. A wait is as long as the server asks (`Retry-After`), at most `LONGEST_ASKED`;
    where it does not say, `first_wait` seconds, twice as long each time up to `longest_wait`, of
    which a pure function of seed and try takes off up to one half.
    """

    tries: int
    seconds: float
    patience: float
    first_wait: float = 0.5
    longest_wait: float = 20.0

    def wait(self, seed: int, failed: int) -> float:
        """Seconds to wait after the `failed`-th failure."""
        name = f"retry {seed} {failed}".encode()
        share = int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "big") / 2**32
        longest = min(self.first_wait * 2.0 ** (failed - 1), self.longest_wait)
        return float(longest * (1 - share / 2))


class Listener(Protocol):
    """Who hears an answer while it comes."""

    @property
    def is_over(self) -> bool:
        """Whether the answer is whole: a stream that ends before is broken."""
        ...

    def feed(self, piece: bytes) -> None:
        """The next bytes; raises `Unserved` where they are no answer."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, and the seed from which its waiting times follow.

    `listen` makes a listener for each try that is answered by a stream of events.
    """

    method: str
    url: str
    body: dict[str, Any] | None = None
    seed: int = 0
    listen: Callable[[], Listener] | None = None


class Unreachable(Exception):  # noqa: N818 - named for what it is
    """The server could not be connected to, or broke the connection off, at every try."""


async def send(
    client: httpx.AsyncClient,
    call: Call,
    policy: RetryPolicy,
    on_wait: Callable[[float], None] | None = None,
) -> httpx.Response:
    """The server's answer, whatever its status; 5xx, 408 and 429 only when patience has ended.

    `on_wait` is called with each wait that a busy server imposes, in seconds.
    Raises `Unreachable` when the last try brought no answer, `TooSlow` when one took too long.
    """
    failed = busy = 0
    patience = policy.patience
    while True:
        answer = await _once(client, call, policy.seconds)
        if isinstance(answer, httpx.Response) and answer.status_code in BUSY:
            busy += 1
            asked = _asked(answer)
            wait = policy.wait(call.seed, busy) if asked is None else max(asked, policy.first_wait)
            wait = min(wait, patience)
            patience -= wait
            if wait <= 0:
                return answer
            if on_wait is not None:
                on_wait(wait)
        elif isinstance(answer, httpx.Response) and not _may_pass(answer):
            return answer
        else:
            failed += 1
            if failed >= policy.tries:
                break
            wait = policy.wait(call.seed, failed)
        await asyncio.sleep(wait)
    if isinstance(answer, httpx.Response):
        return answer
    raise answer


async def _once(
    client: httpx.AsyncClient, call: Call, seconds: float
) -> httpx.Response | Unreachable:
    """What one try brings: status, body and the headers that are read."""
    body = bytearray()
    listener: Listener | None = None
    try:
        async with (
            time_limit(seconds),
            client.stream(call.method, call.url, json=call.body) as response,
        ):
            if call.listen is not None and response.is_success and is_stream(response):
                listener = call.listen()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_BODY:
                    raise Unserved(f"the server's answer has more than {MAX_BODY:,} bytes")
                if listener is not None:
                    listener.feed(piece)
    except httpx.ProtocolError as error:
        if "location header" in str(error):
            # httpx tells the address, cut in pieces in which no secret can be found again.
            raise Unserved("the server redirects to an invalid address") from None
        if not any(words in str(error) for words in CUT):
            raise Unserved(f"the server's answer is not HTTP ({error})") from error
        return Unreachable(str(error))
    except httpx.TransportError as error:
        return Unreachable(str(error) or type(error).__name__)
    except httpx.DecodingError as error:
        raise Unserved(f"the server's answer cannot be decompressed ({error})") from error
    if listener is not None and not listener.is_over:
        return Unreachable("the stream of its answer ended before the answer did")
    headers = {name: value for name in KEPT if (value := response.headers.get(name, "")).isascii()}
    return httpx.Response(response.status_code, headers=headers, content=bytes(body))


def is_stream(response: httpx.Response) -> bool:
    """Whether the answer comes as a stream of events."""
    return str(response.headers.get("Content-Type", "")).lower().startswith("text/event-stream")


def _may_pass(response: httpx.Response) -> bool:
    return response.is_server_error or response.status_code == HTTPStatus.REQUEST_TIMEOUT


def _asked(response: httpx.Response) -> float | None:
    """The seconds that the server asks to wait; None where it does not say."""
    asked = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(asked):
        return min(float(asked), LONGEST_ASKED)
    try:
        until = parsedate_to_datetime(asked)
    except (ValueError, OverflowError):
        return None
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(math.ceil(seconds), 0), LONGEST_ASKED)
