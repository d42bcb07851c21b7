"""The end of a process in which something was left behind that hangs and could keep it."""

import contextlib
import os
import sys
import threading
import time

LEFT_BEHIND = threading.Event()
"""Something was left behind. That is a matter of the whole process, whatever left it."""
LEAVE_SECONDS = 10.0
"""How long the process may take then to end."""


def leave_in_time(code: int) -> None:
    """Where something was left behind, let it not keep the process from ending with this code."""
    if not LEFT_BEHIND.is_set():
        return

    def end() -> None:
        time.sleep(LEAVE_SECONDS)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)

    threading.Thread(target=end, daemon=True).start()
