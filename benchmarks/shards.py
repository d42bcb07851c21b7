"""What shards, actors and replicas cost and gain: overhead per attempt, memory, throughput.

    python benchmarks/shards.py [--quick]        # one process and eight shards
    python benchmarks/shards.py --actors         # one process and eight actors of Ray
    python benchmarks/shards.py --servers        # one vLLM server and two, on a core each

The first two run the scripted engine: the processor time of an attempt is that of the larger run
less that of the smaller, so that the starts of processes are not in it. The last line printed is a
JSON object.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import NamedTuple

from report import print_result

from pipeline.resources import pocket_dir
from pipeline.runs.directory import read_attempts

SMALL, LARGE = 1_000, 10_000
QUICK_SMALL, QUICK_LARGE = 200, 1_000
PROBLEMS = 200
WAYS = 8
KIB_PER_MIB = 1024
ROUNDS, QUICK_ROUNDS = 5, 1
SERVED_ATTEMPTS = 96
UP_SECONDS = 300.0


class Cost(NamedTuple):
    """What a command took: wall and processor seconds, and the largest process in MiB."""

    seconds: float
    processor: float
    peak_mib: float


def cost_of(command: list[str]) -> Cost:
    """Run it in a process that starts nothing else, and see what it and its children took."""
    program = (
        "import json, resource, subprocess, sys, time\n"
        "began = time.perf_counter()\n"
        "code = subprocess.run(sys.argv[1:], stdout=2).returncode\n"
        "took = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([code, time.perf_counter() - began, took.ru_utime + took.ru_stime, "
        "took.ru_maxrss]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    code, seconds, processor, peak = json.loads(ended.stdout)
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return Cost(seconds, processor, peak / KIB_PER_MIB)


def scripted(attempts: int, how: list[str]) -> Cost:
    """Make so many attempts; each must be there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = ({"id": str(n), "problem": f"{n}+1?", "answer": "1"} for n in range(PROBLEMS))
        lines = (json.dumps(row | {"kind": "integer"}) + "\n" for row in rows)
        (folder / "sums.jsonl").write_text("".join(lines))
        (folder / "script.json").write_text("{}")
        cost = cost_of(
            [
                *(sys.executable, "-m", "pipeline", "run", "baseline", "--model", "scripted"),
                *("--data-file", str(folder / "sums.jsonl"), *how),
                *("--script", str(folder / "script.json"), "--output-dir", str(folder / "run")),
                *("--repeats", str(attempts // PROBLEMS)),
            ]
        )
        made = len({attempt.key for attempt in read_attempts(folder / "run")})
        if made != attempts:
            raise SystemExit(f"{made} attempts instead of {attempts}")
    return cost


def measured(small: int, large: int, how: list[str]) -> dict[str, float]:
    """What an attempt costs, and what memory does."""
    few, many = scripted(small, how), scripted(large, how)
    each = (many.processor - few.processor) / (large - small)
    return {
        "processor_ms_per_attempt": round(1000 * each, 3),
        "seconds": round(many.seconds, 1),
        "processor_seconds": round(many.processor, 1),
        "peak_mib_few": round(few.peak_mib, 1),
        "peak_mib_many": round(many.peak_mib, 1),
    }


@contextlib.contextmanager
def server(core: int, folder: Path) -> Iterator[str]:
    """A vLLM server of the pocket target on one core; its address."""
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    options = "--enforce-eager --no-enable-chunked-prefill --block-size 32 --dtype float32"
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", *options.split()),
        *("--model", str(pocket_dir() / "target"), "--served-model-name", "m"),
        *("--host", "127.0.0.1", "--port", str(port), "--max-num-seqs", "32"),
    ]
    surroundings = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": str(core),
        "TORCH_COMPILE_DISABLE": "1",
    }
    with (folder / f"server-{core}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings)
    deadline = time.monotonic() + UP_SECONDS
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket() as one:
                one.connect(("127.0.0.1", port))
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def served(addresses: list[str], folder: Path) -> float:
    """Tokens a second, while any attempt was in flight."""
    words = [word for address in addresses for word in ("--base-url", address)]
    run = folder / f"run-{time.monotonic_ns()}"
    cost_of(
        [
            *(sys.executable, "-m", "pipeline", "run", "baseline", "--problem-id"),
            *(f"first:{SERVED_ATTEMPTS}", "--engine", "openai", "--model", "m", *words),
            *("--output-dir", str(run), "--concurrency", "32"),
        ]
    )
    attempts = list(read_attempts(run))
    began = [datetime.fromisoformat(str(one.started)).timestamp() for one in attempts]
    ended = [b + (one.seconds or 0.0) for b, one in zip(began, attempts, strict=True)]
    tokens = sum(
        use.generated or 0 for one in attempts for use in (one.usage or {})["target"].values()
    )
    return tokens / (max(ended) - min(began))


def two_servers(rounds: int) -> dict[str, object]:
    """One server and two in turn; the ratio of their rates in each round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server(0, folder) as one, server(1, folder) as other:
            served([one, other], folder)
            pairs = [(served([one], folder), served([one, other], folder)) for _ in range(rounds)]
    ratios = [two / alone for alone, two in pairs]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(each, 3) for each in ratios],
        "tokens_per_second_one": [round(alone, 1) for alone, _ in pairs],
        "tokens_per_second_two": [round(two, 1) for _, two in pairs],
    }


def main() -> None:
    """Measure what was asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_LARGE} attempts")
    arguments.add_argument("--actors", action="store_true")
    arguments.add_argument("--servers", action="store_true")
    chosen = arguments.parse_args()
    if chosen.servers:
        rounds = QUICK_ROUNDS if chosen.quick else ROUNDS
        print_result("shards", {"of": "servers", **two_servers(rounds)})
        return
    small, large = (QUICK_SMALL, QUICK_LARGE) if chosen.quick else (SMALL, LARGE)
    ways = ["--engine", "scripted", "--shards", str(WAYS)]
    if chosen.actors:
        import ray  # noqa: PLC0415 - it is an extra

        # A cluster that has room for all, however few cores the machine has.
        ray.init(num_cpus=WAYS, include_dashboard=False, log_to_driver=False)
        address = ray.get_runtime_context().gcs_address
        ways = ["--engine", "ray", "--replica-engine", "scripted", "--replicas", str(WAYS)]
        ways += ["--ray-address", address]
    result = {
        "attempts": large,
        "ways": WAYS,
        "one_process": measured(small, large, ["--engine", "scripted"]),
        "actors" if chosen.actors else "shards": measured(small, large, ways),
    }
    print_result("shards", result)


if __name__ == "__main__":
    main()
