"""Symbolic work (integrals, limits, infinite sums) in worker processes that can be killed.

A worker is a fresh interpreter that reads one JSON line per task; it is started when first needed,
kept warm, limited in memory, killed at the deadline and replaced after a number of tasks. Nothing
is inherited from the calling process, and no signal is used, so any thread may call.
"""

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.nodes import Node, Op, Sym, Unreadable, walk
from evaluators.verdict import Decision, different, equal, undecided
from evaluators.wire import to_wire

# Wall-clock limits, seconds: one task, and the start of a worker (it imports the algebra system).
TASK_SECONDS = 1.5
START_SECONDS = 60.0
# The longest a caller may wait in all for a worker that is still starting, seconds.
WAIT_SECONDS = 2.5
# Workers at once, and tasks after which one is replaced (the algebra system caches what it saw).
MAX_WORKERS = 2
MAX_TASKS = 300
_ANSWERS = {"equal": equal, "different": different}


def is_for_algebra(node: Node) -> bool:
    """Whether the formula holds an operation that plain evaluation does not do."""
    for n in walk(node):
        if isinstance(n, Op) and n.name in ("int", "lim"):
            return True
        if isinstance(n, Op) and n.name in ("sum", "prod"):
            return any(
                isinstance(part, Sym) and part.name == "oo"
                for arg in n.args[1:]
                for part in walk(arg)
            )
    return False


def proven(a: Node, b: Node) -> Decision:
    """What the symbolic worker finds out about two formulas within its limits."""
    try:
        task = json.dumps([to_wire(a), to_wire(b)])
    except Unreadable:
        return undecided("no_symbolic_form")
    answer = _pool().ask(task)
    return _ANSWERS[answer]("symbolic") if answer in _ANSWERS else undecided(f"symbolic_{answer}")


class _Worker:
    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evaluators.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self.started = time.monotonic()
        self.ready = False
        self.tasks = 0

    def read_line(self, deadline: float) -> str | None:
        """One line from the worker, or None at the deadline or its death."""
        stream = self.process.stdout
        if stream is None:
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
        return stream.readline().decode() or None

    def ask(self, task: str, deadline: float) -> str | None:
        """The answer to one task; None when the worker must be replaced."""
        stream = self.process.stdin
        if stream is None:
            return None
        try:
            stream.write(task.encode() + b"\n")
            stream.flush()
        except (BrokenPipeError, OSError):
            return None
        self.tasks += 1
        answer = self.read_line(deadline)
        return answer.strip() if answer else None

    def kill(self) -> None:
        """End the process, whatever it is doing, and close its pipes."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue
        self.process.wait()


@dataclass
class _Pool:
    owner: int = field(default_factory=os.getpid)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_WORKERS))
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[_Worker] = field(default_factory=list)

    def ask(self, task: str) -> str:
        """Hand a task to a worker and wait for its answer, within the limits."""
        deadline = time.monotonic() + WAIT_SECONDS
        if not self.slots.acquire(timeout=WAIT_SECONDS):
            return "busy"
        try:
            return self._ask(task, deadline)
        finally:
            self.slots.release()

    def _ask(self, task: str, deadline: float) -> str:
        worker = self._take()
        if not worker.ready:
            worker.ready = worker.read_line(deadline) is not None
        if not worker.ready:
            self._keep_starting(worker)
            return "starting"
        answer = worker.ask(task, min(deadline, time.monotonic() + TASK_SECONDS))
        if answer is None or worker.tasks >= MAX_TASKS:
            worker.kill()
        else:
            self._give(worker)
        return answer or "timeout"

    def _keep_starting(self, worker: _Worker) -> None:
        alive = worker.process.poll() is None
        if alive and time.monotonic() - worker.started < START_SECONDS:
            self._give(worker)
        else:
            worker.kill()

    def _take(self) -> _Worker:
        with self.lock:
            if self.idle:
                return self.idle.pop()
        return _Worker()

    def _give(self, worker: _Worker) -> None:
        with self.lock:
            self.idle.append(worker)

    def warm_up(self) -> None:
        """Start one worker and wait until it is ready."""
        worker = self._take()
        worker.ready = (
            worker.ready or worker.read_line(time.monotonic() + START_SECONDS) is not None
        )
        self._keep_starting(worker)

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
