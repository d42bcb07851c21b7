"""Does the runner's memory grow with the attempts it has made? Attempts a second, peak memory.

    python benchmarks/memory_growth.py [--quick]

Each size runs in a process of its own, on the scripted engine, through `pipeline.run`, with every
attempt fsynced as in a real run. The last line printed is a JSON object.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import print_result

import pipeline

SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 4_000)
PROBLEMS = 500
KIB_PER_MIB = 1024


def run_one(attempts: int) -> dict[str, float]:
    """Make `attempts` attempts in this process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, script = folder / "sums.jsonl", folder / "script.json"
        rows = ({"id": str(n), "problem": f"{n}+1?", "answer": "1"} for n in range(PROBLEMS))
        data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
        script.write_text("{}")
        experiment = pipeline.Experiment(
            reasoner="baseline",
            target=pipeline.EngineSettings("scripted", "scripted", script=script),
            dataset=None,
            data_file=data,
            repeats=attempts // PROBLEMS,
        )
        start = time.perf_counter()
        summary = pipeline.run(experiment, folder / "run")
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB
    return {
        "attempts": summary.done,
        "attempts_per_second": round(summary.done / seconds, 1),
        "peak_mib": round(peak, 1),
    }


def main() -> None:
    """Run every size in a fresh process and print them side by side."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"only {QUICK_SIZES}")
    arguments.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.one:
        print(json.dumps(run_one(chosen.one)))
        return
    figures = []
    for size in QUICK_SIZES if chosen.quick else SIZES:
        command = [sys.executable, __file__, "--one", str(size)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures.append(json.loads(output.splitlines()[-1]))
        print(figures[-1])
    result = {
        "peak_ratio_largest_to_smallest": round(
            figures[-1]["peak_mib"] / figures[0]["peak_mib"], 3
        ),
        "runs": figures,
    }
    print_result("memory_growth", result)


if __name__ == "__main__":
    main()
