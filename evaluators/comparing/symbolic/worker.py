"""The symbolic worker process: one JSON task per line in, one line out.

Every task runs in a fork of this process, which stays as it was when it had just started: what a
task finds out depends on no task before it. Work is counted in calls of Python functions, not in
seconds, so that the same task ends at the same call on every machine under any load.
"""

import gc
import json
import os
import resource
import signal
import sys
from types import FrameType
from typing import Any

# Memory of the worker, bytes.
MEMORY = 1 << 30
# Processor time of one task, seconds: only for work inside a single call, such as huge integers.
CPU_SECONDS = 100
# How often keys of a dictionary are compared, and in which order types are, depends on addresses in
# memory: such calls are not counted.
_UNCOUNTED = frozenset(
    {
        "__eq__",
        "__ne__",
        "__hash__",
        "_hashable_content",
        "_do_eq_sympify",
        "supercedes",
        "<genexpr>",
    }
)
_X = ["sym", "x"]
_INTEGRAL = ["op", "int", ["op", "d", _X, _X], ["num", "0", "1"], ["num", "1", "1"]]
_AT_THE_LIMIT = 3


def main(max_calls: int) -> None:
    """Serve tasks until the input ends, each with so many calls of Python functions."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from sympy.core import random as sympy_random  # noqa: PLC0415 - after the limit is set
    from sympy.core.symbol import Dummy  # noqa: PLC0415

    # Names of dummy symbols order sums and products: drawn at import, they would differ by process.
    sympy_random.seed(0)
    Dummy._base_dummy_index = 10**6  # noqa: SLF001 - there is no public way
    # The algebra system loads much of itself on first use: that belongs to the start of a worker.
    _decided(json.dumps([_INTEGRAL, ["num", "1", "2"]]))
    gc.freeze()
    _say("ready")
    for line in sys.stdin:
        _say(_in_a_fork(line, max_calls))


def _in_a_fork(task: str, max_calls: int) -> str:
    """`equal`, `different`, `undecided`, `failed` or `limit`, and the calls that it took."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
        calls = _Calls(max_calls)
        sys.settrace(calls.count)
        answer = _decided(task)
        sys.settrace(None)
        os.write(writing, f"{answer} {calls.made}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGKILL:
        raise SystemExit("the task was killed from outside, as when memory runs out")
    at_the_limit = code in (_AT_THE_LIMIT, -signal.SIGXCPU)
    return answer or f"{'limit' if at_the_limit else 'failed'} {max_calls}"


class _Calls:
    """Counts calls; the process ends at the last one allowed."""

    def __init__(self, allowed: int) -> None:
        self.allowed, self.made = allowed, 0

    def count(self, frame: FrameType, _event: str, _argument: Any) -> None:
        """One more call, as `sys.settrace` reports it."""
        if frame.f_code.co_name not in _UNCOUNTED:
            self.made += 1
            if self.made == self.allowed:
                os._exit(_AT_THE_LIMIT)


def _decided(task: str) -> str:
    from evaluators.comparing.symbolic.algebra import decide  # noqa: PLC0415 - after the limit is set
    from evaluators.comparing.symbolic.wire import from_wire  # noqa: PLC0415

    try:
        a, b = json.loads(task)
        return decide(from_wire(a), from_wire(b))
    except MemoryError:
        return "limit"
    except Exception:  # noqa: BLE001 - the boundary: whatever the algebra raises is "cannot say"
        return "failed"


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
