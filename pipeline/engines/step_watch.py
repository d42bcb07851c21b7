"""A step of an engine in this process that never returns ends the process.

While it lasts its requests cannot be given up and, in vLLM's case, nothing else of the run can go
on, so there is nobody to end the run in order. It ends as if it were killed: what is recorded is
kept, and the same command resumes.
"""

import faulthandler
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.errors import RUN_STOPPED

STEP_SECONDS = 1800.0
"""A step computes a few thousand tokens at most: seconds, or minutes on a slow machine."""
LOOK_SECONDS = 1.0
LOOKS = 4
"""At least so often a step is looked at before it is given up."""
SHOW_CURSOR = "\x1b[?25h"
STDERR = 2


@dataclass(slots=True)
class Looks:
    """How often in a row the same step was seen running."""

    seen: int = 0
    count: int = 0

    def saw(self, running: int) -> int:
        """Look once more: the number of the step that runs, 0 for none."""
        self.count = self.count + 1 if running and running == self.seen else 0
        self.seen = running
        return self.count


class StepWatch:
    """Watches the steps of one engine, each in a `with` block, until `end`.

    The time is counted in looks of a thread of its own, so that a process that was stopped
    (Ctrl-Z) is not taken for one that hangs.
    """

    def __init__(self, engine: str, seconds: float | None, log: Path | None) -> None:
        """A step may take `seconds`, None for `STEP_SECONDS`; then `log` gets all stacks."""
        self._engine, self._log = engine, log
        self._seconds = STEP_SECONDS if seconds is None else seconds
        self._number = 0
        self._running = 0
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="step watch", daemon=True).start()

    def __enter__(self) -> Self:
        """A step begins."""
        self._number += 1
        self._running = self._number
        return self

    def __exit__(self, *_: object) -> None:
        """The step has returned, or raised."""
        self._running = 0

    def end(self) -> None:
        """Watch no more; may be called twice."""
        self._over.set()

    def _watch(self) -> None:
        pause = min(LOOK_SECONDS, self._seconds / LOOKS)
        looks = Looks()
        while not self._over.wait(pause):
            if looks.saw(self._running) * pause >= self._seconds:
                self._give_up()

    def _give_up(self) -> None:
        """Say why, and end the process where it is."""
        if self._log is not None:
            with self._log.open("a") as log:
                faulthandler.dump_traceback(log)
        cursor = SHOW_CURSOR if os.isatty(STDERR) else ""
        # Not by `sys.stderr`, which the thread that hangs may hold.
        os.write(
            STDERR,
            f"{cursor}\nError: A step of the engine {self._engine} did not return within "
            f"{self._seconds:g} s, so the run was ended; what is recorded is kept, and the same "
            "command continues. If steps take that long here, raise --step-timeout.\n".encode(),
        )
        os._exit(RUN_STOPPED)
