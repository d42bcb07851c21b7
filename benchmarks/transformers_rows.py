"""Requests as rows of one forward: the transformers engine with 1, 8 and 24 rows, and vLLM.

    python benchmarks/transformers_rows.py [--quick] [--model pocket-target] [--without-vllm]

All get the same 24 prompts at once, with the same sampling and seeds, in turn, several rounds in
one program; every engine is started anew, so that no prefix is kept, and its start is not counted.
Told are seconds of wall and of processor time, tokens a second, and how many of the 24 texts have
the very tokens that one row gives. The last line printed is a JSON object. Exit code 1 where the
tokens differ, or one row takes less than 3 times the processor time of 24: that, unlike the wall
time, is the same on a busy machine.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report import print_result

import pipeline
from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.experiment import Experiment
from pipeline.reasoners.baseline import TRACK
from pipeline.reasoners.opening import open_chain
from pipeline.seeds import request_seed

ATTEMPTS, TOKEN_BUDGET = 24, 512
ROWS = (1, 8, 24)
ROUNDS, QUICK_ROUNDS = 5, 1
WANTED = 3.0
Tokens = tuple[int, ...] | None


def requests(experiment: Experiment) -> list[tuple[list[int], SamplingRequest]]:
    """What a baseline asks first of its engine."""
    planned = pipeline.plan(experiment)
    tokenizer = HFTokenizer.of(with_model_folder(experiment.target))
    return [
        (
            open_chain(tokenizer, prompt.text, "auto"),
            SamplingRequest(
                TOKEN_BUDGET,
                experiment.temperature,
                experiment.top_p,
                request_seed(
                    experiment.seed, p.dataset, p.problem_id, 0, TRACK, step=0, purpose="reason"
                ),
            ),
        )
        for p, prompt in zip(planned.selected, planned.prompts.values(), strict=True)
    ]


async def answer(
    settings: EngineSettings, asked: Sequence[tuple[list[int], SamplingRequest]]
) -> tuple[list[Tokens], float, float]:
    """The tokens of all answers, and how many seconds of wall and processor time they took."""
    engine = create(with_model_folder(settings))
    await engine.start()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        done = await asyncio.gather(*(engine.complete(*one) for one in asked))
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        return [one.token_ids for one in done], *seconds
    finally:
        await engine.stop()


def main() -> None:
    """Measure in turn and print the ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--without-vllm", action="store_true")
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    log = Path(tempfile.mkdtemp()) / "engine.log"
    ways = {
        f"{rows}_rows": EngineSettings("transformers", chosen.model, max_num_seqs=rows)
        for rows in ROWS
    }
    if not chosen.without_vllm:
        ways["vllm"] = EngineSettings("vllm", chosen.model, max_num_seqs=ATTEMPTS, log=log)
    experiment = Experiment(
        reasoner="baseline", target=ways["1_rows"], problem_range=f"first:{ATTEMPTS}"
    )
    asked = requests(experiment)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    tokens: dict[str, list[Tokens]] = {}
    for _ in range(QUICK_ROUNDS if chosen.quick else ROUNDS):
        for name, settings in ways.items():
            tokens[name], wall, cpu = asyncio.run(answer(settings, asked))
            seconds[name].append((wall, cpu))
            print(f"{name}: {wall:.2f} s, {cpu:.2f} s of processor time", flush=True)
    result = {name: figures(tokens[name], seconds[name], tokens["1_rows"]) for name in ways}
    one, many = result["1_rows"], result["24_rows"]
    ratios = {
        f"24_rows_save_{name}": round(one[name] / many[name], 2)
        for name in ("seconds", "processor_seconds")
    }
    print_result("transformers_rows", {"attempts": ATTEMPTS, **ratios, **result})
    equal = all(result[f"{rows}_rows"]["equal_to_one_row"] == ATTEMPTS for rows in ROWS)
    sys.exit(0 if equal and ratios["24_rows_save_processor_seconds"] >= WANTED else 1)


def figures(
    tokens: list[Tokens], seconds: list[tuple[float, float]], alone: list[Tokens]
) -> dict[str, Any]:
    """One engine's figures: medians over the rounds."""
    wall = statistics.median(each for each, _ in seconds)
    generated = sum(len(one or ()) for one in tokens)
    return {
        "seconds": round(wall, 3),
        "processor_seconds": round(statistics.median(each for _, each in seconds), 3),
        "tokens": generated,
        "tokens_a_second": round(generated / wall, 1),
        "equal_to_one_row": sum(a == b for a, b in zip(tokens, alone, strict=True)),
    }


if __name__ == "__main__":
    main()
