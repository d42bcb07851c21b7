"""Write the bundled test problems: `python -m pipeline.pocket.rows`, always the same bytes."""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

from pipeline.pocket.problems import KINDS, Difficulty, Problem, make_problem
from pipeline.pocket.step_checker import Question

ROWS, LONG_ROWS = 600, 120
# Seldom a back-reference: in so many steps one wrong look-up would decide most problems.
LONG = Difficulty(shortest=10, longest=14, back_references=0.02)
SEED = 2026
DATASETS = Path(__file__).parents[2] / "datasets"


def ordinary_rows() -> str:
    """Render datasets/pocket.jsonl: the three kinds in turn."""
    return _rows(ROWS, Difficulty(), SEED)


def long_rows() -> str:
    """Render datasets/pocket-long.jsonl: chains of ten to fifteen steps."""
    return _rows(LONG_ROWS, LONG, SEED + 1)


def read_rows(text: str) -> list[Problem]:
    """Read rendered rows back into problems."""
    found = []
    for line in text.splitlines():
        row = json.loads(line)
        question = Question(row["problem"], tuple(row["choices"]))
        answer_step = f"\\boxed{{{row['answer']}}}"
        found.append(Problem(row["kind"], question, tuple(row["steps"]), answer_step))
    return found


def _rows(count: int, difficulty: Difficulty, seed: int) -> str:
    rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
    lines: list[str] = []
    seen: set[str] = set()
    while len(lines) < count:
        kind = KINDS[len(lines) % len(KINDS)]
        problem = make_problem(rng, kind, difficulty, "test")
        if problem.question.statement in seen:
            continue
        seen.add(problem.question.statement)
        row = {
            "id": str(len(lines)),
            "problem": problem.question.statement,
            "answer": problem.answer,
            "kind": kind,
            "choices": list(problem.question.choices),
            "steps": list(problem.steps),
            "level": len(problem.steps),
        }
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(prog="pipeline.pocket.rows", description=__doc__)
    parser.add_argument("--output", type=Path, default=DATASETS, help="folder to write into")
    folder = parser.parse_args(arguments).output
    (folder / "pocket.jsonl").write_text(ordinary_rows())
    (folder / "pocket-long.jsonl").write_text(long_rows())


if __name__ == "__main__":
    main()
