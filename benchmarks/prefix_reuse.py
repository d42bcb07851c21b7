"""How much of each score's prompt is recomputed, by the engine's own counters.

    python benchmarks/prefix_reuse.py [--quick] [--model pocket-target --draft-model pocket-draft]

Runs `spec` on chains of at least ten steps through vLLM and looks at every score request: the
tokens that were not read from the prefix cache, against the bound of the new step, the score
question and one cache block. The first score of a track also reads the task. The last line printed
is a JSON object.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from report import print_result

from pipeline import reasoners
from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import Completion, Engine, SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment
from pipeline.ledger import Ledger
from pipeline.problems.problem_set import load_problems
from pipeline.problems.prompting import open_prompt_set, score_question, task_prompt
from pipeline.reasoners.protocol import Assignment

BLOCK_TOKENS = 32
LONG_STEPS = 10
PROBLEMS, QUICK_PROBLEMS = 60, 6
CONCURRENCY = 8
TOKEN_BUDGET = 600


class Watching:
    """An engine that keeps the score requests of one attempt in their order."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.scores: list[Completion] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def complete(self, ids: Sequence[int], sampling: SamplingRequest) -> Completion:
        """Pass on and keep."""
        done = await self.engine.complete(ids, sampling)
        if sampling.logprobs_of:
            self.scores.append(done)
        return done


async def excesses(
    experiment: Experiment, draft_settings: EngineSettings, problems: int, folder: Path
) -> dict[str, list[int]]:
    """For each score: the tokens computed, and those above the bound (0 where it held)."""
    target = create(replace(with_model_folder(experiment.target), log=folder / "engine.log"))
    draft = create(replace(with_model_folder(draft_settings), log=folder / "engine.log"))
    prompts = open_prompt_set("pocket")
    found: dict[str, list[int]] = {"computed": [], "above": [], "steps": [], "first": []}
    await target.start()
    await draft.start()
    question = len(target.tokenizer.encode(score_question(prompts).text))
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(problem: Any) -> None:
        async with gate:
            watching = Watching(target)
            prompt = task_prompt(prompts, problem, "")
            assignment = Assignment(
                experiment, problem, prompt, prompts, 0, watching, draft, Ledger()
            )
            [track] = (await reasoners.load("spec")(assignment)).tracks
        judged = [step for step in track.steps if step.score is not None]
        if len(judged) < LONG_STEPS:
            return
        found["steps"].append(len(judged))
        for number, (step, score) in enumerate(zip(judged, watching.scores, strict=True)):
            computed = (score.prompt_tokens or 0) - (score.cached_prompt_tokens or 0)
            # A rewrite's tokens stand in the cache from when they were generated.
            new = step.draft_tokens or step.tokens or 0
            bound = new + question + BLOCK_TOKENS
            if number == 0:
                found["first"].append(computed)
            else:
                found["computed"].append(computed)
                found["above"].append(max(0, computed - bound))

    try:
        selected = load_problems("pocket-long", None, seed=0).select(f"first:{problems}")
        await asyncio.gather(*(one(problem) for problem in selected))
    finally:
        await target.stop()
        await draft.stop()
    return found


def main() -> None:
    """Measure and print; exit code 1 when a score recomputed more than the bound."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--draft-model", default="pocket-draft")
    chosen = arguments.parse_args()
    target = EngineSettings("vllm", chosen.model, process="inprocess", max_num_seqs=32)
    draft = replace(target, model=chosen.draft_model)
    experiment = reasoners.with_defaults(
        Experiment(
            "spec",
            target,
            draft,
            dataset="pocket-long",
            token_budget=TOKEN_BUDGET,
        )
    )
    with tempfile.TemporaryDirectory() as name:
        problems = QUICK_PROBLEMS if chosen.quick else PROBLEMS
        found = asyncio.run(excesses(experiment, draft, problems, Path(name)))
    above = sum(one > 0 for one in found["above"])
    result = {
        "chains": len(found["steps"]),
        "steps_median": statistics.median(found["steps"]) if found["steps"] else None,
        "scores_after_the_first": len(found["computed"]),
        "computed_tokens_mean": round(statistics.fmean(found["computed"]), 2)
        if found["computed"]
        else None,
        "computed_tokens_max": max(found["computed"], default=None),
        "scores_above_bound": above,
        "worst_excess": max(found["above"], default=None),
        "block_tokens": BLOCK_TOKENS,
        "model": chosen.model,
    }
    print_result("prefix_reuse", result)
    sys.exit(1 if above or not found["steps"] else 0)


if __name__ == "__main__":
    main()
