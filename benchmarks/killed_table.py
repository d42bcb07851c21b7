"""Kill a table at random instants, again and again, and look whether it is the same at the end.

    python benchmarks/killed_table.py [--quick] [--kills N] [--table FILE --set KEY=VALUE …]

Each round starts `speclrm table` in a process of its own and kills it with SIGKILL at a random
instant: while it starts, makes attempts, grades or prints. Then the table is finished, and compared
with one that was never killed: every attempt, but for clock readings, and every number that is
printed, but for seconds. Without --table it is one of five rows on three columns, which share runs,
on a scripted engine. The last line printed is a JSON object.
"""

import argparse
import csv
import io
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import print_result

from pipeline.runs.directory import read_attempts

KILLS = 20
QUICK_KILLS = 5
PROBLEMS = 40
DECODE_SECONDS = 0.02
"""So that the attempts last longer than all rounds that are killed."""
LONGEST = 4.0
"""A kill comes at most this many seconds after a round's start."""
CLOCK = ("seconds", "gpu_hours", "dollars")
TABLE = """\
title = "Sums"
columns = [
    "sums.jsonl",
    "sums.jsonl[first:20]",
    {name = "twice", data_file = "sums.jsonl", problem_range = "first:10", repeats = 2},
]
[defaults]
target = "big"
concurrency = 4
[models.big]
engine = "scripted"
script = "script.json"
[rows.large]
reasoner = "baseline"
[rows.same]
reasoner = "baseline"
[rows.parallel]
reasoner = "parallel"
tracks = 2
[rows.spec]
reasoner = "spec"
draft = "big"
sweep.score_threshold = [5, 9]
"""


def make_table(folder: Path) -> Path:
    """The table, its problems, and what its models say."""
    rows = ({"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(PROBLEMS))
    lines = "".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows)
    (folder / "sums.jsonl").write_text(lines)
    write_script(folder, 0)
    (folder / "table.toml").write_text(TABLE)
    return folder / "table.toml"


def write_script(folder: Path, seconds: float) -> None:
    """How long a token takes from now on."""
    (folder / "script.json").write_text(json.dumps({"latency": {"decode_token": seconds}}))


def written(results: Path) -> dict[tuple[str, str, int], tuple[object, ...]]:
    """What every attempt of every run says, without clock readings."""
    return {
        (run.parent.name, *attempt.key): (attempt.seed, attempt.response, attempt.usage)
        for run in results.glob("*/run.json")
        for attempt in read_attempts(run.parent)
    }


def printed(command: list[str]) -> list[dict[str, str]]:
    """The table's numbers, without those that a clock gave."""
    said = subprocess.run(
        [*command, "--report", "--format", "csv"], capture_output=True, text=True, check=True
    )
    return [
        {name: value for name, value in row.items() if name != "run" and not name.startswith(CLOCK)}
        for row in csv.DictReader(io.StringIO(said.stdout))
    ]


def kill_once(command: list[str], wait: float) -> bool:
    """Start the table and kill it after `wait` seconds; False when it had ended itself."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def main() -> None:
    """Run without kills, run with kills, finish, compare."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_KILLS} kills")
    arguments.add_argument("--kills", type=int, help="another number of kills")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--table", type=Path, help="a table of your own")
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    chosen = arguments.parse_args()
    kills = chosen.kills or (QUICK_KILLS if chosen.quick else KILLS)
    chance = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = make_table(folder) if chosen.table is None else chosen.table
        sets = [word for value in chosen.set for word in ("--set", value)]
        command = [sys.executable, "-m", "pipeline", "table", str(table), *sets, "--results"]
        whole, killed = [*command, str(folder / "whole")], [*command, str(folder / "killed")]
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL)
        write_script(folder, DECODE_SECONDS)
        struck, there = 0, []
        for _ in range(kills):
            struck += kill_once(killed, chance.uniform(0, LONGEST))
            there.append(len(written(folder / "killed")))
        write_script(folder, 0)
        subprocess.run(killed, check=True, stdout=subprocess.DEVNULL)
        result = {
            "kills": kills,
            "killed_while_it_ran": struck,
            "attempts": len(written(folder / "whole")),
            "attempts_after_each_kill": there,
            "same_attempts": written(folder / "whole") == written(folder / "killed"),
            "same_table": printed(whole) == printed(killed),
            "seed": chosen.seed,
        }
    print_result("killed_table", result)
    sys.exit(0 if result["same_attempts"] and result["same_table"] else 1)


if __name__ == "__main__":
    main()
