"""Kill a run at random instants, again and again, and look whether anything is lost or doubled.

    python benchmarks/kill_resume.py [--quick]

Each round starts the real command line on a scripted engine with latency and kills the whole
process with SIGKILL after a random time. The last line printed is a JSON object.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from report import print_result

from pipeline import records
from pipeline.run_directory import PROBLEMS, attempt_files, read_attempts

KILLS = 200
QUICK_KILLS = 20
PROBLEMS_PER_KILL = 20
"""More than a round can finish before it is killed, so that the run lasts as long as the kills."""
REPEATS = 5
DECODE_SECONDS = 0.005
WARM_UP_SECONDS = 10.0
"""The longest wait for the first attempt of a round; importing takes about a second."""
WINDOW_SECONDS = 0.6
"""A kill comes up to this long after a round's first new attempt."""


def make_inputs(folder: Path, problems: int, reasoner: str) -> list[str]:
    """Problems and a slow script; the command that runs them."""
    data, script = folder / "sums.jsonl", folder / "script.json"
    rows = ({"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(problems))
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    script.write_text(json.dumps({"latency": {"decode_token": DECODE_SECONDS}}))
    draft = ["--draft-script", str(script)] if reasoner.startswith("spec") else []
    return [
        *(sys.executable, "-m", "pipeline", "run", reasoner, "--data-file", str(data), *draft),
        *("--engine", "scripted", "--script", str(script), "--repeats", str(REPEATS)),
        *("--output-dir", str(folder / "run")),
    ]


def size(run: Path) -> int:
    """Bytes of attempt lines on the disk."""
    return sum(file.stat().st_size for file in attempt_files(run)) if run.exists() else 0


def kill_once(command: list[str], run: Path, chance: random.Random) -> bool:
    """Start the run, kill it some time after its first new bytes; False when it ended itself."""
    before = size(run)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + WARM_UP_SECONDS
    while process.poll() is None and size(run) == before and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(chance.uniform(0, WINDOW_SECONDS))
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def torn_lines(run: Path) -> int:
    """How many files end in the middle of a line right after a kill."""
    files = attempt_files(run) if (run / PROBLEMS).exists() else []
    return sum(bool(content) and content[-1:] != b"\n" for content in map(Path.read_bytes, files))


def unreadable_lines(run: Path) -> int:
    """Lines that are no attempt, newline or not."""
    bad = 0
    for file in attempt_files(run):
        for line in file.read_bytes().splitlines():
            try:
                records.decode(line)
            except records.CorruptRecord:
                bad += 1
    return bad


def main() -> None:
    """Kill, resume, finish, count."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_KILLS} kills")
    arguments.add_argument("--kills", type=int, help="another number of kills")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--reasoner", default="baseline")
    chosen = arguments.parse_args()
    kills = chosen.kills or (QUICK_KILLS if chosen.quick else KILLS)
    problems, chance = kills * PROBLEMS_PER_KILL, random.Random(chosen.seed)
    expected = problems * REPEATS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, command = folder / "run", make_inputs(folder, problems, chosen.reasoner)
        killed = torn = 0
        while killed < kills and kill_once(command, run, chance):
            killed += 1
            torn += torn_lines(run)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen = Counter(attempt.key for attempt in read_attempts(run))
        result = {
            "kills": killed,
            "torn_last_lines_met": torn,
            "attempts_expected": expected,
            "attempts_once": sum(count == 1 for count in seen.values()),
            "attempts_twice_or_more": sum(count > 1 for count in seen.values()),
            "attempts_missing": expected - len(seen),
            "unreadable_lines": unreadable_lines(run),
            "seed": chosen.seed,
        }
    print_result("kill_resume", result)
    kept = result["attempts_once"] == result["attempts_expected"]
    sys.exit(0 if kept and killed == kills and result["unreadable_lines"] == 0 else 1)


if __name__ == "__main__":
    main()
