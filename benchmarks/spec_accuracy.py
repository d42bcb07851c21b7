"""What the reasoners gain and cost on pocket problems: accuracy with intervals, target tokens.

    python benchmarks/spec_accuracy.py [--quick] [--model pocket-target --draft-model pocket-draft]
        [--results DIR]

Runs baseline, parallel, spec and spec-methods through vLLM on the same problems, repeats and
seeds, and compares each with baseline in pairs of problems. `--results` keeps the runs there and
goes on with those that are there. The last line printed is a JSON object.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pipeline
from evaluators.comparison import compare_runs
from evaluators.metrics import graded_run, metrics_of
from pipeline.engines.settings import EngineSettings
from pipeline.environment import hardware, versions
from pipeline.experiment import Experiment

PROBLEMS, REPEATS = 200, 3
QUICK_PROBLEMS, QUICK_REPEATS = 24, 1
TOKEN_BUDGET = 512
REASONERS = ("baseline", "parallel", "spec", "spec-methods")


def main() -> None:
    """Run, grade, compare, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--draft-model", default="pocket-draft")
    arguments.add_argument("--results", type=Path, help="folder for the runs")
    arguments.add_argument("--problems", type=int)
    arguments.add_argument("--repeats", type=int)
    chosen = arguments.parse_args()
    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    repeats = chosen.repeats or (QUICK_REPEATS if chosen.quick else REPEATS)
    target = EngineSettings("vllm", chosen.model)
    draft = replace(target, model=chosen.draft_model)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.results or Path(name)
        for reasoner in REASONERS:
            experiment = Experiment(
                reasoner,
                target,
                draft if reasoner.startswith("spec") else None,
                problem_range=f"first:{problems}",
                repeats=repeats,
                token_budget=TOKEN_BUDGET,
            )
            run = folder / reasoner
            pipeline.run(experiment, run)
            pipeline.grade_run(run)
            graded = graded_run(run)
            metrics = metrics_of(graded)
            [paired] = compare_runs([graded_run(folder / "baseline"), graded])
            found[reasoner] = {
                "accuracy": metrics.accuracy,
                "interval": metrics.uncertainty.population,
                "target_tokens": metrics.costs.target_tokens,
                "draft_tokens": metrics.costs.draft_tokens,
                "acceptance": metrics.costs.acceptance,
                "difference": paired.difference,
                "difference_interval": paired.interval,
            }
            print(reasoner, found[reasoner])
    share = found["spec"]["target_tokens"] / found["baseline"]["target_tokens"]
    result = {
        "benchmark": "spec_accuracy",
        "problems": problems,
        "repeats": repeats,
        "spec_share_of_target_tokens": round(share, 4),
        "reasoners": found,
        "model": chosen.model,
        "draft_model": chosen.draft_model,
        "hardware": hardware(),
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
