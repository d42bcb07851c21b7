"""HTTP requests that are tried again when trying again can help."""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

# Besides 5xx: the server asks for patience.
PATIENCE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `tries` tries that begin within `within` seconds.

    Between them it waits `first_wait` seconds, twice as long each time up to `longest_wait`, of
    which a pure function of seed and try takes off up to one half.
    """

    tries: int
    within: float
    first_wait: float = 0.5
    longest_wait: float = 20.0

    def wait(self, seed: int, failed: int) -> float:
        """Seconds to wait after the `failed`-th failure."""
        name = f"retry {seed} {failed}".encode()
        share = int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "big") / 2**32
        longest = min(self.first_wait * 2.0 ** (failed - 1), self.longest_wait)
        return float(longest * (1 - share / 2))


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, and the seed from which its waiting times follow."""

    method: str
    url: str
    body: dict[str, Any] | None = None
    seed: int = 0


class Unreachable(Exception):  # noqa: N818 - named for what it is
    """The server could not be connected to, or broke the connection off, at every try."""


class TooSlow(Exception):  # noqa: N818 - same
    """The server did not answer in time, at every try."""


def _retriable(response: httpx.Response) -> bool:
    return response.is_server_error or response.status_code in PATIENCE


async def send(client: httpx.AsyncClient, call: Call, policy: RetryPolicy) -> httpx.Response:
    """The server's answer, whatever its status; 5xx, 408 and 429 only after the last try.

    Raises `Unreachable` or `TooSlow` when the last try brought no answer.
    """
    deadline = time.monotonic() + policy.within
    failed = 0
    while True:
        try:
            response = await client.request(call.method, call.url, json=call.body)
            if not _retriable(response):
                return response
            problem: httpx.Response | Exception = response
        except httpx.TimeoutException as error:
            problem = TooSlow(f"no answer in time ({type(error).__name__})")
        except httpx.TransportError as error:
            problem = Unreachable(str(error) or type(error).__name__)
        failed += 1
        wait = policy.wait(call.seed, failed)
        if failed >= policy.tries or time.monotonic() + wait > deadline:
            break
        await asyncio.sleep(wait)
    if isinstance(problem, httpx.Response):
        return problem
    raise problem
