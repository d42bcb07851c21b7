"""Measure the pocket pair's skill again: the figures of its model card.

Run from the repository: `python benchmarks/pocket_skill.py` (600 test problems and the long ones),
or with `--quick` (90 problems). The last line is one JSON object.
"""

import argparse
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from report import print_result

from pipeline.pocket import measure, prompts
from pipeline.pocket.measure import Judged, Loaded
from pipeline.pocket.problems import KINDS, Problem
from pipeline.pocket.rows import DATASETS, read_rows
from pipeline.pocket.step_checker import check_step

PAIR = Path(__file__).parents[1] / "pipeline" / "pocket"


def accuracy(
    loaded: Loaded, problems: Sequence[Problem], *, temperature: float, seeds: Sequence[int]
) -> dict[str, float]:
    """Share of solved problems, over all and by kind."""
    right: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for seed in seeds:
        texts = measure.answers(loaded, problems, temperature=temperature, seed=seed)
        for problem, text in zip(problems, texts, strict=True):
            right[problem.kind].append(measure.solved(problem, text))
    everything = [one for kind in KINDS for one in right[kind]]
    shares = {kind: round(sum(some) / len(some), 4) for kind, some in right.items()}
    return {"all": round(sum(everything) / len(everything), 4), **shares}


def draft_steps(draft: Loaded, problems: Sequence[Problem], temperature: float) -> list[Judged]:
    """Sample a step of the draft after every right prefix, and judge it by the checker."""
    places = [(problem, i) for problem in problems for i in range(len(problem.steps) + 1)]
    steps = measure.sampled_steps(draft, places, temperature=temperature, seed=5)
    return [
        Judged(problem, i, step, right=check_step(problem.question, problem.steps[:i], step))
        for (problem, i), step in zip(places, steps, strict=True)
    ]


def method_form(loaded: Loaded, problems: Sequence[Problem], temperature: float) -> float:
    """Share of method questions answered by the asked number of different letters of the pool."""
    rng = random.Random(3)
    asked = [(rng.choice(prompts.POOLS), rng.randint(1, 5)) for _ in problems]
    texts = [
        measure.chat(loaded, prompts.methods_prompt(problem.question, pool, count))
        + prompts.methods_answer(count, ())
        for problem, (pool, count) in zip(problems, asked, strict=True)
    ]
    answers = measure.complete(loaded, texts, longest=20, temperature=temperature, seed=6)
    good = 0
    for answer, (pool, count) in zip(answers, asked, strict=True):
        letters = answer.split(", ")
        known = {method["letter"] for method in prompts.method_pool(pool)}
        form = re.fullmatch(r"[A-P](, [A-P])*", answer) is not None
        good += form and len(letters) == len(set(letters)) == count and set(letters) <= known
    return round(good / len(problems), 4)


def score_figures(target: Loaded, judged: Sequence[Judged]) -> dict[str, float]:
    """AUROC and size of a set of judged steps."""
    wrong = sum(not one.right for one in judged)
    area = measure.score_auroc(target, judged)
    return {"auroc": round(area, 4), "right": len(judged) - wrong, "wrong": wrong}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="90 problems, one seed")
    parser.add_argument("--target", type=Path, default=PAIR / "target")
    parser.add_argument("--draft", type=Path, default=PAIR / "draft")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    started = time.monotonic()
    ordinary = read_rows((DATASETS / "pocket.jsonl").read_text())
    long = read_rows((DATASETS / "pocket-long.jsonl").read_text())
    ordinary, long = (ordinary[:90], long[:30]) if args.quick else (ordinary, long)
    seeds = [0] if args.quick else [0, 1]
    report: dict[str, object] = {}
    pair = {"target": Loaded.from_folder(args.target), "draft": Loaded.from_folder(args.draft)}
    for name, loaded in pair.items():
        for label, problems in (("pocket", ordinary), ("pocket-long", long)):
            for temperature, runs in ((0.0, [0]), (0.6, seeds)):
                key = f"{name} {label} T={temperature}"
                report[key] = accuracy(loaded, problems, temperature=temperature, seeds=runs)
                print(key, report[key], flush=True)
    target, draft = pair["target"], pair["draft"]
    for label, problems in (("pocket", ordinary[:300]), ("pocket-long", long)):
        rng = random.Random(4)
        altered = measure.altered_pairs(rng, problems)
        report[f"score altered {label}"] = score_figures(target, altered)
        own = draft_steps(draft, problems, 0.6)
        report[f"score draft's steps {label}"] = score_figures(target, own)
    for temperature in (0.0, 0.6):
        report[f"methods T={temperature}"] = method_form(target, ordinary[:300], temperature)
    report |= {
        "problems": len(ordinary),
        "long_problems": len(long),
        "parameters": {name: one.model.num_parameters() for name, one in pair.items()},
        "seconds": round(time.monotonic() - started, 1),
    }
    print_result("pocket_skill", report)


if __name__ == "__main__":
    main()
