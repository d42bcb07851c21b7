"""The process that keeps a run directory and its store alike, and the run's side of it.

It holds the run's lease, downloads what is new before the run begins, and uploads every file once
it has changed. A process of its own, because it is not held up by an engine that keeps the
interpreter busy, and because it still uploads what is there when the run is killed.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.errors import RunStopped, UserMistake
from pipeline.runs.lock import InUse
from pipeline.runs.mirror import Mirror
from pipeline.runs.store_lease import LEASE_SECONDS, Lease
from pipeline.stores.addresses import address_of
from pipeline.stores.failures import Overtaken, reason_of
from pipeline.stores.objects import opened
from pipeline.stores.patience import (
    LOOK_SECONDS,
    PATIENCE_SECONDS,
    QUIET_SECONDS,
    START_PATIENCE,
    Trouble,
    patience_of,
    patiently,
    patiently_told,
    silence,
    silence_told,
)

STDIN = 0
END = b"end\n"
READY, MISTAKE, STOPPED, IN_USE = "ready", "mistake", "stopped", "in use"
SILENT, NOTE = "silent", "note"
NAMED = 3
_ERRORS = {MISTAKE: UserMistake, STOPPED: RunStopped, IN_USE: InUse}


class _RunEnded(Exception):  # noqa: N818 - named for what happened
    """The run that this process works for was killed."""


@dataclass(frozen=True, slots=True)
class StoreProcess:
    """The run's side: what the process says, and its end."""

    process: "subprocess.Popen[str]"
    troubles: list[str]
    silence: list[str]
    """That the store does not answer now, to be said where its end is waited for."""
    notes: list[str]
    """What is said when it has ended."""
    listener: threading.Thread

    @classmethod
    def started(cls, folder: Path, lock_handle: int) -> "StoreProcess":
        """Start it for a run directory; it has the lease, and the folder is as new as the store.

        Raises:
            InUse: somebody else writes to the run.
            UserMistake: the store cannot be used.
            RunStopped: the store does not answer.
        """
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name, str(folder), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=(lock_handle,),
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in process.stdout:
            kind, text = json.loads(line)
            if kind == NOTE:
                sys.stderr.write(f"{text}\n")
                continue
            if kind != READY:
                process.communicate()
                raise _ERRORS[kind](text)
            break
        else:
            process.communicate()
            raise RunStopped(f"The process that downloads {folder} has ended; see above.")
        return cls.listening(process)

    @classmethod
    def listening(cls, process: "subprocess.Popen[str]") -> Self:
        """The side of the run of a process that is ready."""
        troubles: list[str] = []
        silence: list[str] = []
        notes: list[str] = []
        heard = (process, troubles, silence, notes)
        listener = threading.Thread(target=_listen, args=heard, daemon=True)
        listener.start()
        return cls(process, troubles, silence, notes, listener)

    def check(self) -> None:
        """Look whether the run may go on.

        Raises:
            RunStopped: the store does not answer, or the run was taken over.
        """
        if self.troubles:
            raise RunStopped(self.troubles[0])

    def finish(self) -> str | None:
        """Let it upload what is left, and wait for it; why something is left, if it is."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            self.process.stdin.write(END.decode())
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(QUIET_SECONDS)
        except subprocess.TimeoutExpired:
            sys.stderr.write(
                "Uploading what is left; Ctrl-C leaves it to the next start of the run.\n"
            )
            said = ""
            while self.listener.is_alive():
                self.listener.join(LOOK_SECONDS)
                silence = "".join(self.silence)
                if silence and silence != said:
                    sys.stderr.write(f"{silence}\n")
                    said = silence
        self.listener.join()
        sys.stderr.writelines(f"{note}\n" for note in self.notes)
        return self.troubles[0] if self.troubles else None


def _listen(
    process: "subprocess.Popen[str]", troubles: list[str], silence: list[str], notes: list[str]
) -> None:
    for line in process.stdout or ():
        kind, text = json.loads(line)
        if kind == SILENT:
            silence[:] = [text]
        elif kind == NOTE:
            notes.append(text)
        else:
            troubles.append(text)
    if process.wait() and not troubles:
        troubles.append(
            "The process that uploads the run has ended; run the same command again: finished "
            "attempts are kept."
        )


class _Run:
    """The run, seen from the process that works for it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._watch = selectors.DefaultSelector()
        self._watch.register(STDIN, selectors.EVENT_READ)
        self._heard = b""
        self.finished = False

    def wait(self, seconds: float) -> None:
        """Wait as long, or until the run ends; `finished` says that it has, by itself.

        Raises:
            _RunEnded: it was killed.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            # A process that the run has forked may hold the pipe open.
            if os.getppid() != self._pid:
                raise _RunEnded
            if self.finished:
                time.sleep(min(left, 0.2))
            elif self._watch.select(min(left, 1.0)):
                self._listen()
                if self.finished:
                    return

    def _listen(self) -> None:
        heard = os.read(STDIN, 64)
        self._heard += heard
        self.finished = self._heard == END
        if not heard and not self.finished:
            raise _RunEnded

    def tell(self, kind: str, text: str = "") -> None:
        """Say something to the run; one that has gone hears nothing."""
        try:
            sys.stdout.write(json.dumps([kind, text]) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def serve(folder: Path, run: _Run, run_pid: int) -> None:
    """Keep a folder and its store alike until the run ends."""
    address = address_of(folder) or str(folder)
    try:
        objects = opened(address)
        lease, mirror = Lease(objects, run_pid), Mirror(folder, objects)
        _begin(lease, mirror, run)
        with lease.held():
            _at_the_start(mirror.pull, mirror, run)
            run.tell(READY)
            trouble = _kept_alike(lease, mirror, run)
    except (Trouble, Overtaken) as error:
        run.tell(
            STOPPED,
            f"The store of {address} does not answer ({error}); nothing was changed, repeat the "
            "command once it does.",
        )
        return
    except UserMistake as error:
        run.tell(MISTAKE, str(error))
        return
    except InUse as error:
        run.tell(IN_USE, str(error))
        return
    except OSError as error:
        run.tell(STOPPED, _no_place(error, folder))
        return
    if trouble:
        run.tell(STOPPED, trouble)
    mirror.forget()


def _begin(lease: Lease, mirror: Mirror, run: _Run) -> None:
    """Take the lease, and say what the store cannot promise."""
    conditional = False
    asking = threading.Event()

    def pause(seconds: float) -> None:
        asking.clear()
        run.wait(seconds)
        asking.set()

    def take() -> None:
        nonlocal conditional
        asking.set()
        conditional = lease.take(pause, lambda text: run.tell(NOTE, text))

    _at_the_start(take, mirror, run, asking.is_set)
    if not conditional:
        run.tell(
            NOTE,
            f"Warning: the store of {mirror.objects.address} replaces an object whatever version "
            "it holds. If this process is held up for more than "
            f"{LEASE_SECONDS:g} s, and another machine goes on with the run meanwhile, one can "
            "write over what the other has uploaded; what it has made stays on its disk.",
        )


def _at_the_start(
    work: Callable[[], None], mirror: Mirror, run: _Run, asks: Callable[[], bool] = lambda: True
) -> None:
    patiently_told(
        mirror.objects.address,
        work,
        run.wait,
        lambda text: run.tell(NOTE, text),
        moved=lambda: mirror.moved,
        asks=asks,
    )


def _kept_alike(lease: Lease, mirror: Mirror, run: _Run) -> str | None:
    """Upload what changes until the run ends; why not all of it is uploaded then, if so."""
    address, folder = mirror.objects.address, mirror.folder
    try:
        _upload(lease, mirror, run)
    except Trouble as error:
        return (
            f"The store of {address} takes no uploads ({error}): {len(mirror.changed())} files of "
            f"the run are not there as they are. They are kept in {folder}, and the next `speclrm "
            "run` of it on this machine uploads them."
        )
    except Overtaken as error:
        return _overtaken(error, lease, mirror)
    except OSError as error:
        return _no_place(error, folder)
    return None


def _overtaken(error: Overtaken, lease: Lease, mirror: Mirror) -> str:
    kept = f"what it has made and not uploaded is kept in {mirror.folder}"
    with contextlib.suppress(Trouble, UserMistake):
        if lease.is_held():
            return (
                f"Something else than this run has changed {error} in {mirror.objects.address}; "
                f"{kept}, and the next `speclrm run` of it on this machine puts both together."
            )
    return (
        f"Another process writes to {mirror.objects.address} now, because this one was not heard "
        f"of for too long; {kept}."
    )


def _no_place(error: OSError, folder: Path) -> str:
    return (
        f"Cannot write {error.filename or folder} ({error.strerror}); free space or repair the "
        "disk, then run the same command again: finished attempts are kept."
    )


def _upload(lease: Lease, mirror: Mirror, run: _Run) -> None:
    """Upload what changes, and in the end the logs and what others have removed meanwhile."""
    patience = patience_of(PATIENCE_SECONDS)
    ended, looked = False, 0.0
    put_right: list[str] = []
    asking = threading.Event()
    troubles: list[str] = []

    def upload() -> None:
        try:
            lease.renew()
            mirror.push(everything=ended)
            if ended:
                put_right.extend(mirror.put_right())
        except UserMistake as error:
            # It has taken what came before, so it may yet take this.
            cause = error.__cause__
            raise Trouble(reason_of(cause or error)) from error

    def tell(silent: bool) -> None:
        trouble = "".join(troubles[-1:])
        run.tell(SILENT, silence(mirror.objects.address, patience, trouble) if silent else "")

    with silence_told(tell, lambda: mirror.moved, asking.is_set):
        try:
            while not ended:
                # Looking at very many files is not to keep a core busy.
                run.wait(max(LOOK_SECONDS, 10 * looked))
                ended = run.finished
                began = time.monotonic()
                asking.set()
                patiently(upload, run.wait, patience, lambda: mirror.moved, troubles.append)
                asking.clear()
                looked = min(time.monotonic() - began, 1.0)
        except _RunEnded:
            ended = True
            patiently(upload, time.sleep, patience_of(START_PATIENCE), lambda: mirror.moved)
    if put_right:
        run.tell(
            NOTE,
            f"Warning: something else than this run has removed or changed {_listed(put_right)} in "
            f"{mirror.objects.address} while it went on; what the run has made is there again.",
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more files" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def main(folder: str, run_pid: str) -> None:
    """Serve the run of that process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    run = _Run(int(run_pid))
    try:
        serve(Path(folder), run, int(run_pid))
    except _RunEnded:
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
