"""Whose attempt begins next, where several runs share their engines."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator

Turn = tuple[int, ...]


class Turns:
    """At most `at_once` attempts in flight; of those that wait the one of the lowest turn begins.

    Runs whose attempts take their turns by problem and repeat grow evenly, whatever they cost.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: list[tuple[Turn, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @contextlib.asynccontextmanager
    async def taken(self, turn: Turn) -> AsyncIterator[None]:
        """Wait for the turn, and let the next one begin at the end."""
        loop = asyncio.get_running_loop()
        begins = loop.create_future()
        heapq.heappush(self._waiting, (turn, next(self._numbers), begins))
        # Those that come in the same pass of the loop are compared with each other.
        loop.call_soon(self._begin_next)
        try:
            await begins
        except asyncio.CancelledError:
            if not begins.cancelled():
                self._leave()
            raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        self._free += 1
        self._begin_next()

    def _begin_next(self) -> None:
        while self._free and self._waiting:
            _, _, begins = heapq.heappop(self._waiting)
            if not begins.done():
                self._free -= 1
                begins.set_result(None)
