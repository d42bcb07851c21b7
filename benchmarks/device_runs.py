"""Every reasoner on the pocket pair through the transformers engine, on a GPU where there is one.

    python benchmarks/device_runs.py [--quick] [--problems N] [--devices 0] [--keep FOLDER]

Each is run by the command line, one after another, graded, and stands in one leaderboard. `spec` is
run again on the CPU, and its records are compared. A last run is killed with SIGKILL once its first
attempts are written, and resumed. The last line printed is a JSON object. Exit code 1 when an
attempt failed, or the resumed run does not hold each attempt once.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from kill_resume import kill_once
from report import print_result

from pipeline.engines.settings import CPU
from pipeline.records import Attempt
from pipeline.run_directory import read_attempts

REASONERS = ("baseline", "parallel", "spec", "spec-async", "spec-methods")
PROBLEMS, QUICK_PROBLEMS = 60, 4
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


def measure(problems: int, devices: str | None, folder: Path) -> dict[str, object]:
    """Run, grade, show; all figures."""
    runs: dict[str, object] = {}
    for reasoner in REASONERS:
        began = time.perf_counter()
        speclrm(*command(reasoner, problems, devices, folder / reasoner))
        runs[reasoner] = figures(folder / reasoner, time.perf_counter() - began)
        print(reasoner, runs[reasoner], flush=True)
    finished = [str(folder / reasoner) for reasoner in REASONERS]
    speclrm("grade", *finished)
    speclrm("leaderboard", *finished, "--format", "markdown", "--baseline", "baseline")
    began = time.perf_counter()
    speclrm(*command("spec", problems, CPU, folder / "spec-cpu"))
    runs["spec-cpu"] = figures(folder / "spec-cpu", time.perf_counter() - began)
    words = command("baseline", problems, devices, folder / "killed")
    return {
        "runs": runs,
        "spec_against_cpu": agreement(folder / "spec-cpu", folder / "spec"),
        "kill": killed_and_resumed(words, folder / "killed", problems),
    }


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_PROBLEMS} problems")
    arguments.add_argument("--problems", type=int, help="another number of problems")
    arguments.add_argument("--devices", help="as for `speclrm run`")
    arguments.add_argument("--keep", type=Path, help="a folder for the runs, to keep them")
    chosen = arguments.parse_args()
    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        result = measure(problems, chosen.devices, folder)
    runs, kill = result["runs"], result["kill"]
    if not isinstance(runs, dict) or not isinstance(kill, dict):
        raise TypeError
    print_result("device_runs", result)
    whole = kill["attempts_once"] == kill["attempts_expected"] == problems
    failed = any(run["failed"] or run["attempts"] != problems for run in runs.values())
    sys.exit(0 if whole and not failed else 1)


if __name__ == "__main__":
    main()
