"""How often scores get a threshold that `speclrm replay` calls reliable, by simulation.

    python benchmarks/reliable_threshold.py [--quick] [--runs N] [--seed N]

Scores that say nothing: any threshold is a false promise where fewer than 95 % of the steps are
right. Steps of a problem are right apart from each other, by a chance of the problem's own (Beta
with s = 2), or all alike; scores are drawn for each step, on the scale or as whole digits, or lie
close together in a problem. And scores that tell: 97 % of the right steps and 3 % of the wrong ones
lie in the upper half. Each problem has 8 steps. The last line printed is a JSON object.
"""

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray
from report import print_result

from pipeline.review.calibration import ScoredStep, calibration

RUNS, QUICK_RUNS = 1000, 20
STEPS = 8
BASES = (0.8, 0.9, 0.94)
PROBLEMS = (30, 100, 400)
QUICK_PROBLEMS = (100,)
RIGHT = ("apart", "by problem", "all alike")
SCORES = ("each step", "digits", "by problem")


def rights(chance: np.random.Generator, kind: str, base: float, problems: int) -> NDArray[np.bool_]:
    """Which steps are right, a row a problem."""
    if kind == "apart":
        return chance.random((problems, STEPS)) < base
    own = chance.beta(2 * base, 2 * (1 - base), problems)
    if kind == "all alike":
        own = (chance.random(problems) < base).astype(float)
    return chance.random((problems, STEPS)) < own[:, None]


def scores(chance: np.random.Generator, kind: str, problems: int) -> NDArray[np.float64]:
    """Scores that do not depend on what is right, a row a problem."""
    if kind == "digits":
        return chance.integers(0, 10, (problems, STEPS)).astype(float)
    if kind == "each step":
        return chance.uniform(0, 9, (problems, STEPS))
    near = chance.uniform(0, 9, problems)[:, None] + chance.normal(0, 0.3, (problems, STEPS))
    return np.clip(near, 0, 9)


def promised(right: NDArray[np.bool_], score: NDArray[np.float64]) -> bool:
    """Whether such a run gets a reliable threshold."""
    steps = [
        ScoredStep(float(score[row, column]), bool(right[row, column]), str(row))
        for row, column in np.ndindex(right.shape)
    ]
    return calibration(steps).reliable_from is not None


def main() -> None:
    """Simulate, print a line a scenario, then the JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--runs", type=int)
    arguments.add_argument("--seed", type=int, default=0)
    chosen = arguments.parse_args()
    runs = chosen.runs or (QUICK_RUNS if chosen.quick else RUNS)
    sizes = QUICK_PROBLEMS if chosen.quick else PROBLEMS
    chance = np.random.default_rng(chosen.seed)
    worst = dict.fromkeys(map(str, BASES), 0.0)
    for base, kind, score, problems in itertools.product(BASES, RIGHT, SCORES, sizes):
        count = sum(
            promised(rights(chance, kind, base, problems), scores(chance, score, problems))
            for _ in range(runs)
        )
        print(f"{base:.0%} right {kind}, scores {score}, {problems} problems: {count / runs:.1%}")
        worst[str(base)] = max(worst[str(base)], count / runs)
    telling = {}
    for problems in sizes:
        count = 0
        for _ in range(runs):
            right = rights(chance, "by problem", 0.8, problems)
            upper = chance.random(right.shape) < np.where(right, 0.97, 0.03)
            count += promised(right, np.where(upper, 4.5, 0) + chance.uniform(0, 4.5, right.shape))
        telling[str(problems)] = count / runs
        print(f"scores that tell, {problems} problems: {count / runs:.1%}")
    print_result("reliable_threshold", {"runs": runs, "false": worst, "telling": telling})


if __name__ == "__main__":
    main()
