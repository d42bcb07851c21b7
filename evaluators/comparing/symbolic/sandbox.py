"""Symbolic work (integrals, limits, infinite sums) in worker processes that can be killed.

A worker is a fresh interpreter that reads one JSON line per task; it is started when first needed
and kept. What a task may spend is counted by the worker itself in work, never in the time that
passes here: a busy machine makes a caller wait and changes no decision. Nothing is inherited from
the calling process, and no signal is used, so any thread may call.
"""

import atexit
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.comparing.symbolic.wire import to_wire
from evaluators.nodes import Node, Unreadable
from evaluators.verdict import Decision, different, equal, undecided

# Calls of Python functions that one task may make; two seconds or so of a processor of 2020.
MAX_CALLS = 2_000_000
# A worker that says nothing for so long is stuck, not busy (its own limit is a fraction of it).
SILENCE_SECONDS = 900.0
# Workers that are tried for one task before grading stops.
MAX_TRIES = 3
# Workers at once.
MAX_WORKERS = min(8, os.cpu_count() or 1)
# The order in which the algebra system does its work follows these.
_FIXED = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "MPMATH_NOGMPY": "1",
    "SYMPY_GROUND_TYPES": "python",
    "SYMPY_USE_CACHE": "yes",
}
_ANSWERS = {"equal": equal, "different": different}


class NoWorker(RuntimeError):  # noqa: N818 - named for what it is
    """The symbolic worker does not start, or ends without an answer, time and again."""


def proven(a: Node, b: Node) -> Decision:
    """What the symbolic worker finds out about two formulas within its limits.

    Raises NoWorker where no worker can be had; that is no property of the formulas.
    """
    try:
        task = json.dumps([to_wire(a), to_wire(b)])
    except Unreadable:
        return undecided("no_symbolic_form")
    answer = _pool().ask(task).split()[0]
    return _ANSWERS[answer]("symbolic") if answer in _ANSWERS else undecided(f"symbolic_{answer}")


class _Worker:
    def __init__(self, max_calls: int) -> None:
        root = str(Path(__file__).resolve().parents[3])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evaluators.comparing.symbolic.worker", str(max_calls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_FIXED, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        self.ready = False

    def read_line(self, silence: float) -> str | None:
        """One line from the worker, or None after so many seconds of silence or at its death."""
        stream = self.process.stdout
        if stream is None:
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(silence):
                return None
        return stream.readline().decode().strip() or None

    def start(self, silence: float) -> bool:
        """Wait until the worker has loaded the algebra system; whether it has."""
        self.ready = self.ready or self.read_line(silence) is not None
        return self.ready

    def ask(self, task: str, silence: float) -> str | None:
        """The answer to one task; None when the worker must be replaced."""
        stream = self.process.stdin
        if stream is None or not self.start(silence):
            return None
        try:
            stream.write(task.encode() + b"\n")
            stream.flush()
        except (BrokenPipeError, OSError):
            return None
        return self.read_line(silence)

    def kill(self) -> None:
        """End the process with the task that it runs, and close its pipes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.process.wait()


@dataclass
class _Pool:
    max_calls: int = MAX_CALLS
    silence: float = SILENCE_SECONDS
    owner: int = field(default_factory=os.getpid)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_WORKERS))
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[_Worker] = field(default_factory=list)

    def ask(self, task: str) -> str:
        """Hand a task to a worker, when one is free; its answer and the calls that it took.

        Raises NoWorker when several in a row end or hang without one.
        """
        with self.slots:
            for _ in range(MAX_TRIES):
                worker = self._take()
                answer = worker.ask(task, self.silence)
                if answer is not None:
                    self._give(worker)
                    return answer
                worker.kill()
        raise NoWorker(
            f"The symbolic worker ended {MAX_TRIES} times without an answer. See what "
            f"`{sys.executable} -m evaluators.comparing.symbolic.worker 1` says, "
            "and whether memory is left."
        )

    def _take(self) -> _Worker:
        with self.lock:
            if self.idle:
                return self.idle.pop()
        return _Worker(self.max_calls)

    def _give(self, worker: _Worker) -> None:
        with self.lock:
            self.idle.append(worker)

    def warm_up(self) -> None:
        """Start one worker and wait until it is ready."""
        worker = self._take()
        if worker.start(self.silence):
            self._give(worker)
        else:
            worker.kill()

    def close(self) -> None:
        """Kill the idle workers."""
        with self.lock:
            for worker in self.idle:
                worker.kill()
            self.idle.clear()


@dataclass
class _Holder:
    """The pool of this process; a forked child makes its own."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    pool: _Pool | None = None


_holder = _Holder()


def _pool() -> _Pool:
    with _holder.lock:
        if _holder.pool is None or _holder.pool.owner != os.getpid():
            _holder.pool = _Pool()
            atexit.register(_holder.pool.close)
        return _holder.pool


def warm_up() -> None:
    """Start a symbolic worker now, so that the first task that needs one does not wait."""
    _pool().warm_up()
