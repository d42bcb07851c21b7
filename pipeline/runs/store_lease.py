"""One writer per run in a store: an object that names it, and that it writes again and again.

A store has no locks. The object is created only where there is none, and replaced only if it is the
one that was read, by stores that are able to (S3 and Google's storage); elsewhere it is read again
after a moment, which two processes that begin at the same instant may still pass. One that was not
written for LEASE_SECONDS, or whose process is known to have ended, is taken over.
"""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.beside import beside
from pipeline.errors import UserMistake
from pipeline.runs.lock import Holder, InUse
from pipeline.stores.failures import Overtaken
from pipeline.stores.objects import Objects
from pipeline.stores.patience import Trouble

LEASE = ".lease"
BEAT_SECONDS = 10.0
LEASE_SECONDS = 45.0
SILENT_SECONDS = 180.0
SETTLE_SECONDS = 1.0
"""After this long a store that knows no conditions says who wrote last."""


@dataclass(slots=True)
class Lease:
    """The right to write into a place, from `take` on, as long as it is renewed."""

    objects: Objects
    run_pid: int
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _beats: int = 0
    _renewed: float = 0.0
    _conditional: bool = False

    def take(self, wait: Callable[[float], None], say: Callable[[str], None]) -> bool:
        """Take it, if need be after waiting for one that is not renewed any more, and say so.

        Whether the store heeds conditions, so that nobody can write unseen.

        Raises:
            InUse: somebody else holds it.
        """
        # A store that heeds no conditions would let anybody write over it.
        if _read(self.objects) is not None or not self._is_made():
            self._take_over(wait, say)
        self._conditional = self.objects.is_conditional(LEASE, self._content())
        if not self._conditional:
            wait(SETTLE_SECONDS)
            there = _read(self.objects)
            if not self._is_ours(there):
                raise InUse(_in_use(there))
        return self._conditional

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Renew it from a thread until the block ends, whatever holds up this one; then remove it.

        If the store does not answer then, it lapses.
        """
        try:
            with beside(self._beat):
                yield
        finally:
            with contextlib.suppress(Trouble, UserMistake):
                if self.is_held():
                    self.objects.remove(LEASE)

    def renew(self) -> None:
        """Say that it is still held, if that was long ago.

        Raises:
            Overtaken: somebody else has taken it over.
        """
        with self._lock:
            if time.monotonic() - self._renewed < BEAT_SECONDS:
                return
            # Seen before it is read, it is no newer than what was read.
            version = self.objects.version(LEASE)
            there = _read(self.objects)
            # One that was removed is made again, where nobody can have come and gone unseen.
            if not self._is_ours(there) and not (there is None and self._conditional):
                raise Overtaken(LEASE)
            self._write(None if there is None else version)

    def is_held(self) -> bool:
        """Whether nobody has taken it over; the store is asked."""
        return self._is_ours(_read(self.objects))

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(BEAT_SECONDS / 4):
            # What it meets, the upload meets too, which asks before it begins.
            with contextlib.suppress(Trouble, UserMistake, Overtaken):
                self.renew()

    def _is_made(self) -> bool:
        """Make it where there is none; whether there was none."""
        with contextlib.suppress(Overtaken):
            self._write(None)
            return True
        return False

    def _take_over(self, wait: Callable[[float], None], say: Callable[[str], None]) -> None:
        """Take the place of a holder that has ended, or is silent for long enough."""
        until, waits = time.monotonic() + LEASE_SECONDS, False
        first = _read(self.objects)
        while True:
            version = self.objects.version(LEASE)
            there = _read(self.objects)
            # It is ours where the answer to an earlier try was lost.
            if _has_ended(there) or self._is_ours(there) or time.monotonic() > until:
                break
            if there != first or _lives_here(there):
                raise InUse(_in_use(there))
            if not waits:
                waits = True
                say(
                    f"Waiting up to {LEASE_SECONDS:g} s to see whether {self.objects.address} is "
                    f"still in use by {_who(there)}."
                )
            wait(BEAT_SECONDS / 4)
        try:
            self._write(version)
        except Overtaken as error:
            raise InUse(_in_use(_read(self.objects))) from error

    def _is_ours(self, lease: dict[str, Any] | None) -> bool:
        return lease is not None and lease.get("token") == self.token

    def _write(self, last: str | None) -> None:
        self.objects.write(LEASE, self._content(), last)
        self._beats += 1
        self._renewed = time.monotonic()

    def _content(self) -> bytes:
        content = {
            "token": self.token,
            "beat": self._beats + 1,
            "renewed": time.time(),
            "holder": asdict(Holder.own()),
            "run": asdict(Holder.of(self.run_pid)),
        }
        return json.dumps(content).encode()


def lease_holder(objects: Objects) -> Holder | None:
    """The run that holds a place, by its lease; None where it has ended, or has long been silent.

    By the clocks of both machines: this is for people, and decides nothing.
    """
    there = _read(objects)
    if _has_ended(there) or there is None:
        return None
    renewed = there.get("renewed")
    silent = time.time() - renewed if isinstance(renewed, float) else 0.0
    return _holder(there, "run") if silent < SILENT_SECONDS else None


def _read(objects: Objects) -> dict[str, Any] | None:
    try:
        content = json.loads(objects.read(LEASE))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _holder(lease: dict[str, Any], who: str) -> Holder | None:
    try:
        return Holder(**lease[who])
    except (KeyError, TypeError):
        return None


def _has_ended(lease: dict[str, Any] | None) -> bool:
    """Whether nobody holds it: it is not there, or its process has ended on this machine."""
    if lease is None:
        return True
    holder = _holder(lease, "holder")
    return holder is not None and not holder.may_live


def _lives_here(lease: dict[str, Any] | None) -> bool:
    """Whether it is held for sure, which nobody need wait to see."""
    holder = None if lease is None else _holder(lease, "holder")
    return holder is not None and holder.is_here and holder.may_live


def _in_use(lease: dict[str, Any] | None) -> str:
    return f"by another process ({_who(lease)}); wait for it to end"


def _who(lease: dict[str, Any] | None) -> str:
    run = None if lease is None else _holder(lease, "run")
    return "unknown" if run is None else f"pid {run.pid} on {run.host.partition(' ')[0]}"
