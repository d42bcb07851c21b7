"""What only vLLM can show: aborts, death and restart, its processes, and its own server."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pipeline.engines import create
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.facts import read_facts
from pipeline.engines.openai import engine as openai
from pipeline.engines.openai.engine import OpenAIEngine
from pipeline.engines.openai.replicas import ServedModel
from pipeline.engines.openai.skills import Skills
from pipeline.engines.protocol import Ability, ModelFacts, SamplingRequest
from pipeline.engines.sampling import Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.engines.step_watch import StepWatch
from pipeline.engines.transformers.engine import TransformersEngine
from pipeline.engines.vllm import setup as vllm_setup
from pipeline.engines.vllm.engine import VllmEngine
from pipeline.engines.vllm.speculation import check_draws, check_speculation, speculative_config
from pipeline.errors import EngineDead, EngineFailure, UserMistake
from pipeline.experiment import Experiment
from pipeline.ledger import Ledger
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import open_prompt_set, task_prompt, thinking_close
from pipeline.reasoners.baseline import BASELINE
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import ThinkingLimit
from pipeline.runs.directory import attempt_files, read_attempts
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import HANGS

GREEDY = SamplingRequest(max_tokens=20, temperature=0.0, top_p=1.0, seed=5)
LONG = replace(GREEDY, max_tokens=480, temperature=1.0)
PENALISED = replace(GREEDY, presence_penalty=0.2, repetition_penalty=1.3)
PROMPT = [1, 2, 3, 4]
CORES = len(os.sched_getaffinity(0))
AT_ONCE = 4
RUN = (
    "run baseline --engine vllm --problem-id first:1 --token-budget 100 "
    f"--concurrency {AT_ONCE} --max-num-seqs 8"
)


def settings(model: Path, folder: Path) -> EngineSettings:
    return EngineSettings(
        "vllm", str(model), process="inprocess", log=folder / "engine.log", max_num_seqs=8
    )


@pytest.fixture(scope="module")
def engine(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    made = VllmEngine(settings(tiny_model, tmp_path_factory.mktemp("vllm")))
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.mark.vllm
async def test_cancelling_a_task_aborts_its_request(engine: VllmEngine) -> None:
    assert engine._driver is not None
    unfinished = engine._driver.engine.get_num_unfinished_requests
    tasks = [asyncio.create_task(engine.complete(PROMPT, LONG)) for _ in range(4)]
    while unfinished() == 0:  # noqa: ASYNC110 - vLLM counts in a thread and tells nobody
        await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine.complete(PROMPT, replace(GREEDY, max_tokens=1))
    assert unfinished() == 0


@pytest.mark.vllm
async def test_a_prompt_that_vllm_refuses_fails_alone(engine: VllmEngine) -> None:
    good, bad = await asyncio.gather(
        engine.complete(PROMPT, GREEDY), engine.complete([10**6], GREEDY), return_exceptions=True
    )
    assert isinstance(bad, EngineFailure)
    assert not isinstance(bad, EngineDead)
    assert not isinstance(good, BaseException)
    await engine.health()


@pytest.mark.vllm
async def test_the_second_prompt_with_a_prefix_is_read_from_the_cache(engine: VllmEngine) -> None:
    prompt = [7, 8, 9] * 30
    await engine.complete(prompt, GREEDY)
    done = await engine.complete([*prompt, 1], GREEDY)
    assert done.cached_prompt_tokens == 64


@pytest.mark.vllm
async def test_two_engines_of_one_process_work_at_once_and_stop_alone(
    engine: VllmEngine, tiny_model: Path, tmp_path: Path
) -> None:
    other = VllmEngine(settings(tiny_model, tmp_path))
    alone = await engine.complete(PROMPT, LONG)
    starting = asyncio.create_task(other.start())
    while not starting.done():
        assert (await engine.complete(PROMPT, LONG)).token_ids == alone.token_ids
    await starting
    both = [one.complete(PROMPT, LONG) for one in (engine, other) for _ in range(4)]
    assert {done.token_ids for done in await asyncio.gather(*both)} == {alone.token_ids}
    await other.stop()
    assert (await engine.complete(PROMPT, LONG)).token_ids == alone.token_ids


@dataclass(frozen=True)
class Killed:
    """A run that was killed: its folder, and the processes that there were in it."""

    folder: Path
    processes: list[psutil.Process]
    hears_the_terminal: list[psutil.Process]


def blocks(process: psutil.Process, *signals: int) -> bool:
    """Whether none of the signals reaches the process."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    [mask] = [int(line.split()[1], 16) for line in status if line.startswith("SigBlk")]
    return all(mask >> number - 1 & 1 for number in signals)


