"""The probing process seen from outside: combinations tried one after another, under limits.

One that takes too much memory or time is ended with its process, which is a finding; the others go
on in a new one.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.errors import RunStopped
from pipeline.measuring.combination import Combination

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """What one combination may take: bytes over what the idle process has, and seconds."""

    memory: int = 2 << 30
    seconds: float = 60.0
    compiling_seconds: float = 300.0
    start_seconds: float = 180.0

    def of(self, combination: Combination) -> float:
        """The seconds of one combination."""
        return self.compiling_seconds if combination.compiles else self.seconds


def probed(
    combinations: Sequence[Combination],
    models: Path,
    *,
    limits: Limits | None = None,
    program: Sequence[str] = ("-m", "pipeline.measuring.probe_worker"),
    on_cpu: bool = False,
) -> Iterator[tuple[Combination, dict[str, Any]]]:
    """What the worker found of each, in order; `models` is an empty folder for its tiny models.

    `on_cpu` hides GPUs from it.

    Raises:
        RunStopped: the process does not start.
    """
    limits = limits or Limits()
    left = list(combinations)
    while left:
        with _worker(models, limits, program, on_cpu=on_cpu) as worker:
            while left:
                found = worker.ask(left[0], limits)
                yield left.pop(0), found
                if worker.ended:
                    break


@contextmanager
def _worker(
    models: Path, limits: Limits, program: Sequence[str], *, on_cpu: bool
) -> Iterator["_Worker"]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    log = (models / "worker.log").open("w+", encoding="utf-8", errors="replace")
    process = subprocess.Popen(
        [sys.executable, *program, models, str(limits.memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            # A build that is killed leaves a lock there, on which every later one would wait.
            "TORCH_EXTENSIONS_DIR": str(models / "extensions"),
            **({"CUDA_VISIBLE_DEVICES": ""} if on_cpu else {}),
        },
        start_new_session=True,
    )
    worker = _Worker(process, log)
    try:
        worker.begin(limits)
        yield worker
    finally:
        worker.kill()
        log.close()


class _Worker:
    def __init__(self, process: subprocess.Popen[bytes], log: IO[str]) -> None:
        self.process, self.log = process, log
        self.ended = False
        self.idle = 0

    def begin(self, limits: Limits) -> None:
        """Wait until its libraries are loaded."""
        line, why = self._line(limits.start_seconds, None)
        if line is None:
            raise RunStopped(
                f"transformers could not be probed: the process that tries it {why}"
                f"{self._last_words()}; run speclrm doctor"
            )
        self.idle = _resident(self.process.pid) or 0

    def ask(self, combination: Combination, limits: Limits) -> dict[str, Any]:
        """What it found, or how it ended over it."""
        task = json.dumps(asdict(combination)) + "\n"
        with suppress(BrokenPipeError):
            if self.process.stdin is not None:
                self.process.stdin.write(task.encode())
                self.process.stdin.flush()
        line, why = self._line(limits.of(combination), limits.memory)
        if line is None:
            self.ended = True
            return {"verdict": "refused", "reason": why}
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        """End it, and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self.process.wait()

    def _line(self, seconds: float, memory: int | None) -> tuple[str | None, str]:
        """The next line, or None and why there is none."""
        stream = self.process.stdout
        if stream is None:
            return None, "has no output"
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while not selector.select(POLL_SECONDS):
                if time.monotonic() > deadline:
                    return None, "killed: time"
                taken = (_resident(self.process.pid) or 0) - self.idle
                if memory is not None and taken > memory:
                    return None, "killed: memory"
        # A line is written whole and is short, so it arrives whole.
        line = stream.readline().decode()
        return (line, "") if line.endswith("\n") else (None, self._ending())

    def _ending(self) -> str:
        code = self.process.wait()
        # The system ends what takes the last of its memory so.
        if code == -signal.SIGKILL:
            return "killed: memory"
        return f"killed: {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def _last_words(self) -> str:
        self.log.seek(0)
        lines = [line.strip() for line in self.log.read().splitlines() if line.strip()]
        return f" ({lines[-1]})" if lines else ""


def _resident(pid: int) -> int | None:
    """Bytes of a process's pages; None where the system does not show them."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
