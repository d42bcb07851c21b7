"""Generated tokens per second through the runner against vLLM's own LLM.generate.

    python benchmarks/throughput.py [--quick] [--model pocket-target | --width 384 --layers 8]
        [--process inprocess | subprocess]

Both get the same prompts, sampling, per-request seeds, process mode, threads and batch limit, in
turn, several rounds in one program, each with an empty prefix cache. Both have encoded the prompts
before their time begins; the runner's ends when its records are on the disk. Starting an engine is
in neither. Also measured: the processor time that the runner itself takes per attempt, on the
scripted engine. With `--width` the model is a Qwen3 of that shape with random weights: the larger
the model, the longer a step, and the less weighs what happens between steps.
The last line printed is a JSON object.
"""

import argparse
import contextlib
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from report import print_result

import pipeline
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.facts import read_facts
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.experiment import Experiment
from pipeline.reasoners.baseline import TRACK
from pipeline.reasoners.opening import open_chain
from pipeline.runs.scheduler import Progress
from pipeline.seeds import request_seed

CONCURRENCY = 32
TOKEN_BUDGET, RANDOM_BUDGET = 512, 64
ROUNDS, QUICK_ROUNDS = 9, 2
PROBLEMS, QUICK_PROBLEMS = 300, 96
SCRIPTED_ATTEMPTS = 2_000


class Stopwatch:
    """A progress display that only keeps how long the attempts took, without the engine's start."""

    seconds = 0.0
    generated = 0

    @contextlib.contextmanager
    def __call__(self, progress: Progress) -> Iterator[None]:
        """Keep the clock and the count when the attempts have ended."""
        yield
        self.seconds, self.generated = progress.seconds, progress.generated or 0


def through_runner(experiment: Experiment) -> float:
    """Tokens per second of `pipeline.run`."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as name:
        summary = pipeline.run(experiment, Path(name) / "run", display=watch)
    if summary.failed:
        sys.exit(f"{summary.failed} attempts failed; their records say why")
    return watch.generated / watch.seconds


class Peer:
    """vLLM's own offline interface on the same requests."""

    def __init__(self, experiment: Experiment) -> None:
        import torch  # noqa: PLC0415 - slow

        from pipeline.engines.vllm import setup as vllm_setup  # noqa: PLC0415 - before vLLM reads its environment

        settings = with_model_folder(experiment.target)
        os.environ |= vllm_setup.base_environment(settings, None)
        # torch may be loaded by now, with a thread for each core; the engine of a run takes one.
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        inprocess = settings.process == "inprocess"
        os.environ |= vllm_setup.mode_environment(settings, inprocess=inprocess, on_cpu=True)
        vllm_setup.compile_nothing()
        from vllm import SamplingParams  # noqa: PLC0415

        self.arguments = vllm_setup.engine_arguments(settings, read_facts(settings), on_cpu=True)
        planned = pipeline.plan(experiment)
        tokenizer = HFTokenizer.of(settings)
        self.prompts = [
            {"prompt_token_ids": open_chain(tokenizer, prompt.text, "auto")}
            for prompt in planned.prompts.values()
        ]
        self.sampling = [
            SamplingParams(
                max_tokens=experiment.token_budget,
                temperature=experiment.temperature,
                top_p=experiment.top_p,
                seed=request_seed(
                    experiment.seed, p.dataset, p.problem_id, 0, TRACK, step=0, purpose="reason"
                ),
            )
            for p in planned.selected
        ]

    def tokens_per_second(self) -> float:
        """One pass over all prompts, on an engine of its own.

        vLLM's shutdown of one engine in a process takes the others with it, so none is kept.
        """
        from vllm import LLM, SamplingParams  # noqa: PLC0415

        llm: Any = LLM(**self.arguments)
        llm.generate(self.prompts[:1], SamplingParams(max_tokens=1), use_tqdm=False)
        start = time.perf_counter()
        outputs = llm.generate(self.prompts, self.sampling, use_tqdm=False)
        seconds = time.perf_counter() - start
        generated: int = sum(len(output.outputs[0].token_ids) for output in outputs)
        llm.llm_engine.engine_core.shutdown()
        del llm
        gc.collect()
        return generated / seconds


def own_cpu_milliseconds() -> float:
    """Processor time per attempt of the runner with an engine that costs next to nothing."""
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "script.json"
        script.write_text("{}")
        experiment = Experiment(
            reasoner="baseline",
            target=EngineSettings("scripted", "scripted", script=script),
            problem_range=f"first:{QUICK_PROBLEMS}",
            repeats=SCRIPTED_ATTEMPTS // QUICK_PROBLEMS,
        )
        start = time.process_time()
        summary = pipeline.run(experiment, Path(name) / "run")
        return (time.process_time() - start) / summary.done * 1000


def main() -> None:
    """Choose the model and measure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--width", type=int, help="of a model with random weights")
    arguments.add_argument("--layers", type=int, default=8)
    arguments.add_argument("--process", choices=("inprocess", "subprocess"), default="inprocess")
    chosen = arguments.parse_args()
    experiment = Experiment(
        reasoner="baseline",
        target=EngineSettings(
            "vllm", chosen.model, max_num_seqs=CONCURRENCY, process=chosen.process
        ),
        problem_range=f"first:{QUICK_PROBLEMS if chosen.quick else PROBLEMS}",
        token_budget=TOKEN_BUDGET,
        concurrency=CONCURRENCY,
    )
    with tempfile.TemporaryDirectory() as folder:
        if chosen.width is not None:
            write_random_model(Path(folder), chosen.width, chosen.layers)
            target = replace(experiment.target, model=folder)
            experiment = replace(experiment, target=target, token_budget=RANDOM_BUDGET)
        measure(experiment, QUICK_ROUNDS if chosen.quick else ROUNDS)


def write_random_model(folder: Path, width: int, layers: int) -> None:
    """A Qwen3 checkpoint of that shape with random weights and the pocket pair's tokenizer."""
    import torch  # noqa: PLC0415 - slow

    from pipeline.pocket.model import Shape, TinyQwen3, save_model  # noqa: PLC0415 - imports torch
    from pipeline.pocket.tokenizer import build_tokenizer, save_tokenizer  # noqa: PLC0415 - same

    torch.manual_seed(0)
    model = TinyQwen3(Shape(width, layers, 2 * width, len(build_tokenizer())))
    save_model(model, model.state_dict(), folder)
    save_tokenizer(folder)


def measure(experiment: Experiment, rounds: int) -> None:
    """Measure in turn and print the ratio."""
    own_cpu = own_cpu_milliseconds()
    peer = Peer(experiment)
    peer.tokens_per_second()
    through_runner(replace(experiment, problem_range=f"first:{CONCURRENCY}"))
    pairs = []
    for _ in range(rounds):
        pairs.append((through_runner(experiment), peer.tokens_per_second()))
        print(f"runner {pairs[-1][0]:,.0f} tokens/s, LLM.generate {pairs[-1][1]:,.0f} tokens/s")
    ratios = [ours / theirs for ours, theirs in pairs]
    result = {
        "ratio_median": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "tokens_per_second": [[round(ours), round(theirs)] for ours, theirs in pairs],
        "own_cpu_ms_per_attempt": round(own_cpu, 3),
        "process": experiment.target.process,
        "concurrency": CONCURRENCY,
        "problems": len(peer.prompts),
        "parameters": read_facts(with_model_folder(experiment.target)).parameters,
    }
    print_result("throughput", result)


if __name__ == "__main__":
    main()
