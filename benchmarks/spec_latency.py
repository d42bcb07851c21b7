"""Problems per minute and latency of spec and spec-async against a sequential driver.

    python benchmarks/spec_latency.py [--quick] [--model M --draft-model D]

Two comparisons:

- Throughput, on two OpenAI-compatible vLLM servers with the same problems and the same settings:
  a driver that works as SpecReason does (one problem at a time, one request after another) against
  `spec` at concurrency 32, and the median latencies of driver, spec and spec-async at concurrency
  1. The driver is benchmarks/sequential_driver.py. Then `spec` on vLLM engines of its own, in this
  process and each in one of its own: two cores spend most of their time on HTTP otherwise.
- Drafting ahead, on scripted engines with a stated latency model: `spec` against `spec-async`,
  without and with `--rewrite-ahead`, at concurrency 1 for several acceptance rates. Two models that
  share two cores cannot show it.

The last line printed is a JSON object.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from report import print_result
from sequential_driver import SequentialDriver, Server, Task

import pipeline
from pipeline import reasoners
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Latency, Script
from pipeline.engines.settings import EngineSettings, ProcessMode
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.experiment import Experiment
from pipeline.ledger import Ledger
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import open_prompt_set, score_question, task_prompt
from pipeline.reasoners.opening import open_chain
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import StepSettings
from pipeline.runs.directory import read_attempts

PROBLEMS, QUICK_PROBLEMS = 200, 12
CONCURRENCY = 32
TOKEN_BUDGET = 400
SERVER_SECONDS = 600
# The stated latency model, run at a tenth of these times: a draft token takes 5 ms, the target's
# decoding of one 40 ms, and its reading of one 0.2 ms, or nothing as where the prefix is cached.
DRAFT = Latency(prefill_token=0.0, decode_token=0.0005)
TARGETS = {
    "0.2 ms a prompt token": Latency(prefill_token=0.00002, decode_token=0.004),
    "nothing for reading": Latency(prefill_token=0.0, decode_token=0.004),
}
SCALE = "a tenth of: draft 5 ms a token, target 40 ms a token and what `reading` says"
STEPS, STEP_TOKENS = 20, 60
ACCEPTANCE = (0.7, 0.85, 0.9, 0.95, 1.0)


# What is compared with spec: only drafting ahead, and the target beginning its own step as well.
AHEAD = {"ahead": StepSettings(lookahead=1), "both": StepSettings(lookahead=1, rewrite_ahead=True)}


@dataclass(frozen=True, slots=True)
class Ahead:
    """Median seconds of an attempt by spec, and the share that each kind of haste saves."""

    reading: str
    acceptance: float
    spec: float
    saved_ahead: float
    saved_both: float


def _share(*parts: object) -> float:
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _author(prompt: str, seed: int) -> str:
    """Twenty steps of sixty tokens and an answer; each differs by its seed."""
    done = prompt.rpartition("assistant: ")[2].count("\n\n")
    if done >= STEPS:
        return "\\boxed{1}"
    return f"step {done} {seed % 997:03} ".ljust(STEP_TOKENS - 2, "x") + "\n\n"


def _judge(acceptance: float) -> Any:
    def digits(prompt: str) -> tuple[float, ...]:
        kept = _share(prompt) < acceptance
        return tuple(0.991 if digit == (9 if kept else 0) else 0.001 for digit in range(10))

    return digits


async def _attempt(
    latency: Latency, acceptance: float, repeat: int, steps: StepSettings | None
) -> tuple[float, int, int]:
    """Seconds, judged steps and kept ones of one attempt; by spec where there are no `steps`."""
    settings = EngineSettings("scripted", "m")
    target = ScriptedEngine(settings, Script(_author, _judge(acceptance), latency))
    draft = ScriptedEngine(settings, Script(_author, latency=DRAFT))
    await target.start()
    await draft.start()
    problem = Problem("latency", "0", "0", (), "?", "1", "integer", (), (), None)
    prompts = open_prompt_set("pocket")
    reasoner = "spec" if steps is None else "spec-async"
    experiment = reasoners.with_defaults(
        Experiment(reasoner, settings, settings, sections=(steps,) if steps else ())
    )
    prompt = task_prompt(prompts, problem, "")
    began = time.perf_counter()
    outcome = await reasoners.load(reasoner)(
        Assignment(experiment, problem, prompt, prompts, repeat, target, draft, Ledger())
    )
    seconds = time.perf_counter() - began
    [track] = outcome.tracks
    kept = sum(step.score is not None and step.author == "draft" for step in track.steps)
    return seconds, sum(step.score is not None for step in track.steps), kept


def drafting_ahead(repeats: int) -> Iterator[Ahead]:
    """Spec against spec-async, in turn, for each target and acceptance rate."""
    for reading, latency in TARGETS.items():
        for acceptance in ACCEPTANCE:
            yield _saved(reading, latency, acceptance, repeats)


def _saved(reading: str, latency: Latency, acceptance: float, repeats: int) -> Ahead:
    cases: dict[str, StepSettings | None] = {"spec": None, **AHEAD}
    taken: dict[str, list[float]] = {name: [] for name in cases}
    judged = kept = 0
    for repeat in range(repeats):
        for name, steps in cases.items():
            one, scores, good = asyncio.run(_attempt(latency, acceptance, repeat, steps))
            taken[name].append(one)
            judged, kept = judged + scores, kept + good
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    saved = {name: round(1 - medians[name] / medians["spec"], 3) for name in AHEAD}
    result = Ahead(
        reading, round(kept / judged, 3), round(medians["spec"], 3), saved["ahead"], saved["both"]
    )
    print(f"{reading}, {result.acceptance:.0%} kept: {medians['spec']:.3f} s, saved {saved}")
    return result


@contextlib.contextmanager
def server(model: str, core: str, folder: Path) -> Iterator[str]:
    """VLLM's own OpenAI-compatible server on one core."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    path = with_model_folder(EngineSettings("vllm", model)).model
    options = "--enforce-eager --no-enable-chunked-prefill --block-size 32 --dtype float32"
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", *options.split()),
        *("--model", path, "--served-model-name", model, "--host", "127.0.0.1"),
        *("--port", str(port), "--enable-prompt-tokens-details", "--max-num-seqs", "64"),
    ]
    surroundings = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": core,
        "TORCH_COMPILE_DISABLE": "1",
    }
    log_file = folder / f"server-{port}.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings)
    try:
        _wait_for(port, process, log_file)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"a server ended before it was ready:\n{log.read_text()[-3000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.5)
    sys.exit("a server was not ready in time")


