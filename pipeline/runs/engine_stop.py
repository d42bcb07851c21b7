"""The end of an engine that may hang: it is waited for so long, and then left behind."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.engines.protocol import Engine
from pipeline.leaving import LEFT_BEHIND

STOP_SECONDS = 120.0
"""An engine's own processes get 20 s to end, actors of a cluster a minute."""
CANCEL_SECONDS = 20.0
"""How long an engine that is given up may take to clear up behind itself."""


async def stop_in_time(engine: Engine, name: str, before: frozenset[int]) -> bool:
    """Stop an engine; whether it has stopped. One that has not is left behind and told of.

    `before` are the processes that this one had started before the engine did.
    """
    stopping = asyncio.ensure_future(engine.stop())
    try:
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        if stopping.done():
            stopping.result()
            return True
        stopping.cancel()
        await asyncio.wait({stopping}, timeout=CANCEL_SECONDS)
    finally:
        stopping.cancel()
    LEFT_BEHIND.set()
    # The loop ends when the threads of its executor do, of which one may be what hangs.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    left = sorted(processes_started() - before)
    theirs = f"; of its processes {', '.join(map(str, left))} may be left" if left else ""
    sys.stderr.write(
        f"Warning: the engine of the {name} did not stop within {STOP_SECONDS:g} s and is left "
        f"behind{theirs}. What is recorded is whole.\n"
    )
    return False


def processes_started() -> frozenset[int]:
    """The processes that this one has started and that run; none where the system does not say."""
    children = Path("/proc/self/task").glob("*/children")
    found: set[int] = set()
    for file in children:
        try:
            found.update(map(int, file.read_text(encoding="ascii").split()))
        except OSError:  # the thread has ended
            continue
    return frozenset(found)
