"""Branches of one sequence against rows of one forward and against vLLM, on the same prompts.

    python benchmarks/branches.py [--quick] [--model pocket-target] [--dtype auto] [--without-vllm]
        [--lora FILE]

Groups of prompts that have a beginning of some length in common, each with a question of its own,
are answered at once: as one sequence (`--decoding branches`), as rows that are gathered (`--gather
branches`), as padded rows, and by vLLM with its prefix cache; in turn, in one program, each group
with another beginning, so that nothing is kept from before. Told are the median seconds of wall and
of processor time (which a GPU's own is no part of), new tokens a second, forwards that gave them,
and tokens that were computed. Every way of the transformers engine must give the same tokens in
float32 (exit code 1).

Then more prompts are asked than have a place (32), with answers of very different lengths: where
one ends the next takes its place, in every way.

Then the interference of columns: how much less likely the tokens of right solutions are for the
pocket target in a group than alone. `--lora` adds an adapter for that. The last line printed is a
JSON object.
"""

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from report import print_result

from pipeline.engines import create
from pipeline.engines.branching import Branching
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings

COMMON, QUICK_COMMON = (0, 64, 512, 1500), (0, 512)
BRANCHES, QUICK_BRANCHES = (4, 16, 32), (4, 16)
ROUNDS, QUICK_ROUNDS = 3, 1
NEW_TOKENS = 48
MOST = 32
QUEUE, QUICK_QUEUE, QUEUE_TOKENS = 128, 40, 400
TARGET = "pocket-target"
SIZES = (1, 2, 4, 8)
PROBLEMS, QUICK_PROBLEMS = 48, 16
Prompts = list[list[int]]


@dataclass
class Answered:
    """What a way made of one group."""

    tokens: list[tuple[int, ...]]
    wall: float
    cpu: float
    forwards: int | None
    computed: int | None


def settings_of(chosen: argparse.Namespace, log: Path) -> dict[str, EngineSettings]:
    """The engines that are compared, by what they do."""
    rows = EngineSettings("transformers", chosen.model, max_num_seqs=MOST, dtype=chosen.dtype)
    ways = {
        "branches": replace(
            rows, max_num_seqs=None, decoding="branches", branching=Branching(MOST)
        ),
        "gathered": replace(rows, gather="branches"),
        "rows": rows,
    }
    if not chosen.without_vllm:
        ways["vllm"] = replace(rows, engine="vllm", log=log)
    return {name: with_model_folder(one) for name, one in ways.items()}


def prompts_of(tokenizer: Any, common: int, branches: int, seed: int) -> Prompts:
    """Questions behind a beginning that no other group has: solved problems, cut to a length."""
    from pipeline.pocket.problems import KINDS, Difficulty, make_problem  # noqa: PLC0415 - slow

    rng = random.Random(seed)
    text = ""
    beginning: list[int] = []
    while len(beginning) < common:
        problem = make_problem(rng, rng.choice(KINDS), Difficulty(), "validation")
        text += "\n\n".join((problem.question.statement, *problem.steps, "")) + "\n\n"
        beginning = tokenizer.encode(text)
    easy = Difficulty(shortest=2, longest=4) if branches <= MOST else Difficulty()
    questions = [
        tokenizer.render_chat(
            [
                {
                    "role": "user",
                    "content": make_problem(rng, "integer", easy, "validation").question.statement,
                }
            ]
        )
        for _ in range(branches)
    ]
    return [beginning[:common] + tokenizer.encode(question) for question in questions]


async def answer(
    engine: Any, name: str, prompts: Prompts, most: int = NEW_TOKENS, *, queued: bool = False
) -> Answered:
    """Answer a group at once, or more prompts than have a place, as they get one."""
    sampling = SamplingRequest(most, temperature=0.0, top_p=1.0, seed=0)
    counts = engine._worker.stepper.counts if name != "vllm" else None  # noqa: SLF001 - not told
    before = counts.forwards if counts is not None else 0
    wall, cpu = time.perf_counter(), time.process_time()
    if name == "branches" and not queued:
        done = await engine.complete_together([(one, sampling) for one in prompts])
    else:
        done = await asyncio.gather(*(engine.complete(one, sampling) for one in prompts))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    read = sum(one.prompt_tokens - (one.cached_prompt_tokens or 0) for one in done)
    written = sum(len(one.token_ids) for one in done)
    return Answered(
        [one.token_ids for one in done],
        wall,
        cpu,
        counts.forwards - before if counts is not None else None,
        read + written - len(done),
    )