def through_runner(experiment: Experiment, name: str) -> dict[str, Any]:
    """Problems per minute and the median latency of a run."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        summary = pipeline.run(experiment, Path(folder) / "run", display=watch)
        if summary.failed:
            sys.exit(f"{summary.failed} attempts failed; their records say why")
        attempts = sorted(read_attempts(Path(folder) / "run"), key=lambda one: int(one.problem_id))
    latencies = [attempt.seconds or 0.0 for attempt in attempts]
    found: dict[str, Any] = {
        "problems_per_minute": round(summary.done / watch.seconds * 60, 2),
        "median_latency": round(statistics.median(latencies), 3),
    }
    print(f"{name}: {found}")
    return found | {"texts": [attempt.response for attempt in attempts]}


class Stopwatch:
    """A progress display that only keeps how long the attempts took."""

    seconds = 0.0

    @contextlib.contextmanager
    def __call__(self, progress: Any) -> Iterator[None]:
        """Keep the clock when the attempts have ended."""
        yield
        self.seconds = progress.seconds


def one_after_another(experiment: Experiment, draft: str, urls: list[str]) -> dict[str, Any]:
    """The sequential driver on the experiment's problems."""
    planned = pipeline.plan(experiment)
    model = experiment.target.model
    tokenizer = HFTokenizer.of(with_model_folder(EngineSettings("vllm", model)))
    driver = SequentialDriver(
        Server(urls[0], model),
        Server(urls[1], draft),
        score_question(planned.prompt_set).text,
        experiment.token_budget,
    )
    solved = []
    for problem in planned.selected:
        ids = open_chain(tokenizer, planned.prompts[problem.problem_id].text, experiment.thinking)
        task = Task(problem.dataset, problem.problem_id, tokenizer.decode_with_special(ids))
        solved.append(driver.solve(task, StepSettings().score_threshold))
    seconds = [one.seconds for one in solved]
    found = {
        "problems_per_minute": round(len(solved) / sum(seconds) * 60, 2),
        "median_latency": round(statistics.median(seconds), 3),
        "drafts_kept": round(sum(o.drafted for o in solved) / sum(o.steps for o in solved), 4),
    }
    print(f"one request after another: {found}")
    return found | {"texts": [one.text for one in solved]}