def lines(run: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in attempt_files(run))


@pytest.fixture(scope="module")
def killed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A run on as many copies of the model as there are cores for, killed when it has written."""
    run = tmp_path_factory.mktemp("killed") / "run"
    command = (
        f"{RUN} --process subprocess --data-parallel-size {min(2, CORES)} --repeats 500 "
        f"--model {tiny_model} --output-dir {run}"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()], stderr=subprocess.DEVNULL
    )
    while process.poll() is None and lines(run) < AT_ONCE:
        time.sleep(0.05)
    processes = psutil.Process(process.pid).children(recursive=True)
    vllms = [each for each in processes if "VLLM" in each.name()]
    assert vllms
    hearing = [each for each in vllms if not blocks(each, signal.SIGINT, signal.SIGHUP)]
    process.kill()
    assert process.wait() == -signal.SIGKILL
    return Killed(run, processes, hearing)


@pytest.mark.slow
@pytest.mark.vllm
def test_no_process_of_vllm_outlives_a_run_that_is_killed(killed: Killed) -> None:
    assert psutil.wait_procs(killed.processes, timeout=HANGS)[1] == []


@pytest.mark.slow
@pytest.mark.vllm
def test_ctrl_c_in_a_terminal_reaches_no_process_of_vllm(killed: Killed) -> None:
    # It would take the attempts that are to be finished.
    assert killed.hears_the_terminal == []


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.skipif(CORES < 2, reason="two copies need two cores")
def test_copies_of_a_model_give_what_one_gives_each_on_cores_of_its_own(
    killed: Killed, tiny_model: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    said = speclrm(
        f"{RUN} --process inprocess --repeats {AT_ONCE} --model {tiny_model} --output-dir {alone}"
    )
    assert said.code == 0
    one = {attempt.key: attempt.response for attempt in read_attempts(alone)}
    copies = {attempt.key: attempt.response for attempt in read_attempts(killed.folder)}
    assert len(one) == AT_ONCE
    assert copies | one == one | copies
    assert len(one.keys() & copies.keys()) > 1
    log = (killed.folder / "engine.log").read_text()
    assert len({line for line in log.splitlines() if "ids=[" in line}) == 2


@pytest.mark.parametrize(
    ("tensor", "data", "there"), [(1, 1, 0), (2, 1, 1), (1, 4, 4), (2, 4, 8), (4, 2, 8)]
)
def test_copies_of_a_model_fit_on_as_many_devices(tensor: int, data: int, there: int) -> None:
    asked = EngineSettings("vllm", "m", tensor_parallel_size=tensor, data_parallel_size=data)
    vllm_setup.refuse_too_few_devices(asked, there, "GPUs")


def test_copies_of_a_model_are_refused_where_devices_do_not_suffice() -> None:
    asked = EngineSettings("vllm", "m", tensor_parallel_size=2, data_parallel_size=4)
    with pytest.raises(UserMistake, match=r"4 copies .* 2 GPUs each .* need 8, and there are 7;"):
        vllm_setup.refuse_too_few_devices(asked, 7, "GPUs")
    with pytest.raises(UserMistake, match="leave out --process inprocess"):
        VllmEngine(replace(asked, process="inprocess"))


def test_copies_of_a_model_have_cores_of_their_own_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vllm_setup.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("VLLM_CPU_OMP_THREADS_BIND", raising=False)
    copies = EngineSettings("vllm", "m", data_parallel_size=2)
    facts = ModelFacts("m", None, None, 100, *[None] * 5)
    environment = vllm_setup.mode_environment(copies, inprocess=False, on_cpu=True)
    assert environment["VLLM_CPU_OMP_THREADS_BIND"] == "0,1|2,3"
    arguments = vllm_setup.engine_arguments(copies, facts, on_cpu=False)
    assert arguments["data_parallel_size"] == 2


@pytest.mark.vllm
def test_vllm_prints_into_its_log_only(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from pipeline.engines.settings import EngineSettings\n"
        "from pipeline.engines.vllm.engine import VllmEngine\n"
        "log = pathlib.Path(sys.argv[2])\n"
        "engine = VllmEngine(EngineSettings('vllm', sys.argv[1], process='inprocess', log=log))\n"
        "asyncio.run(engine.start())\n"
        "asyncio.run(engine.stop())\n"
        "print('done')\n"
    )
    log = tmp_path / "engine.log"
    command = [sys.executable, "-c", program, str(tiny_model), str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
    assert "INFO" in log.read_text(encoding="utf-8")


@pytest.mark.vllm
async def test_a_failing_step_ends_every_request_and_a_restart_heals(engine: VllmEngine) -> None:
    def broken() -> None:
        raise RuntimeError("the step broke")

    expected = await engine.complete(PROMPT, GREEDY)
    assert engine._driver is not None
    engine._driver.engine.step = broken
    results = await asyncio.gather(
        *(engine.complete(PROMPT, LONG) for _ in range(3)), return_exceptions=True
    )
    assert all("RuntimeError: the step broke" in str(one) for one in results)
    assert all(isinstance(one, EngineDead) for one in results)
    with pytest.raises(EngineDead, match="the step broke"):
        await engine.health()
    await engine.start()
    assert (await engine.complete(PROMPT, GREEDY)).token_ids == expected.token_ids


class OneAStep:
    """An engine that finishes its oldest request in every step, and counts each step's batch."""

    engine_core = SimpleNamespace(shutdown=lambda: None)

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.batches: list[int] = []

    def add_request(self, request_id: str, *_: object, **__: object) -> None:
        self.requests.append(request_id)

    def has_unfinished_requests(self) -> bool:
        return bool(self.requests)

    def step(self) -> list[SimpleNamespace]:
        self.batches.append(len(self.requests))
        return [SimpleNamespace(request_id=self.requests.pop(0), finished=True)]