async def measured(chosen: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Every way on every group, and whether those that must be are equal."""
    log = Path(tempfile.mkdtemp()) / "engine.log"
    ways = settings_of(chosen, log)
    engines = {name: create(settings) for name, settings in ways.items()}
    result: dict[str, Any] = {}
    equal = True
    try:
        for engine in engines.values():
            await engine.start()
        tokenizer = engines["rows"].tokenizer
        for name, engine in engines.items():  # the first passes of a program take longer
            await answer(engine, name, prompts_of(tokenizer, 70, 4, seed=1))
        lengths = QUICK_COMMON if chosen.quick else COMMON
        sizes = QUICK_BRANCHES if chosen.quick else BRANCHES
        for common, branches in product(lengths, sizes):
            found: dict[str, list[Answered]] = {name: [] for name in ways}
            for number in range(QUICK_ROUNDS if chosen.quick else ROUNDS):
                seed = 1000 * common + 10 * branches + number
                prompts = prompts_of(tokenizer, common, branches, seed)
                for name, engine in engines.items():
                    found[name].append(await answer(engine, name, prompts))
            told = {name: figures(some, found["rows"]) for name, some in found.items()}
            equal &= engines["rows"].facts.dtype != "float32" or all(
                told[name]["equal_to_rows"] == told[name]["answers"]
                for name in ("branches", "gathered")
            )
            result[f"{common} common, {branches} branches"] = told
            for name, figure in told.items():
                print(f"{common} common, {branches} branches, {name}: {figure}", flush=True)
        queue = prompts_of(tokenizer, 0, QUICK_QUEUE if chosen.quick else QUEUE, seed=2)
        waited = {
            name: [await answer(engine, name, queue, QUEUE_TOKENS, queued=True)]
            for name, engine in engines.items()
        }
        for name, some in waited.items():
            label = f"{len(queue)} prompts in turn"
            result.setdefault(label, {})[name] = figures(some, waited["rows"])
            print(f"{label}, {name}: {result[label][name]}", flush=True)
    finally:
        for engine in engines.values():
            await engine.stop()
    return result, equal


def figures(some: Sequence[Answered], rows: Sequence[Answered]) -> dict[str, Any]:
    """Medians over the rounds, and how many answers have the tokens of rows."""
    wall = statistics.median(one.wall for one in some)
    cpu = statistics.median(one.cpu for one in some)
    written = statistics.median(sum(map(len, one.tokens)) for one in some)
    pairs = [
        (mine, theirs)
        for one, other in zip(some, rows, strict=True)
        for mine, theirs in zip(one.tokens, other.tokens, strict=True)
    ]
    return {
        "seconds": round(wall, 3),
        "processor_seconds": round(cpu, 3),
        "tokens_a_second": round(written / wall, 1),
        "share_of_rows_seconds": round(wall / statistics.median(one.wall for one in rows), 2),
        "share_of_rows_time": round(cpu / statistics.median(one.cpu for one in rows), 2),
        "forwards": some[0].forwards,
        "computed": some[0].computed,
        "answers": len(pairs),
        "equal_to_rows": sum(mine == theirs for mine, theirs in pairs),
    }


def interference(chosen: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The mean change of a right token's log-probability in groups of some sizes, against alone."""
    from pipeline.decoding.layout import COLUMNAR, RIGHT, Layout  # noqa: PLC0415 - slow, as below
    from pipeline.decoding.rope2d import two_dimensions  # noqa: PLC0415
    from pipeline.engines.transformers.loading import load_model  # noqa: PLC0415
    from pipeline.pocket.columns import log_probabilities, solutions  # noqa: PLC0415

    settings = with_model_folder(
        EngineSettings("transformers", TARGET, dtype=chosen.dtype, lora=chosen.lora)
    )
    model = load_model(settings)
    rows = solutions(QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    columns = Layout(COLUMNAR, align=RIGHT)
    kinds: dict[str, tuple[Layout, float | None]] = {
        "isolated": (Layout(), None),
        "columnar, the model's own positions": (columns, None),
        **{
            f"columnar, ratio {ratio:g}": (replace(columns, stride=128), ratio)
            for ratio in (0.25, 0.5, 1.0)
        },
    }

    @contextlib.contextmanager
    def turned(ratio: float | None) -> Iterator[Any]:
        if ratio is None:
            yield None
        else:
            with two_dimensions(model, ratio) as rope:
                yield rope

    alone = log_probabilities(model, rows, 1, Layout(), None)
    told: dict[str, dict[str, float]] = {}
    for name, (layout, ratio) in kinds.items():
        with turned(ratio) as rope:
            told[name] = {
                str(size): round(log_probabilities(model, rows, size, layout, rope) - alone, 4)
                for size in SIZES
            }
        print(f"{name}: {told[name]}", flush=True)
    return told


def main() -> None:
    """Measure in turn and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default=TARGET)
    arguments.add_argument("--dtype", default="auto")
    arguments.add_argument("--without-vllm", action="store_true")
    arguments.add_argument("--lora", help="an adapter, for the interference")
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    groups, equal = asyncio.run(measured(chosen))
    print_result("branches", {"groups": groups, "interference": interference(chosen)})
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
