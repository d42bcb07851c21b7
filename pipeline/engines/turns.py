"""Turns: a lock that goes to whoever has waited longest."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Turns:
    """A fair lock. A plain one mostly goes back to the thread that has just let it go."""

    _guard: threading.Lock = field(default_factory=threading.Lock)
    _waiting: deque[threading.Semaphore] = field(default_factory=deque)
    _taken: bool = False

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and hand it on at the end of the block."""
        gate = self._join()
        if gate is not None:
            gate.acquire()
        try:
            yield
        finally:
            self._leave()

    def _join(self) -> threading.Semaphore | None:
        """Take the turn at once, or get the gate at which to wait for it."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return None
            gate = threading.Semaphore(0)
            self._waiting.append(gate)
            return gate

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
