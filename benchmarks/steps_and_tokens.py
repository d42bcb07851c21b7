"""A draft that guesses steps, tokens, or both: what each costs and saves.

    python benchmarks/steps_and_tokens.py [--quick] [--problems N]

Four runs of the pocket pair, one attempt a problem and one at a time: the target alone; in windows
that the draft fills (tokens); `spec`, in which it writes steps; and both, where the draft's own
windows are looked up. The runs are graded. Told are the correct answers and, for an attempt, tokens
by model and use, the forwards that gave them, GFLOPs, and seconds. The last lines printed are a
table in Markdown and a JSON object.
"""

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from report import print_result

import pipeline
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment

PROBLEMS, QUICK_PROBLEMS = 60, 4
WINDOW = 9
COLUMNS = (
    "",
    "correct",
    "target tokens: written and scored, refused",
    "forwards that gave them: target, draft, assistant",
    "the draft's tokens: drafted, refused, guessed",
    "prompt tokens read: target, draft",
    "GFLOPs: decode, total",
    "seconds: mean, median",
)


def ways(problems: int) -> dict[str, Experiment]:
    """The four experiments."""
    target = EngineSettings("transformers", "pocket-target")
    draft = EngineSettings("transformers", "pocket-draft")
    window = replace(target, decoding="window", window=WINDOW, assistant_model="pocket-draft")
    alone = Experiment("baseline", target, problem_range=f"first:{problems}", concurrency=1)
    steps = replace(alone, reasoner="spec", draft=draft)
    both = replace(steps, target=window, draft=replace(draft, decoding="window"))
    return {"neither": alone, "tokens": replace(alone, target=window), "steps": steps, "both": both}


def measured(run: Path) -> dict[str, Any]:
    """What a graded run came to, for an attempt."""
    rows = [json.loads(line) for line in (run / "verdicts.jsonl").read_text().splitlines()]

    def mean(role: str, name: str, *uses: str, without: tuple[str, ...] = ()) -> float:
        total = 0
        for row in rows:
            for use, counts in row["usage"].get(role, {}).items():
                total += counts[name] if (not uses or use in uses) and use not in without else 0
        return total / len(rows)

    unwritten = ("refused", "guesses")
    seconds = [row["seconds"] for row in rows]
    return {
        "correct": sum(row["verdict"] == "correct" for row in rows),
        "target_written": mean("target", "generated", without=unwritten),
        "target_refused": mean("target", "generated", "refused"),
        "target_forwards": mean("target", "forwards"),
        "draft_forwards": mean("draft", "forwards"),
        "assistant_forwards": mean("target_assistant", "forwards"),
        "drafted": mean("draft", "generated", without=unwritten),
        "draft_refused": mean("draft", "generated", "refused"),
        "guessed": mean("target_assistant", "generated"),
        "target_read": mean("target", "prompt_new"),
        "draft_read": mean("draft", "prompt_new") + mean("target_assistant", "prompt_new"),
        "decode_gflops": statistics.fmean(row["flops"]["decode"] for row in rows) / 1e9,
        "total_gflops": statistics.fmean(row["flops"]["total"] for row in rows) / 1e9,
        "mean_seconds": statistics.fmean(seconds),
        "median_seconds": statistics.median(seconds),
    }


def told(name: str, one: dict[str, Any]) -> str:
    """A row of the table."""
    cells = (
        name,
        f"{one['correct']}",
        f"{one['target_written']:.1f}, {one['target_refused']:.1f}",
        ", ".join(f"{one[f'{of}_forwards']:.1f}" for of in ("target", "draft", "assistant")),
        f"{one['drafted']:.1f}, {one['draft_refused']:.1f}, {one['guessed']:.1f}",
        f"{one['target_read']:.1f}, {one['draft_read']:.1f}",
        f"{one['decode_gflops']:.2f}, {one['total_gflops']:.2f}",
        f"{one['mean_seconds']:.2f}, {one['median_seconds']:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run, grade and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--problems", type=int, default=PROBLEMS)
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    problems = QUICK_PROBLEMS if chosen.quick else chosen.problems
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, experiment in ways(problems).items():
            run = Path(folder) / name
            pipeline.run(experiment, run)
            pipeline.grade_run(run)
            found[name] = measured(run)
            print(name, found[name], flush=True)
    print(f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", sep="\n")
    print(*(told(name, one) for name, one in found.items()), sep="\n")
    print_result("steps_and_tokens", {"problems": problems, **found})


if __name__ == "__main__":
    main()
