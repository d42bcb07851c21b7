"""One writer per run: the lock on its folder.

It is `flock` on `.lock`. Where the file system has no such lock, as on some clusters, `.lock.held`
is it: a file that only one can create, with a line for each process that holds the run.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from evaluators.run_files.whole_file import whole_file

LOCK = ".lock"
HELD = ".lock.held"
LOOK_SECONDS = 0.05
"""Longer than anybody who only asks for a run's holder has its lock."""
NO_FLOCK = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class InUse(Exception):  # noqa: N818 - named for what it is
    """Somebody else holds the run; the message says who, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a run, told from later ones of its number by when it began."""

    host: str
    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """A process of this machine."""
        return cls(_host(), pid, _began(pid))

    @classmethod
    def own(cls) -> Self:
        """This process."""
        return cls.of(os.getpid())

    @property
    def may_live(self) -> bool:
        """False where it is known to have ended: of another machine nothing is known."""
        return not self.is_here or _began(self.pid) == self.began != ""

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine."""
        return self.host == _host()


class RunLock:
    """The lock on a run directory, from construction to `release`.

    Raises `InUse` where somebody else holds it, and `OSError` where the folder cannot be written.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._held: Path | None = None
        self.handle = os.open(run / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        """Whoever inherits this descriptor holds the lock, too."""
        try:
            self._take()
        except BaseException:
            os.close(self.handle)
            raise
        os.ftruncate(self.handle, 0)
        os.pwrite(self.handle, str(os.getpid()).encode(), 0)

    def share(self, pid: int) -> None:
        """Let a process that has inherited `handle` hold the lock as well. Raises `OSError`."""
        if self._held is not None:
            with self._held.open("ab") as held:
                held.write(_line(Holder.of(pid)))

    def release(self) -> None:
        """Give the lock up, as far as this process holds it."""
        if self._held is not None:
            # It may have gone with its folder, and what stays of it is taken over by the next run.
            with contextlib.suppress(OSError):
                holders = _holders(self._held.read_bytes())
                left = [one for one in holders if one.pid != os.getpid() and one.may_live]
                if left:
                    with whole_file(self._held) as held:
                        held.write(b"".join(map(_line, left)))
                else:
                    self._held.unlink()
        os.close(self.handle)

    def remove(self) -> None:
        """Take the lock's files out of a folder that is about to go. Raises `OSError`."""
        for file in (HELD, LOCK):
            (self._run / file).unlink(missing_ok=True)
        self._held = None

    def _take(self) -> None:
        try:
            self._take_past_a_look()
            there = (self._run / LOCK).stat()
        except (BlockingIOError, FileNotFoundError) as error:
            raise self._in_use() from error
        except OSError as error:
            if error.errno not in NO_FLOCK:
                raise
            self._take_held(self._run / HELD)
            return
        # A lock file that was removed between its opening and its locking holds nobody off.
        if not os.path.samestat(there, os.fstat(self.handle)):
            raise self._in_use()

    def _take_past_a_look(self) -> None:
        """Take the lock; `holder_of` may hold it for an instant, a run does for longer."""
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _in_use(self) -> InUse:
        return InUse(f"by another process ({_owner(self.handle)}); wait for it to end")

    def _take_held(self, held: Path) -> None:
        """Create `held`; one whose processes have all ended makes room."""
        for _ in range(2):
            try:
                new = os.open(held, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                self._clear(held)
                continue
            os.write(new, _line(Holder.of(os.getpid())))
            os.close(new)
            self._held = held
            return
        raise InUse("by another process, which has just started; wait for it to end")

    def _clear(self, held: Path) -> None:
        try:
            content = held.read_bytes()
        except FileNotFoundError:
            return
        holders = _holders(content)
        living = [one for one in holders if one.may_live]
        if living or not holders:
            who = f"pid {living[0].pid} on {living[0].host}" if living else "unknown"
            raise InUse(
                f"by another process ({who}); wait for it to end, or, if it no longer runs, "
                f"remove {held}"
            )
        aside = _aside(held)
        held.replace(aside)
        if aside.read_bytes() != content:
            # Another process has cleared it meanwhile, and this is its own.
            aside.replace(held)
            raise InUse("by another process, which has just started; wait for it to end")
        aside.unlink()


def holder_of(run: Path) -> str | None:
    """Who holds a run, as far as that is known; None if nobody does. Nobody is held off by asking.

    Raises:
        OSError: the lock's files cannot be read.
    """
    try:
        handle = os.open(run / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(handle, fcntl.LOCK_UN)
    except BlockingIOError:
        return _owner(handle)
    except OSError as error:
        if error.errno not in NO_FLOCK:
            raise
    finally:
        os.close(handle)
    held = run / HELD
    holders = _holders(held.read_bytes()) if held.exists() else []
    return next((f"pid {one.pid} on {one.host}" for one in holders if one.may_live), None)


def say_held(run: Path, holder: Holder | None) -> None:
    """Let `holder_of` name the holder of a run of which this folder is a copy. Raises `OSError`."""
    (run / LOCK).touch()
    if holder is None:
        (run / HELD).unlink(missing_ok=True)
    else:
        (run / HELD).write_bytes(_line(holder))


def _owner(handle: int) -> str:
    pid = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return f"pid {pid or 'unknown'}"


def _aside(held: Path) -> Path:
    return held.with_name(f"{held.name}.{os.getpid()}")


def _line(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode() + b"\n"


def _holders(content: bytes) -> list[Holder]:
    """The processes that `content` names; of what is no such line nothing is known."""
    try:
        return [Holder(**json.loads(line)) for line in content.splitlines()]
    except (ValueError, TypeError):
        return []


def _host() -> str:
    """This machine and, as its numbers of processes mean nothing outside, this container."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str:
    """When the process began, in the system's own count; nothing where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else "unknown"
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]
