"""Write the bundled test problems: `python -m pipeline.pocket.rows`, always the same bytes."""

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.pocket.problems import KINDS, Difficulty, Kind, Problem, Split, make_problem
from pipeline.pocket.step_checker import Question

ROWS, LONG_ROWS, HARD_ROWS = 600, 120, 270
# Seldom a back-reference: in so many steps one wrong look-up would decide most problems.
LONG = Difficulty(shortest=10, longest=14, back_references=0.02, chains_only=True)
HARD = Difficulty(back_references=0.6, two_digit_operands=0.2, largest=102, chains_only=True)
HARD_STEPS = (5, 8, 11)
SEED = 2026
DATASETS = Path(__file__).parents[2] / "datasets"


def ordinary_rows() -> str:
    """Render datasets/pocket.jsonl: the three kinds in turn."""
    return _rows(ROWS, SEED, lambda rng, kind, _: make_problem(rng, kind, Difficulty(), "test"))


def long_rows() -> str:
    """Render datasets/pocket-long.jsonl: chains of ten to fifteen steps."""
    return _rows(LONG_ROWS, SEED + 1, lambda rng, kind, _: make_problem(rng, kind, LONG, "test"))


def hard_rows(split: Split = "test", count: int = HARD_ROWS) -> str:
    """Render datasets/pocket-hard.jsonl, or rows like it of another split: three lengths in turn.

    A choice has one definition fewer than the others: comparing its options is a step too.
    """

    def draw(rng: random.Random, kind: Kind, place: int) -> Problem:
        definitions = HARD_STEPS[place // len(KINDS) % len(HARD_STEPS)] - (kind == "choice")
        difficulty = replace(HARD, shortest=definitions, longest=definitions)
        return make_problem(rng, kind, difficulty, split)

    return _rows(count, SEED + 2, draw)


def read_rows(text: str) -> list[Problem]:
    """Read rendered rows back into problems."""
    found = []
    for line in text.splitlines():
        row = json.loads(line)
        question = Question(row["problem"], tuple(row["choices"]))
        answer_step = f"\\boxed{{{row['answer']}}}"
        found.append(Problem(row["kind"], question, tuple(row["steps"]), answer_step))
    return found


def _rows(count: int, seed: int, draw: Callable[[random.Random, Kind, int], Problem]) -> str:
    rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
    lines: list[str] = []
    seen: set[str] = set()
    while len(lines) < count:
        kind = KINDS[len(lines) % len(KINDS)]
        problem = draw(rng, kind, len(lines))
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
    """Write the files."""
    parser = argparse.ArgumentParser(prog="pipeline.pocket.rows", description=__doc__)
    parser.add_argument("--output", type=Path, default=DATASETS, help="folder to write into")
    folder = parser.parse_args(arguments).output
    if not folder.is_dir():
        parser.error(f"{folder} is no folder")
    (folder / "pocket.jsonl").write_text(ordinary_rows())
    (folder / "pocket-long.jsonl").write_text(long_rows())
    (folder / "pocket-hard.jsonl").write_text(hard_rows())


if __name__ == "__main__":
    main()