@pytest.mark.vllm
async def test_what_follows_a_finished_request_is_in_the_very_next_step() -> None:
    from pipeline.engines.vllm import inprocess as vllm_inprocess  # noqa: PLC0415 - imports vLLM

    fake = OneAStep()
    driver = vllm_inprocess.InprocessDriver(lambda: fake, StepWatch("vllm", None, None))
    await driver.start()

    async def ask_in_a_row(count: int) -> None:
        for _ in range(count):
            await driver.generate([1], None, None)

    await asyncio.gather(*(ask_in_a_row(5) for _ in range(4)))
    await driver.stop()
    assert fake.batches == [4] * 17 + [3, 2, 1]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def server(tiny_model: Path, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    options = "--enforce-eager --no-enable-chunked-prefill --block-size 32 --dtype float32"
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", *options.split()),
        *("--model", str(tiny_model), "--served-model-name", "tiny", "--host", "127.0.0.1"),
        *("--port", str(port), "--enable-prompt-tokens-details", "--max-num-seqs", "8"),
    ]
    surroundings = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=60)


async def started(engine: OpenAIEngine, seconds: int) -> OpenAIEngine:
    """Start the engine as soon as its server is up, within so many tries of about a second."""
    for _ in range(seconds):
        try:
            await engine.start()
        except UserMistake:
            await asyncio.sleep(0.5)
            continue
        return engine
    pytest.fail("vLLM's server did not come up")


