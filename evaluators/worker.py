"""The symbolic worker process: one JSON task per line in, one word per line out."""

import json
import resource
import sys

# Memory of the worker, bytes.
MEMORY = 1 << 30
_X, _ONE = ["sym", "x"], ["num", "1", "1"]
_WARM_UP = ["op", "int", ["op", "mul", _X, ["sym", "d"], _X], ["num", "0", "1"], _ONE]


def main() -> None:
    """Serve tasks until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from evaluators.algebra import decide  # noqa: PLC0415 - after the limit is set
    from evaluators.wire import from_wire  # noqa: PLC0415

    # The algebra system loads much of itself on first use: that belongs to the start of a worker.
    decide(from_wire(_WARM_UP), from_wire(["num", "1", "2"]))
    _say("ready")
    for line in sys.stdin:
        try:
            a, b = json.loads(line)
            answer = decide(from_wire(a), from_wire(b))
        except Exception:  # noqa: BLE001 - the boundary: whatever the algebra raises is "cannot say"
            answer = "failed"
        _say(answer)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
