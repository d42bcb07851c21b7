"""Stands in for the probing process: each way of a cell is a way to behave. Loads no library."""

import json
import os
import signal
import sys

TAKEN = 256 * 2**20


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


say("ready")
for line in sys.stdin:
    cell = json.loads(line)
    match cell["way"]:
        case "beam":
            kept = bytearray(os.urandom(1)) * TAKEN
            signal.pause()
        case "batched":
            signal.pause()
        case "sampling":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "nucleus":
            sys.exit(7)
        case _:
            say(json.dumps({"cell": cell, "verdict": "works", "same": True}))