@pytest.mark.vllm
async def test_vllms_own_server_gives_what_vllm_gives_in_process(
    engine: VllmEngine, server: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = await started(OpenAIEngine(EngineSettings("openai", "tiny", base_url=server)), 120)
    assert remote.abilities == set(Ability) - {Ability.STREAMING}
    digits = tuple(engine.tokenizer.encode("0123456789"))
    score = replace(GREEDY, max_tokens=1, logprobs_of=digits)
    cut = replace(LONG, max_tokens=60, top_k=5, min_p=0.05, presence_penalty=0.5)
    asked = [GREEDY, replace(LONG, max_tokens=60, stop=("a", "e")), score, cut, PENALISED]
    for one in asked:
        ours, theirs = await asyncio.gather(
            engine.complete(PROMPT, one), remote.complete(PROMPT, one)
        )
        assert theirs.token_ids == ours.token_ids
        assert (theirs.text, theirs.stop_string) == (ours.text, ours.stop_string)
        assert theirs.logprobs == (ours.logprobs and pytest.approx(ours.logprobs, abs=1e-4))
    assert remote.facts.parameters == engine.facts.parameters
    await remote.stop()

    names = f"{server},{server.replace('127.0.0.1', 'localhost')}"
    both = ServedModel(EngineSettings("openai", "tiny", base_url=names))
    await both.start()
    there = [await both.of(f"{n}").complete(PROMPT, GREEDY) for n in range(4)]
    assert {one.token_ids for one in there} == {(await engine.complete(PROMPT, GREEDY)).token_ids}
    await both.stop()

    async def showing_none(*_: object) -> Skills:
        return Skills()

    monkeypatch.setattr(openai, "skills_of", showing_none)
    known = EngineSettings("openai", "tiny", base_url=server, tokenizer=str(tiny_model))
    stranger = OpenAIEngine(known)
    await stranger.start()
    assert Ability.STOP_STRING in stranger.abilities
    text = (await stranger.complete(PROMPT, GREEDY)).text
    letter = next(char for char in text[3:] if char.isascii() and char.isprintable())
    stopped = await stranger.complete(PROMPT, replace(GREEDY, stop=(letter,)))
    assert (stopped.finish_reason, stopped.stop_string) == ("stop", letter)
    assert stopped.text == text[: text.index(letter)]
    await stranger.stop()


@pytest.mark.vllm
async def test_thinking_is_closed_at_its_budget_alike_in_vllm_and_transformers(
    engine: VllmEngine, tiny_model: Path
) -> None:
    other = TransformersEngine(EngineSettings("transformers", str(tiny_model)))
    await other.start()
    limited = Experiment(
        "baseline",
        EngineSettings("vllm", "m"),
        thinking="on",
        temperature=0.0,
        token_budget=30,
        sections=(ThinkingLimit(tokens=12),),
    )
    prompts = open_prompt_set("standard")
    problem = Problem("mine", "1", "1", (), "1+1?", "2", "integer", (), (), None)
    prompt = replace(task_prompt(prompts, problem, ""), text="1+1?")  # the model's context is short
    tracks = []
    for one in (engine, other):
        given = Assignment(limited, problem, prompt, prompts, 0, one, None, Ledger())
        [track] = (await BASELINE.solve(given)).tracks
        assert [step.tokens for step in track.steps] == [12, 18]
        assert track.steps[0].text.endswith(thinking_close(prompts))
        tracks.append(track.text)
    assert tracks[0] == tracks[1]
    await other.stop()


async def test_digit_logprobs_are_refused_under_speculative_decoding(tiny_model: Path) -> None:
    asked = replace(settings(tiny_model, Path()), speculative='{"method": "ngram"}')
    assert Ability.DIGIT_LOGPROBS not in VllmEngine(asked).abilities


def test_on_a_cpu_the_defaults_are_those_that_survive(tiny_model: Path) -> None:
    asked = settings(tiny_model, Path())
    arguments = vllm_setup.engine_arguments(asked, read_facts(asked), on_cpu=True)
    assert arguments["dtype"] == "float32"
    assert arguments["enable_chunked_prefill"] is False
    assert arguments["max_num_batched_tokens"] >= 512
    assert "gpu_memory_utilization" not in arguments


def test_on_a_gpu_vllms_own_defaults_stay(tiny_model: Path) -> None:
    asked = replace(settings(tiny_model, Path()), dtype="auto", gpu_memory_utilization=0.2)
    arguments = vllm_setup.engine_arguments(asked, read_facts(asked), on_cpu=False)
    assert (arguments["dtype"], arguments["gpu_memory_utilization"]) == ("auto", 0.2)
    assert "enforce_eager" not in arguments


def test_the_users_environment_is_not_overwritten(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    asked = settings(tiny_model, Path())
    assert "OMP_NUM_THREADS" not in vllm_setup.base_environment(asked, None)


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_malformed_speculative_configuration_is_the_users_mistake(text: str) -> None:
    with pytest.raises(UserMistake, match="speculative configuration"):
        speculative_config(EngineSettings("vllm", "m", speculative=text))


@pytest.mark.parametrize(
    ("asked", "config"),
    [
        ({}, None),
        ({"decoding": "window"},
         {"method": "ngram", "prompt_lookup_max": 3, "num_speculative_tokens": 7}),
        ({"decoding": "window", "proposer": "lookup", "window": 4},
         {"method": "ngram", "prompt_lookup_max": 3, "num_speculative_tokens": 3}),
        ({"decoding": "window", "assistant_model": "small", "window": 9},
         {"method": "draft_model", "model": "small", "num_speculative_tokens": 8}),
        ({"speculative": '{"method": "suffix"}'}, {"method": "suffix"}),
    ],
)  # fmt: skip
def test_windows_are_vllms_own_speculation(asked: dict[str, Any], config: object) -> None:
    one = EngineSettings("vllm", "m", **asked)
    check_speculation(one)
    assert speculative_config(one) == config
    assert (Ability.DIGIT_LOGPROBS in VllmEngine(one).abilities) == (config is None)


@pytest.mark.parametrize("asked", [{"decoding": "window"}, {"speculative": '{"method": "ngram"}'}])
def test_on_a_cpu_guesses_above_temperature_0_are_refused(asked: dict[str, Any]) -> None:
    greedy = EngineSettings("vllm", "m", **asked, sampling=Sampling(temperature=0))
    check_draws(greedy, on_cpu=True)
    drawn = replace(greedy, sampling=Sampling(temperature=0.6))
    check_draws(drawn, on_cpu=False)
    check_draws(EngineSettings("vllm", "m"), on_cpu=True)
    with pytest.raises(UserMistake, match="on a CPU vLLM draws wrong tokens when it guesses"):
        check_draws(drawn, on_cpu=True)


@pytest.mark.vllm
async def test_greedy_texts_are_the_model_s_own_with_an_assistant_of_vllm(tmp_path: Path) -> None:
    # Not by lookup too: numba would compile for ten seconds.
    base = EngineSettings("transformers", "pocket-target", sampling=Sampling(temperature=0))
    base = replace(base, max_num_seqs=3, log=tmp_path / "engine.log")
    assisted = replace(base, engine="vllm", decoding="window", assistant_model="pocket-draft")
    texts = ("Let a=3, b=a+9, c=2*b. Find c.", "Tom has 3 apples. How many has he?", "2+2?")
    written, told = [], []
    for asked in (base, assisted):
        one = create(with_model_folder(asked))
        await one.start()
        chats = [one.tokenizer.render_chat([{"role": "user", "content": text}]) for text in texts]
        prompts = [one.tokenizer.encode(chat) for chat in chats]
        asks = replace(GREEDY, max_tokens=60, on_token=told.append)
        done = await asyncio.gather(*(one.complete(prompt, asks) for prompt in prompts))
        written.append([each.token_ids for each in done])
        # Which forwards gave them is told with the tokens where it guesses.
        assert all((each.forwards is None) == (asked is assisted) for each in done)
        for each in done:
            assert sum(count for _, count in each.arrivals) == len(each.token_ids)
        await one.stop()
    assert written[0] == written[1]
    assert len(told) == sum(len(ids) for ids in (*written[0], *written[1]))
    # Of the last engine: its texts share forwards, and many guesses were right.
    forwards = {number for each in done for number, _ in each.arrivals}
    assert max(len(each.arrivals) for each in done) <= len(forwards)
    assert len(forwards) < sum(len(each.arrivals) for each in done)
    proposed, accepted = map(sum, zip(*(each.guesses for each in done), strict=True))
    assert proposed >= accepted > 0


def test_a_folder_without_an_adapter_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="is not a LoRA adapter"):
        vllm_setup.lora_rank(str(tmp_path))


def test_a_torchvision_that_does_not_fit_torch_is_advised_on() -> None:
    failure = "operator torchvision::nms does not exist"
    assert "pip uninstall torchvision" in vllm_setup.advice_on(failure)
    assert not vllm_setup.advice_on("no such model")


class OfCopies:
    """An AsyncLLM of copies that ends a request because one of them has died, or for no reason."""

    def __init__(self, dies: bool) -> None:
        self.dies, self.looks = dies, 0

    async def generate(self, *_: object, **__: object) -> Any:
        yield SimpleNamespace(outputs=[SimpleNamespace(finish_reason="abort")])

    @property
    def errored(self) -> bool:
        self.looks += 1
        return self.dies and self.looks > 3


async def test_a_request_that_vllm_ends_because_a_copy_died_is_told_from_one_that_it_gave_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipeline.engines.vllm import subprocess as module  # noqa: PLC0415 - imports vLLM

    monkeypatch.setattr(module, "DEATH_LOOK_SECONDS", 0.0)
    for dies in (True, False):
        driver = module.SubprocessDriver(lambda dies=dies: OfCopies(dies))
        await driver.start()
        if dies:
            with pytest.raises(EngineDead):
                await driver.generate([1], None, None)
        else:
            given_up = await driver.generate([1], None, None)
            assert given_up.outputs[0].finish_reason == "abort"


class Silent:
    """An AsyncLLM that never tells of a request, and lives until it is shut down, or dies."""

    errored = False

    def __init__(self) -> None:
        self.aborted = 0

    async def generate(self, *_: object, **__: object) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        yield None

    def shutdown(self, _grace: float) -> None:
        pass


@pytest.mark.parametrize("end", ["dies", "is stopped", "is cancelled"])
async def test_a_request_that_vllm_forgets_ends_with_the_engine(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    from pipeline.engines.vllm import subprocess as module  # noqa: PLC0415 - imports vLLM

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    silent = Silent()
    driver = module.SubprocessDriver(lambda: silent)
    await driver.start()
    asked = asyncio.create_task(driver.generate([1], None, None))
    await asyncio.sleep(0.05)
    assert not asked.done()
    if end == "dies":
        silent.errored = True
    elif end == "is stopped":
        await driver.stop()
    else:
        asked.cancel()
    with pytest.raises(asyncio.CancelledError if end == "is cancelled" else EngineDead):
        await asked
    await asyncio.sleep(0)
    assert silent.aborted == 1
