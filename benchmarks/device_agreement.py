"""Whether the transformers engine says on a GPU what it says on the CPU.

    python benchmarks/device_agreement.py [--quick] [--problems N] [--devices 0]

Answers of the pocket target on both devices in one process: greedy and sampled, in float32, and on
the device in bfloat16 too; the log-probabilities of its score digits; and whether a request has the
same tokens alone and beside others. Where no GPU is, both devices are the CPU. The last line
printed is a JSON object. Exit code 1 when neighbours change a request's tokens.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from report import print_result

from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import Completion, Engine, SamplingRequest
from pipeline.engines.settings import CPU, EngineSettings
from pipeline.problems.problem_set import load_problems
from pipeline.problems.prompting import open_prompt_set, score_question, task_prompt
from pipeline.reasoners.opening import open_chain
from pipeline.reasoners.step_score import digit_ids

GREEDY = SamplingRequest(max_tokens=300, temperature=0.0, top_p=1.0, seed=0)
SAMPLED = replace(GREEDY, temperature=0.6, top_p=0.95)
ONE = replace(GREEDY, max_tokens=1)
PROBLEMS, QUICK_PROBLEMS = 90, 6

Requests = Sequence[tuple[list[int], SamplingRequest]]


async def one_by_one(engine: Engine, requests: Requests) -> tuple[list[Completion], float]:
    """Every request alone, and the tokens a second."""
    began = time.perf_counter()
    done = [await engine.complete(prompt, sampling) for prompt, sampling in requests]
    tokens = sum(completion.generated or 0 for completion in done)
    return done, round(tokens / (time.perf_counter() - began), 1)


def ids(completion: Completion) -> tuple[int, ...]:
    """The tokens, which this engine always knows."""
    return completion.token_ids or ()


def same(some: Sequence[Completion], others: Sequence[Completion]) -> float:
    """The share of requests with the same tokens."""
    alike = [ids(one) == ids(other) for one, other in zip(some, others, strict=True)]
    return round(statistics.fmean(alike), 4)


async def divergences(
    judge: Engine, requests: Requests, some: Sequence[Completion], others: Sequence[Completion]
) -> list[dict[str, float]]:
    """Where two answers part: the token's number, and `judge`'s log-probability gap there."""
    found = []
    for (prompt, _), one, other in zip(requests, some, others, strict=True):
        pairs = enumerate(zip(ids(one), ids(other), strict=False))
        first = next(((at, a, b) for at, (a, b) in pairs if a != b), None)
        if first is None:
            continue
        at, a, b = first
        asked = replace(ONE, logprobs_of=(a, b))
        known = (await judge.complete([*prompt, *ids(one)[:at]], asked)).logprobs or {}
        found.append({"token": at, "gap": round(known[a] - known[b], 6)})
    return found


async def digits(engine: Engine, requests: Requests, answers: Sequence[Completion]) -> list[float]:
    """Log-probabilities of the digits after each answer's first half and the score question."""
    question = engine.tokenizer.encode(score_question(open_prompt_set("pocket")).text)
    asked = replace(ONE, logprobs_of=digit_ids(engine.tokenizer))
    found: list[float] = []
    for (prompt, _), answer in zip(requests, answers, strict=True):
        half = ids(answer)[: len(ids(answer)) // 2]
        known = (await engine.complete([*prompt, *half, *question], asked)).logprobs or {}
        found += [known[token] for token in asked.logprobs_of]
    return found


async def beside(engine: Engine, requests: Requests) -> list[Completion]:
    """Every request while the others are in flight."""
    return await asyncio.gather(*(engine.complete(*request) for request in requests))


async def measure(problems: int, devices: str | None) -> dict[str, object]:
    """All figures."""
    settings = with_model_folder(
        EngineSettings("transformers", "pocket-target", dtype="float32", devices=devices)
    )
    engines = {
        "cpu": create(replace(settings, devices=CPU)),
        "device": create(settings),
        "bfloat16": create(replace(settings, dtype="bfloat16")),
    }
    prompts = open_prompt_set("pocket")
    for engine in engines.values():
        await engine.start()
    try:
        tasks = [
            open_chain(engines["cpu"].tokenizer, task_prompt(prompts, problem, "").text, "auto")
            for problem in load_problems("pocket", None, seed=0).select(f"first:{problems}")
        ]
        result: dict[str, object] = {"problems": problems}
        for kind, sampling in (("greedy", GREEDY), ("sampled", SAMPLED)):
            asked = [(task, replace(sampling, seed=seed)) for seed, task in enumerate(tasks)]
            done = {}
            for name, engine in engines.items():
                done[name] = await one_by_one(engine, asked)
                print(kind, name, done[name][1], "tokens a second", flush=True)
            cpu, device, rough = (done[name][0] for name in engines)
            result[kind] = {
                "same_as_cpu": same(device, cpu),
                "partings_from_cpu": await divergences(engines["cpu"], asked, cpu, device),
                "bfloat16_same_as_float32": same(rough, device),
                "same_beside_others": same(await beside(engines["device"], asked), device),
                "tokens_a_second": {name: speed for name, (_, speed) in done.items()},
            }
            print(kind, result[kind], flush=True)
            if kind == "greedy":
                known = [await digits(engine, asked, cpu) for engine in engines.values()]
                result["digit_logprob_gap"] = {
                    name: max(abs(a - b) for a, b in zip(known[0], some, strict=True))
                    for name, some in zip(engines, known, strict=True)
                    if name != "cpu"
                }
    finally:
        for engine in engines.values():
            await engine.stop()
    return result


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK_PROBLEMS} problems")
    arguments.add_argument("--problems", type=int, help="another number of problems")
    arguments.add_argument("--devices", help="as for `speclrm run`")
    chosen = arguments.parse_args()
    # The pocket target is too small for a second thread of the CPU to pay.
    torch.set_num_threads(1)
    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    result = asyncio.run(measure(problems, chosen.devices))
    result["gpu"] = torch.cuda.is_available() and chosen.devices != CPU
    print_result("device_agreement", result)
    kinds = [result["greedy"], result["sampled"]]
    held = all(isinstance(one, dict) and one["same_beside_others"] == 1 for one in kinds)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
