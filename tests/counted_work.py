"""Grade hostile answers and count the work: `python tests/counted_work.py` prints a line each.

The work is the number of calls, of Python and of C, and the most memory at a time; so a busy
machine changes nothing. What hides in one call that never ends, such as a power of a thousand
million digits, ends with the limit on this process's own processor time.
"""

import json
import resource
import sys
import tracemalloc
from types import FrameType

from test_evaluators_safety import HOSTILE

from evaluators import grade

PROCESSOR_SECONDS = 120
MOST_CALLS = 3_000_000
"""Three times what the most work in the list takes."""


class TooMuchWork(Exception):  # noqa: N818 - named for what it is
    """Raised in the middle of grading."""


class Count:
    """A profile function that counts calls and ends a grading that makes too many."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        self.calls += event in {"call", "c_call"}
        if self.calls > MOST_CALLS:
            sys.setprofile(None)
            raise TooMuchWork


def main() -> None:
    """Grade, count, print."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    for answer in ["1", *HOSTILE]:
        count = Count()
        tracemalloc.start()
        sys.setprofile(count)
        try:
            status = grade(answer, "42", "latex").status
        except TooMuchWork:
            status = "too much work"
        sys.setprofile(None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        line = {"answer": answer, "status": status, "calls": count.calls, "peak_bytes": peak}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
