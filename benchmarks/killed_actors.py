"""What `kill_resume.py` kills of a Ray cluster: actors of a run, and the run itself."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from killed_processes import children_of, command_of

from pipeline.runs.directory import PROBLEMS, read_attempts

ACTORS = 4
PROBLEMS_PER_KILL = 20
DECODE_SECONDS = 0.01
BETWEEN_SECONDS = 3.0
"""The longest time between two kills."""
DRIVER_SHARE = 0.3
ACTOR = b"ray::HostedEngine"
CLOCKED = {"started", "seconds"}


def kill_actors(kills: int, folder: Path, chance: random.Random) -> dict[str, object]:
    """Run on four actors of a cluster; kill one of them or the driver at random instants."""
    import ray  # noqa: PLC0415 - it is an extra

    problems = kills * PROBLEMS_PER_KILL
    data, script = folder / "sums.jsonl", folder / "script.json"
    rows = ({"id": str(n), "problem": f"{n}+1?", "answer": "2"} for n in range(problems))
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    script.write_text(json.dumps({"latency": {"decode_token": DECODE_SECONDS}}))
    command = [
        *(sys.executable, "-m", "pipeline", "run", "baseline", "--data-file", str(data)),
        *("--model", "m", "--script", str(script)),
    ]
    # A cluster that has room for all, however few cores the machine has.
    ray.init(num_cpus=ACTORS, include_dashboard=False, log_to_driver=False)
    actors = ["--engine", "ray", "--replica-engine", "scripted", "--replicas", str(ACTORS)]
    actors += ["--ray-address", ray.get_runtime_context().gcs_address, "--concurrency", "8"]
    run, killed = folder / "run", Counter[str]()
    commands = 0
    while commands <= kills:
        commands += 1
        if _once([*command, *actors, "--output-dir", str(run)], run, kills, killed, chance) == 0:
            break
    ray.shutdown()
    script.write_text("{}")
    alone = folder / "alone"
    subprocess.run(
        [*command, "--engine", "scripted", "--output-dir", str(alone)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen = Counter(attempt.key for attempt in read_attempts(run))
    return {
        "kills": killed.total(),
        "actors_killed": killed["actor"],
        "drivers_killed": killed["driver"],
        "commands": commands,
        "attempts_expected": problems,
        "attempts_once": sum(count == 1 for count in seen.values()),
        "attempts_missing": problems - len(seen),
        "failed": sum(one.status == "error" for one in read_attempts(run)),
        "as_one_engine_writes_them": _written(run) == _written(alone),
    }


def _once(
    command: list[str], run: Path, kills: int, killed: Counter[str], chance: random.Random
) -> int:
    """Start the run, and kill until it has ended or is killed itself; how it ended."""
    before = _bytes(run)
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while driver.poll() is None and _bytes(run) == before:
        time.sleep(0.01)
    while driver.poll() is None:
        time.sleep(chance.uniform(0, BETWEEN_SECONDS))
        if killed.total() >= kills:
            continue
        actors = [one for one in _below(os.getpid()) if command_of(one)[0].startswith(ACTOR)]
        if chance.random() < DRIVER_SHARE:
            driver.kill()
            killed["driver"] += driver.wait() == -signal.SIGKILL
        elif actors:
            os.kill(chance.choice(actors), signal.SIGKILL)
            killed["actor"] += 1
    return driver.wait()


def _below(process: int) -> Iterator[int]:
    for child in children_of(process):
        yield child
        yield from _below(child)


def _bytes(run: Path) -> int:
    return sum(file.stat().st_size for file in run.glob(f"{PROBLEMS}/*.jsonl"))


def _written(run: Path) -> dict[Any, Any]:
    """Every attempt, without what a clock decides."""
    return {one.key: _timeless(msgspec.to_builtins(one)) for one in read_attempts(run)}


def _timeless(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _timeless(one) for name, one in part.items() if name not in CLOCKED}
    return [_timeless(one) for one in part] if isinstance(part, list | tuple) else part
