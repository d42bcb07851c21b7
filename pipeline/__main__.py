"""The command `speclrm`, which is also `python -m pipeline`."""

import atexit
import signal
import sys
import traceback

from pipeline.errors import RUN_STOPPED
from pipeline.leaving import leave_in_time
from pipeline.signals import answer_endings, ignore_signals, leave_by_signals
from pipeline.streams import repair_streams


def command() -> None:
    """Load the command line and call it; signals are answered from here to the process's end."""
    answer_endings(signal.default_int_handler)
    atexit.register(ignore_signals)  # the first that is registered is the last that is called
    repair_streams()
    try:
        try:
            from pipeline.cli import main  # noqa: PLC0415 - loading it takes time

            main()
        finally:
            leave_by_signals()
    except KeyboardInterrupt:
        leave_by_signals()
        sys.stderr.write("Error: Interrupted.\n")
        leave_in_time(RUN_STOPPED)
        sys.exit(RUN_STOPPED)
    except Exception:  # noqa: BLE001 - the boundary: Python's own code would say that attempts failed
        traceback.print_exc()
        leave_in_time(RUN_STOPPED)
        sys.exit(RUN_STOPPED)
    except SystemExit as end:
        leave_in_time(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise
    leave_in_time(0)


if __name__ == "__main__":
    command()
