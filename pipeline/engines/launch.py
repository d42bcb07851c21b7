"""How an engine is started: environment, log file, quiet terminal."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

# Environment and file descriptors belong to the whole process, so engines start one at a time.
# (Two engines on one GPU must do so anyway: each measures the free memory.)
START_LOCK = threading.Lock()

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and put back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def unless_set(values: Mapping[str, str]) -> dict[str, str]:
    """Those of `values` that the user's own environment does not set."""
    return {name: value for name, value in values.items() if name not in os.environ}


@contextlib.contextmanager
def output_to(log: Path | None) -> Iterator[None]:
    """Send everything that this process and its new children print to `log`.

    By file descriptor, since compiled libraries and worker processes print too. Children keep
    the log after the block has ended. Without a log nothing is redirected.
    """
    if log is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    log.parent.mkdir(parents=True, exist_ok=True)
    saved = [os.dup(STDOUT), os.dup(STDERR)]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(target, STDOUT)
        os.dup2(target, STDERR)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], STDOUT)
        os.dup2(saved[1], STDERR)
        for descriptor in (target, *saved):
            os.close(descriptor)


@contextlib.contextmanager
def deaf_to_the_terminal() -> Iterator[None]:
    """Processes started meanwhile in this thread, and theirs, hear neither Ctrl-C nor its closing.

    A terminal tells every process in it; what becomes of the engine is for the run to say.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
