"""Every reasoner on the pocket pair through the transformers engine, on a GPU where there is one.

    python benchmarks/device_runs.py [--quick] [--problems N] [--checks] [--devices 0]
        [--keep FOLDER]

First a run is killed with SIGKILL once its first attempts are written, and resumed; then `spec`
runs on the GPU and on the CPU, in one thread, and the records are compared. `--checks` ends there.
Then each reasoner is run by the command line, one after another, graded, and stands in one
leaderboard. The last line printed is a JSON object. Exit code 1 when an
attempt failed, or the resumed run does not hold each attempt once.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from kill_resume import kill_once, wait_for_the_writer
from report import print_result

from pipeline.engines.settings import CPU
from pipeline.records import Attempt
from pipeline.runs.directory import read_attempts

REASONERS = ("baseline", "parallel", "spec", "spec-async", "spec-methods")
PROBLEMS, QUICK_PROBLEMS = 60, 4
COMPARED, KILLED = 6, 8
"""Problems at most of the comparison with the CPU, and of the run that is killed."""
KILL_AFTER = 0.5
"""Seconds after the first attempts are on the disk."""


def speclrm(*words: str) -> int:
    """The command's exit code; what it says goes to the terminal."""
    return subprocess.run([sys.executable, "-m", "pipeline", *words], check=False).returncode


def command(reasoner: str, problems: int, devices: str | None, folder: Path) -> list[str]:
    """What `speclrm` is given for a run."""
    words = ["run", reasoner, "--dataset", "pocket", "--problem-id", f"first:{problems}"]
    words += ["--engine", "transformers", "--output-dir", str(folder)]
    draft = reasoner.startswith("spec")
    words += ["--draft-engine", "transformers"] if draft else []
    words += ["--devices", devices] if devices else []
    words += ["--draft-devices", devices] if devices and draft else []
    return words


def figures(run: Path, wall: float) -> dict[str, object]:
    """What one run took and made; `wall` has the start of Python and of the engines in it."""
    attempts = list(read_attempts(run))
    tokens = sum(
        counted.generated or 0
        for attempt in attempts
        for uses in (attempt.usage or {}).values()
        for counted in uses.values()
    )
    return {
        "attempts": len(attempts),
        "failed": sum(attempt.status == "error" for attempt in attempts),
        "seconds_an_attempt_median": round(
            statistics.median(attempt.seconds or 0 for attempt in attempts), 3
        ),
        "tokens": tokens,
        "wall_seconds": round(wall, 1),
        "wall_tokens_a_second": round(tokens / wall, 1),
    }


def decisions(attempt: Attempt) -> list[tuple[object, ...]]:
    """What was written, by whom, and which draft was judged how: all but numbers of the device."""
    return [
        (step.text, step.author, step.score, step.draft_text, step.finish)
        for track in attempt.tracks
        for step in track.steps
    ]


def agreement(some: Path, others: Path) -> dict[str, object]:
    """How two runs of one experiment compare, attempt by attempt."""
    first = {attempt.key: attempt for attempt in read_attempts(some)}
    second = {attempt.key: attempt for attempt in read_attempts(others)}
    alike = {key for key in first if decisions(first[key]) == decisions(second[key])}
    gaps = [
        abs(a - b)
        for key in alike
        for one, other in zip(first[key].tracks, second[key].tracks, strict=True)
        for step, twin in zip(one.steps, other.steps, strict=True)
        for a, b in zip(step.digits or (), twin.digits or (), strict=True)
    ]
    return {
        "attempts": len(first),
        "same_decisions": round(len(alike) / len(first), 4),
        "same_answers": sum(first[key].answer == second[key].answer for key in first),
        "same_usage": sum(first[key].usage == second[key].usage for key in first),
        "digit_probability_gap": max(gaps, default=None),
    }


def killed_and_resumed(words: list[str], run: Path, expected: int) -> dict[str, object]:
    """Kill the run once it has written attempts; resume it; what it holds then."""
    started = [sys.executable, "-m", "pipeline", *words]
    killed = kill_once(started, run, KILL_AFTER, early=False)
    if run.exists():
        wait_for_the_writer(run)
    at_the_kill = sum(1 for _ in read_attempts(run)) if run.exists() else 0
    code = speclrm(*words)
    seen = Counter(attempt.key for attempt in read_attempts(run))
    return {
        "killed": killed,
        "attempts_at_the_kill": at_the_kill,
        "exit_code_of_the_resume": code,
        "attempts_expected": expected,
        "attempts_once": sum(count == 1 for count in seen.values()),
    }


def timed(reasoner: str, problems: int, devices: str | None, run: Path) -> dict[str, object]:
    """Run a reasoner; what it took."""
    began = time.perf_counter()
    speclrm(*command(reasoner, problems, devices, run))
    took = figures(run, time.perf_counter() - began)
    print(run.name, took, flush=True)
    return took


def check(problems: int, devices: str | None, folder: Path) -> dict[str, Any]:
    """The killed run, and `spec` on two devices."""
    number = min(problems, KILLED)
    words = command("baseline", number, devices, folder / "killed")
    kill = killed_and_resumed(words, folder / "killed", number)
    print("kill", kill, flush=True)
    number, pair = min(problems, COMPARED), (folder / "compared-cpu", folder / "compared")
    runs = [
        timed("spec", number, where, run) for where, run in zip((CPU, devices), pair, strict=True)
    ]
    against = agreement(*pair)
    print("spec_against_cpu", against, flush=True)
    return {"kill": kill, "compared": runs, "spec_against_cpu": against}


def measure(problems: int, devices: str | None, folder: Path) -> dict[str, Any]:
    """Run every reasoner, grade, show; what each took."""
    runs = {name: timed(name, problems, devices, folder / name) for name in REASONERS}
    finished = [str(folder / reasoner) for reasoner in REASONERS]
    speclrm("grade", *finished)
    speclrm("leaderboard", *finished, "--format", "markdown", "--baseline", "baseline")
    return runs


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_PROBLEMS} problems")
    arguments.add_argument("--problems", type=int, help="another number of problems")
    arguments.add_argument("--checks", action="store_true", help="without every reasoner's run")
    arguments.add_argument("--devices", help="as for `speclrm run`")
    arguments.add_argument("--keep", type=Path, help="a folder for the runs, to keep them")
    chosen = arguments.parse_args()
    # The pocket pair is too small for a second thread of the CPU to pay.
    os.environ["OMP_NUM_THREADS"] = "1"
    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        result = check(problems, chosen.devices, folder)
        runs = {} if chosen.checks else measure(problems, chosen.devices, folder)
    print_result("device_runs", result | {"runs": runs})
    whole = result["kill"]["attempts_once"] == result["kill"]["attempts_expected"]
    short = any(run["attempts"] != min(problems, COMPARED) for run in result["compared"])
    short = short or any(run["attempts"] != problems for run in runs.values())
    failed = any(run["failed"] for run in [*result["compared"], *runs.values()])
    sys.exit(0 if whole and not short and not failed else 1)


if __name__ == "__main__":
    main()