def on_own_engines(
    experiment: Experiment, process: ProcessMode, concurrency: int
) -> dict[str, Any]:
    """`experiment` without servers, on vLLM engines in this process or each in one of its own."""
    target = EngineSettings("vllm", experiment.target.model, process=process)
    assert experiment.draft is not None  # noqa: S101 - spec has one
    draft = replace(target, model=experiment.draft.model)
    changed = replace(experiment, target=target, draft=draft, concurrency=concurrency)
    return through_runner(changed, f"spec, {concurrency} in flight, {process}")


def throughput(model: str, draft: str, problems: int) -> dict[str, Any]:
    """The sequential driver against `spec`, on the same two servers."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = [
            stack.enter_context(server(one, core, folder))
            for one, core in ((model, "0"), (draft, "1"))
        ]
        target = EngineSettings("openai", model, base_url=urls[0])
        experiment = Experiment(
            "spec",
            target,
            replace(target, model=draft, base_url=urls[1]),
            problem_range=f"first:{problems}",
            token_budget=TOKEN_BUDGET,
            concurrency=1,
        )
        through_runner(replace(experiment, problem_range="first:2"), "warm-up")
        sequential = one_after_another(experiment, draft, urls)
        alone = through_runner(experiment, "spec, one problem at a time")
        ahead = replace(experiment, reasoner="spec-async", sections=(StepSettings(lookahead=1),))
        asynchronous = through_runner(ahead, "spec-async, one problem at a time")
        many = through_runner(replace(experiment, concurrency=CONCURRENCY), "spec, 32 in flight")
    own = {
        f"{process}, {concurrency} in flight": on_own_engines(experiment, process, concurrency)
        for process in ("inprocess", "subprocess")
        for concurrency in (1, CONCURRENCY)
    }
    texts = sequential.pop("texts")
    alike = sum(ours == theirs for ours, theirs in zip(alone.pop("texts"), texts, strict=True))
    for one in (asynchronous, many, *own.values()):
        one.pop("texts")
    sequential_rate = sequential["problems_per_minute"]
    return {
        "problems": problems,
        "one_after_another": sequential,
        "spec_concurrency_1": alone,
        "spec_async_concurrency_1": asynchronous,
        "spec_concurrency_32": many,
        "spec_on_own_engines": own,
        "ratio_on_the_servers": round(many["problems_per_minute"] / sequential_rate, 2),
        "ratios_on_own_engines": {
            name: round(one["problems_per_minute"] / sequential_rate, 2)
            for name, one in own.items()
        },
        "same_texts": alike,
    }


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--draft-model", default="pocket-draft")
    arguments.add_argument("--only-ahead", action="store_true", help="no servers")
    arguments.add_argument("--problems", type=int, help="another number of problems")
    chosen = arguments.parse_args()
    result: dict[str, Any] = {
        "latency_model": SCALE,
        "drafting_ahead": [asdict(one) for one in drafting_ahead(2 if chosen.quick else 5)],
    }
    if not chosen.only_ahead:
        problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
        result["servers"] = throughput(chosen.model, chosen.draft_model, problems)
    print_result("spec_latency", result)


if __name__ == "__main__":
    main()
