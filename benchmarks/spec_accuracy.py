"""What the reasoners gain and cost on pocket problems: accuracy with intervals, target tokens.

    python benchmarks/spec_accuracy.py [--quick] [--model pocket-target --draft-model pocket-draft]
        [--dataset pocket-long --token-budget 1024] [--temperature T] [--seed N] [--problems N]
        [--repeats N] [--results DIR]

Runs baseline, parallel, spec and spec-methods through vLLM on the same problems, repeats and
seeds, and compares each with baseline in pairs of problems. The speculative ones run with the
default score (greedy, threshold 7) and calibrated: with the expected digit and the threshold from
which on a kept step is reliable, as `speclrm replay` finds in a run on other problems; where it
finds none, the calibrated ones are left out. `--results` keeps the runs there and goes on with
those that are there. The last line printed is a JSON object.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from report import print_result

import pipeline
from evaluators.statistics.comparison import compare_runs
from evaluators.statistics.metrics import graded_run, metrics_of
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment
from pipeline.reasoners.settings import StepSettings
from pipeline.review.replay import replay

PROBLEMS, REPEATS = 500, 3
QUICK_PROBLEMS, QUICK_REPEATS = 24, 1
TOKEN_BUDGET = 512
TEMPERATURE = 0.6
REASONERS = ("baseline", "parallel", "spec", "spec-methods")
CALIBRATED = ("spec", "spec-methods")
OTHER_PROBLEMS = "500-599"


def calibrated_threshold(experiment: Experiment, run: Path) -> float | None:
    """From which expected digit on a kept step is reliable, by one repeat on other problems."""
    other = replace(experiment, dataset="pocket", problem_range=OTHER_PROBLEMS, repeats=1)
    pipeline.run(replace(other, token_budget=TOKEN_BUDGET), run)
    return replay(run).calibration.reliable_from


def measured(experiment: Experiment, run: Path, baseline: Path) -> dict[str, Any]:
    """Run and grade an experiment; its accuracy and cost, and the paired difference."""
    pipeline.run(experiment, run)
    pipeline.grade_run(run)
    graded = graded_run(run)
    metrics = metrics_of(graded)
    [paired] = compare_runs([graded_run(baseline), graded])
    return {
        "accuracy": metrics.accuracy,
        "interval": metrics.uncertainty.population,
        "target_tokens": metrics.costs.target_tokens,
        "draft_tokens": metrics.costs.draft_tokens,
        "acceptance": metrics.costs.acceptance,
        "difference": paired.difference,
        "difference_interval": paired.interval,
    }


def main() -> None:
    """Run, grade, compare, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--draft-model", default="pocket-draft")
    arguments.add_argument("--results", type=Path, help="folder for the runs")
    arguments.add_argument("--problems", type=int)
    arguments.add_argument("--repeats", type=int)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--temperature", type=float, default=TEMPERATURE)
    arguments.add_argument("--dataset", default="pocket")
    arguments.add_argument("--token-budget", type=int, default=TOKEN_BUDGET)
    chosen = arguments.parse_args()
    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    repeats = chosen.repeats or (QUICK_REPEATS if chosen.quick else REPEATS)
    target = EngineSettings("vllm", chosen.model)
    draft = replace(target, model=chosen.draft_model)
    base = Experiment(
        "baseline",
        target,
        problem_range=f"first:{problems}",
        repeats=repeats,
        token_budget=chosen.token_budget,
        temperature=chosen.temperature,
        dataset=chosen.dataset,
        seed=chosen.seed,
    )
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.results or Path(name)
        threshold = calibrated_threshold(
            replace(base, reasoner="spec", draft=draft), folder / "calibration"
        )
        plans: list[tuple[str, str, StepSettings | None]]
        plans = [(reasoner, reasoner, None) for reasoner in REASONERS]
        if threshold is None:
            print("no score of the calibrating run promises a right step: nothing calibrated")
        else:
            steps = StepSettings(score_method="average", score_threshold=threshold)
            plans += [(f"{reasoner}-calibrated", reasoner, steps) for reasoner in CALIBRATED]
        for label, reasoner, chosen_steps in plans:
            one = replace(
                base,
                reasoner=reasoner,
                draft=draft if reasoner.startswith("spec") else None,
                sections=(chosen_steps,) if chosen_steps is not None else (),
            )
            found[label] = measured(one, folder / label, folder / "baseline")
            print(label, found[label], flush=True)
    alone = found["baseline"]["target_tokens"]
    shares = {label: round(one["target_tokens"] / alone, 4) for label, one in found.items()}
    result = {
        "dataset": chosen.dataset,
        "problems": problems,
        "repeats": repeats,
        "seed": chosen.seed,
        "temperature": chosen.temperature,
        "threshold": threshold,
        "shares_of_target_tokens": shares,
        "reasoners": found,
        "model": chosen.model,
        "draft_model": chosen.draft_model,
    }
    print_result("spec_accuracy", result)


if __name__ == "__main__":
    main()
