"""Ending an engine's processes, even when the process that started them is killed.

They carry a mark in their environment, and whatever they start inherits it. `python orphans.py
MARK` waits for the end of its input, which comes when its parent ends, however that ends; then it
kills everything that still carries the mark. It needs nothing but the standard library, and `/proc`
to find processes: where that is missing it finds none.
"""

import multiprocessing
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "SPECLRM_ENGINE"
STDIN = 0
LOOK_SECONDS = 0.5
ROUND_SECONDS = 0.1
QUIET_ROUNDS = 3
"""A process that was being started is found in the next round."""
MAX_ROUNDS = 100
"""What a kill does not end by then hangs in the system itself."""


class EngineProcesses:
    """The processes of one engine: those started with `environment` set, and all of theirs."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        self._watch = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C and a closed terminal are for the run; this process waits for its end.
            start_new_session=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The mark, and what keeps it readable: vLLM's processes give themselves titles, which
        are written over the environment that `/proc` shows unless `SPT_NOENV` is set.
        """
        return {VARIABLE: self._mark, "SPT_NOENV": "1"}

    def end(self) -> None:
        """Kill those that are left; blocks until they are gone."""
        self._watch.communicate()
        # Joins the children that have ended, so that none stays as a zombie.
        multiprocessing.active_children()


def marked(mark: str) -> Iterator[int]:
    """The processes that carry the mark."""
    wanted = f"{VARIABLE}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            carried = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is somebody else's
            continue
        if wanted in carried:
            yield int(folder.name)


def serve(mark: str) -> None:
    """Wait for the end of the parent, or of what it says; then kill what carries the mark."""
    parent = os.getppid()
    # A copy of the parent may hold the pipe open after it.
    while os.getppid() == parent and not select.select([STDIN], [], [], LOOK_SECONDS)[0]:
        pass
    quiet = 0
    for _ in range(MAX_ROUNDS):
        found = list(marked(mark))
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        quiet = 0 if found else quiet + 1
        if quiet == QUIET_ROUNDS:
            return
        time.sleep(ROUND_SECONDS)


if __name__ == "__main__":
    serve(sys.argv[1])
