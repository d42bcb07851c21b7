"""Answer a large file by two processes that are killed, and by one: the files must be equal.

    python benchmarks/generate_shards.py [--quick] [--rows 10000] [--kills 2]

The rows are fresh problems of the pocket set's generator, answered by the pocket target with the
transformers engine, greedily, in rows of one forward. The launcher of two processes is killed with
SIGKILL as often as asked, each time after a further share of the rows, then left to finish. The two
files must be the same but for the seconds. The last line printed is a JSON object.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import print_result

from pipeline.pocket.problems import KINDS, Difficulty, make_problem
from pipeline.pocket.prompts import task_prompt

ROWS, QUICK_ROWS = 10_000, 60
TOKENS = 24
LOOK_SECONDS = 0.05
LOST_SECONDS = 600.0
"""Without any answer for so long something is wrong."""


def main() -> None:
    """Write the prompts, answer them both ways, compare, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-new-tokens", type=int, default=TOKENS)
    args = parser.parse_args()
    count = args.rows or (QUICK_ROWS if args.quick else ROWS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_prompts(folder / "prompts.jsonl", count)
        command = [
            *(sys.executable, "-m", "pipeline", "generate", "--engine", "transformers"),
            *("--model", "pocket-target", "--use-chat-template", "--no-do-sample", "--quiet"),
            *(
                "--prompts-file",
                str(folder / "prompts.jsonl"),
                "--max-new-tokens",
                str(args.max_new_tokens),
            ),
            *("--batch-size", str(args.batch_size)),
        ]
        output = folder / "two.jsonl"
        two = [*command, "--output-file", str(output), "--shards", "2"]
        began = time.monotonic()
        kept = [killed_after(two, output, count * (n + 1) // (args.kills + 1), n)
                for n in range(args.kills)]  # fmt: skip
        subprocess.run(two, check=True)
        seconds_two = time.monotonic() - began
        began = time.monotonic()
        subprocess.run([*command, "--output-file", str(folder / "one.jsonl")], check=True)
        seconds_one = time.monotonic() - began
        first, second = rows_of(folder / "one.jsonl"), rows_of(output)
    different = sum(a != b for a, b in zip(first, second, strict=True))
    print(f"{count} rows, killed with {kept} answers there; {different} rows differ")
    print_result(
        "generate_shards",
        {
            "rows": len(second),
            "different": different,
            "kills_at": kept,
            "failed": sum(row["error"] is not None for row in second),
            "tokens": sum(row["tokens"] for row in second),
            "seconds_one_process": round(seconds_one, 1),
            "seconds_two_processes_with_kills": round(seconds_two, 1),
        },
    )
    if different:
        sys.exit(1)


def write_prompts(file: Path, count: int) -> None:
    """Problems as the pocket set asks them."""
    rng = random.Random(0)
    with file.open("w", encoding="utf-8") as lines:
        for number in range(count):
            problem = make_problem(rng, KINDS[number % len(KINDS)], Difficulty(), "training")
            prompt = task_prompt(problem.kind, problem.question, "")
            lines.write(json.dumps({"id": f"p{number}", "prompt": prompt}) + "\n")


def killed_after(command: list[str], output: Path, answers: int, kill: int) -> int:
    """Start, and kill the launcher when so many answers are there; how many there were."""
    process = subprocess.Popen(command)
    deadline, there = time.monotonic() + LOST_SECONDS, 0
    while there < answers:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"kill {kill + 1} came too late, or nothing was answered")
        time.sleep(LOOK_SECONDS)
        now = answered(output)
        deadline = time.monotonic() + LOST_SECONDS if now > there else deadline
        there = now
    process.send_signal(signal.SIGKILL)
    process.wait()
    return there


def answered(output: Path) -> int:
    """Lines in the files of all shards."""
    files = output.parent.glob(f"{output.stem}.shard-*.jsonl")
    return sum(file.read_bytes().count(b"\n") for file in files)


def rows_of(file: Path) -> list[dict[str, Any]]:
    """What must be equal: all but the seconds, and what was computed for it."""
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [{name: one for name, one in row.items() if name != "seconds"} for row in rows]


if __name__ == "__main__":
    main()
