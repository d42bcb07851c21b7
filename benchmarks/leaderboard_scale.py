"""How long a leaderboard over a million verdict rows takes, and how much memory.

Writes generated verdicts into a temporary run directory, then times `speclrm leaderboard` on it in
a process of its own. The last line printed is one JSON object.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from report import print_result

PROBLEMS = 500
LIMIT_SECONDS = 30
LIMIT_BYTES = 2_000_000_000


def main() -> None:
    """Generate, time, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 rows")
    arguments = parser.parse_args()
    rows = 100_000 if arguments.quick else arguments.rows
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "generated"
        run.mkdir()
        size = generate(run, rows)
        seconds, peak = timed_leaderboard(run)
    result = {
        "rows": rows,
        "verdict_bytes": size,
        "seconds": round(seconds, 2),
        "peak_bytes": peak,
        "within_limits": seconds < LIMIT_SECONDS and peak < LIMIT_BYTES,
        "duckdb": version("duckdb"),
    }
    print_result("leaderboard_scale", result)


def generate(run: Path, rows: int) -> int:
    """Write a run of `rows` verdicts over `PROBLEMS` problems; the size of its verdicts, bytes."""
    chance = random.Random(0)
    repeats = rows // PROBLEMS
    manifest = {
        "identity": {
            "dataset": "generated",
            "reasoner": "spec",
            "target": {"model": "none"},
            "draft": {"model": "none"},
        },
        "dataset": {},
        "slice": {"problem_ids": [str(n) for n in range(PROBLEMS)], "repeats": repeats},
    }
    (run / "run.json").write_text(json.dumps(manifest))
    (run / "problems").mkdir()
    file = run / "verdicts.jsonl"
    with file.open("w") as out:
        for problem in range(PROBLEMS):
            skill = chance.random()
            made_from = graded_file(run / "problems" / f"{problem}.jsonl")
            for repeat in range(repeats):
                row = verdict(problem, repeat, right=chance.random() < skill, chance=chance)
                digest = f"{chance.getrandbits(64):016x}"
                out.write(json.dumps(row | {"made_from": made_from | {"digest": digest}}) + "\n")
    return file.stat().st_size


def graded_file(file: Path) -> dict[str, object]:
    """A file of attempts as its verdict rows name it; it holds none, as nothing reads them."""
    file.touch()
    seen = file.stat()
    return {"file": file.name, "bytes": seen.st_size, "modified_ns": seen.st_mtime_ns}


def verdict(problem: int, repeat: int, *, right: bool, chance: random.Random) -> dict[str, object]:
    """One row as grading writes it, of a speculative attempt with three tracks."""
    answer = 0 if right else chance.randint(1, 9)
    generated = chance.randint(100, 8000)
    counts = {
        "prompt_new": 300,
        "prompt_cached": 700,
        "generated": generated,
        "attended_prompt": 90_000,
        "attended_generated": generated * 700,
    }
    status = "correct" if right else "wrong"
    return {
        "dataset": "generated",
        "problem_id": str(problem),
        "repeat_id": repeat,
        "status": "ok",
        "gold": "0",
        "extracted": str(answer),
        "verdict": status,
        "rule": "box/same_number",
        "grader_version": "1.0",
        "answer_class": answer,
        "stop": "finished",
        "usage": {
            "target": {"verify": counts, "rewrite": counts},
            "draft": {"draft_kept": counts, "draft_dropped": counts},
        },
        "flops": {"decode": generated * 6e9, "total": generated * 7e9},
        "seconds": generated / 50,
        "tracks": [
            {"id": str(track), "extracted": str(answer), "verdict": status} for track in range(3)
        ],
    }


def timed_leaderboard(run: Path) -> tuple[float, int]:
    """Wall seconds and peak resident bytes of the command on `run`."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pipeline", "leaderboard", str(run), "--format", "csv"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    # Kilobytes on Linux, of the largest child.
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


if __name__ == "__main__":
    main()
