"""Collect a model's own wrong steps on training problems, for the other to learn to score.

`python -m pipeline.pocket.mining --model FOLDER --output FILE --problems N [--long]`
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.pocket.arguments import folder, new_file, whole
from pipeline.pocket.measure import Loaded, sampled_steps
from pipeline.pocket.problems import KINDS, Difficulty, Problem, make_problem
from pipeline.pocket.schedule import LONG
from pipeline.pocket.step_checker import Question, check_step

TEMPERATURES = (0.6, 1.0)


@dataclass(frozen=True)
class Mined:
    """A training problem with the wrong steps a model proposed, by the step's index."""

    problem: Problem
    mistakes: Mapping[int, Sequence[str]]


def mine(loaded: Loaded, problems: Sequence[Problem], seed: int) -> list[Mined]:
    """Sample a step after every right prefix; keep the problems where one is wrong."""
    places = [(p, i) for p in problems for i in range(len(p.steps) + 1)]
    wrong: dict[int, dict[int, list[str]]] = {}
    for number, temperature in enumerate(TEMPERATURES):
        steps = sampled_steps(loaded, places, temperature=temperature, seed=seed + number)
        for (problem, index), step in zip(places, steps, strict=True):
            if step and not check_step(problem.question, problem.steps[:index], step):
                wrong.setdefault(id(problem), {}).setdefault(index, []).append(step)
    return [Mined(p, wrong[id(p)]) for p in problems if id(p) in wrong]


def read_mined(path: Path) -> list[Mined]:
    """Read what `main` wrote."""
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        question = Question(row["statement"], tuple(row["choices"]))
        problem = Problem(row["kind"], question, tuple(row["steps"]), row["answer_step"])
        found.append(Mined(problem, {int(k): v for k, v in row["mistakes"].items()}))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and mine."""
    parser = argparse.ArgumentParser(prog="pipeline.pocket.mining", description=__doc__)
    parser.add_argument("--model", type=folder, required=True)
    parser.add_argument("--output", type=new_file, required=True)
    parser.add_argument("--problems", type=whole(1), default=3000)
    parser.add_argument("--long", action="store_true", help="long chains of definitions")
    parser.add_argument("--seed", type=whole(0), default=0)
    parser.add_argument("--threads", type=whole(1, 512), default=2)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    rng = random.Random(args.seed)  # noqa: S311 - reproducible, no secret
    difficulty = LONG if args.long else Difficulty()
    problems = [
        make_problem(rng, KINDS[i % len(KINDS)], difficulty, "training")
        for i in range(args.problems)
    ]
    with args.output.open("w") as out:
        for one in mine(Loaded.from_folder(args.model), problems, args.seed):
            row = {
                "statement": one.problem.question.statement,
                "choices": one.problem.question.choices,
                "kind": one.problem.kind,
                "steps": one.problem.steps,
                "answer_step": one.problem.answer_step,
                "mistakes": one.mistakes,
            }
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
