"""The vLLM engine: vLLM V1 in this process or in processes of its own.

vLLM reads its environment when it is imported, so its modules are imported only in `start`.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Protocol

from pipeline.engines.facts import read_facts
from pipeline.engines.guessing import assistant_of, check_assistant
from pipeline.engines.launch import (
    START_LOCK,
    deaf_to_the_terminal,
    environment,
    output_to,
)
from pipeline.engines.limits import check_sampling, room_for, time_limit
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Message,
    ModelFacts,
    SamplingRequest,
)
from pipeline.engines.settings import CPU, EngineSettings
from pipeline.engines.step_watch import StepWatch
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.vllm import setup as vllm_setup
from pipeline.engines.vllm.orphans import EngineProcesses
from pipeline.engines.vllm.speculation import check_draws, check_speculation, speculates
from pipeline.errors import EngineDead, EngineFailure, RunStopped, UserMistake

READY_PROMPT = "1+1="
GUESSES_TOLD = "per_request_spec_decode_metrics"
"""The argument of vLLM 0.32 that has answers tell how many guesses were put before the model."""


class Driver(Protocol):
    """One way of running vLLM."""

    @property
    def engine(self) -> Any:
        """The engine object of vLLM itself, once started."""
        ...

    async def start(self) -> None:
        """Load the model; raises what vLLM raises."""
        ...

    async def generate(
        self,
        prompt_token_ids: list[int],
        params: Any,
        lora: Any,
        tell: Callable[[Any, int | None], None] | None = None,
    ) -> Any:
        """The finished RequestOutput, after `tell` has heard all; cancelling aborts the request."""
        ...

    def check(self) -> None:
        """Raise `EngineDead` when the engine has ended."""
        ...

    async def stop(self) -> None:
        """End the engine and free what it held."""
        ...


class VllmEngine:
    """One model served by vLLM."""

    def __init__(self, settings: EngineSettings) -> None:
        """Raises `UserMistake` for what vLLM, or this build of it, cannot do."""
        if settings.devices == CPU:
            raise UserMistake(
                "vLLM's build decides whether it runs on a CPU; install the extra `cpu`, or use "
                "--engine transformers with --devices cpu"
            )
        if settings.data_parallel_size > 1 and settings.process == "inprocess":
            raise UserMistake(
                "copies of a model (--data-parallel-size) run in processes of their own; leave out "
                "--process inprocess"
            )
        check_speculation(settings)
        self._settings = settings
        self._driver: Driver | None = None
        self._processes: EngineProcesses | None = None
        self._facts: ModelFacts | None = None
        self._tokenizer: HFTokenizer | None = None
        self._lora: Any = None
        self._singly = False
        self._converted: tempfile.TemporaryDirectory[str] | None = None

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything; under speculative decoding digit log-probabilities would kill vLLM."""
        every = frozenset(Ability)
        return every - {Ability.DIGIT_LOGPROBS} if speculates(self._settings) else every

    @property
    def facts(self) -> ModelFacts:
        """The model's facts, with the context that vLLM serves."""
        if self._facts is None:
            raise EngineDead("the vLLM engine has not been started")
        return self._facts

    @property
    def tokenizer(self) -> HFTokenizer:
        """The model's own tokenizer."""
        if self._tokenizer is None:
            raise EngineDead("the vLLM engine has not been started")
        return self._tokenizer

    async def start(self) -> None:
        """Load the model and answer one short request.

        Raises `UserMistake` for settings that vLLM refuses, `RunStopped` when it fails otherwise.
        """
        await self.stop()
        self._facts = await asyncio.to_thread(read_facts, self._settings)
        self._tokenizer = await asyncio.to_thread(HFTokenizer.of, self._settings)
        assistant = assistant_of(self._settings)
        if assistant is not None:
            await asyncio.to_thread(check_assistant, assistant, self._settings)
        self._processes = EngineProcesses()
        try:
            self._driver = await asyncio.to_thread(self._make_driver, self._facts)
            await self._driver.start()
            served = self._driver.engine.model_config
            self._facts = replace(self._facts, context=served.max_model_len)
            self._singly = not (speculates(self._settings) or served.is_diffusion)
            await self._ask_once()
        except (UserMistake, RunStopped):
            await self.stop()
            raise
        except Exception as error:
            # Boundary: whatever vLLM raises at its start must become one sentence for the user.
            await self.stop()
            raise self._start_failure(error) from error

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix."""
        from pipeline.engines.vllm import requests as vllm_requests  # noqa: PLC0415 - imports vLLM

        began = time.perf_counter()
        driver = self._running()
        check_sampling(sampling)
        if sampling.logprobs_of and Ability.DIGIT_LOGPROBS not in self.abilities:
            raise EngineFailure(
                "vLLM cannot give digit log-probabilities under speculative decoding: the step "
                "that answers such a request fails; start it without --speculative and --decoding"
            )
        room = room_for(len(prompt_token_ids), self.facts.context, sampling.max_tokens)
        params = vllm_requests.to_params(sampling, room)
        async with time_limit(self._settings.seconds_allowed()):
            tell = vllm_requests.telling(sampling)
            output = await driver.generate(list(prompt_token_ids), params, self._lora, tell)
        seconds = time.perf_counter() - began
        done = vllm_requests.to_completion(
            output,
            sampling,
            self.tokenizer,
            seconds,
            singly=self._singly,
        )
        return done if tell is None else replace(done, arrivals=tuple(tell.arrivals))

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Complete the chat as the model's template renders it."""
        prompt = self.tokenizer.encode(self.tokenizer.render_chat(messages))
        return await self.complete(prompt, sampling)

    async def health(self) -> None:
        """Raise `EngineDead` when vLLM has ended or one of its processes has died."""
        self._running().check()

    async def stop(self) -> None:
        """End vLLM, its processes and its log, and free its memory."""
        driver, self._driver = self._driver, None
        processes, self._processes = self._processes, None
        try:
            if driver is not None:
                await driver.stop()
        finally:
            if processes is not None:
                await asyncio.to_thread(processes.end)
            if self._converted is not None:
                self._converted.cleanup()
                self._converted = None

    def _running(self) -> Driver:
        if self._driver is None:
            raise EngineDead("the vLLM engine is not running")
        return self._driver

    async def _ask_once(self) -> None:
        prompt = self.tokenizer.encode(READY_PROMPT) or [0]
        await self.complete(prompt, SamplingRequest(1, temperature=0.0, top_p=1.0, seed=0))

    def _make_driver(self, facts: ModelFacts) -> Driver:
        """Import vLLM in its environment and choose where it runs."""
        with START_LOCK, self._surroundings():
            _one_thread_unless_asked()
            from vllm.engine.arg_utils import EngineArgs  # noqa: PLC0415 - reads its environment
            from vllm.lora.request import LoRARequest  # noqa: PLC0415 - same
            from vllm.platforms import current_platform  # noqa: PLC0415 - same

            settings = replace(self._settings, lora=self._adapter_folder())
            if settings.lora is not None:
                self._lora = LoRARequest("adapter", 1, settings.lora)
            on_cpu = current_platform.is_cpu()
            check_draws(self._settings, on_cpu=on_cpu)
            arguments = vllm_setup.engine_arguments(settings, facts, on_cpu=on_cpu)
            if speculates(settings) and any(one.name == GUESSES_TOLD for one in fields(EngineArgs)):
                arguments[GUESSES_TOLD] = "summary"
            what = "cores" if on_cpu else "GPUs"
            vllm_setup.refuse_too_few_devices(settings, self._devices(current_platform), what)
            inprocess = self._settings.process == "inprocess" or (
                self._settings.process == "auto"
                and on_cpu
                and self._settings.data_parallel_size == 1
            )
            if inprocess:
                return self._inprocess(arguments, on_cpu=on_cpu)
            return self._subprocess(arguments, on_cpu=on_cpu)

    def _devices(self, platform: Any) -> int:
        """How many GPUs there are for it, or on a CPU cores."""
        if platform.is_cpu():
            return len(os.sched_getaffinity(0))
        named = self._settings.devices
        return int(platform.device_count()) if named is None else len(named.split(","))

    def _adapter_folder(self) -> str | None:
        """The adapter as vLLM can load it, at any time while it runs."""
        lora = self._settings.lora
        if lora is None or Path(lora).is_dir():
            return lora
        from pipeline.engines.vllm.adapter_folder import write_folder  # noqa: PLC0415 - torch

        self._converted = tempfile.TemporaryDirectory(prefix="speclrm-adapter-")
        write_folder(self._settings, Path(self._converted.name))
        return self._converted.name

    def _inprocess(self, arguments: dict[str, Any], *, on_cpu: bool) -> Driver:
        from vllm.engine.arg_utils import EngineArgs  # noqa: PLC0415 - reads its environment
        from vllm.v1.engine.llm_engine import LLMEngine  # noqa: PLC0415 - same

        from pipeline.engines.vllm.inprocess import InprocessDriver  # noqa: PLC0415 - same

        def build() -> Any:
            mode = vllm_setup.mode_environment(self._settings, inprocess=True, on_cpu=on_cpu)
            if on_cpu:
                vllm_setup.compile_nothing()
            with START_LOCK, self._surroundings(), environment(mode):
                return LLMEngine.from_engine_args(EngineArgs(**arguments))

        settings = self._settings
        return InprocessDriver(build, StepWatch("vllm", settings.step_timeout, settings.log))

    def _subprocess(self, arguments: dict[str, Any], *, on_cpu: bool) -> Driver:
        from vllm.config.logging import LoggingConfig  # noqa: PLC0415 - reads its environment
        from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415 - same
        from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415 - same

        from pipeline.engines.vllm.subprocess import SubprocessDriver  # noqa: PLC0415 - same

        def build() -> Any:
            mode = vllm_setup.mode_environment(self._settings, inprocess=False, on_cpu=on_cpu)
            # Python's own helper serves this process for good: it must not carry the engine's mark.
            with output_to(self._settings.log):
                resource_tracker.ensure_running()
            with self._surroundings(), environment(mode), deaf_to_the_terminal():
                # vLLM in this process has read its environment once and for all.
                path = os.environ.get("VLLM_LOGGING_CONFIG_PATH")
                logged = {"logging_config": LoggingConfig(pylogging_config_file=path)}
                return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments, **logged))

        return SubprocessDriver(build)

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The environment that vLLM needs, with what it and its processes print sent to the log."""
        log = self._settings.log
        with contextlib.ExitStack() as stack:
            path = None
            if log is not None:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                path = Path(folder) / "logging.json"
                path.write_text(json.dumps(vllm_setup.logging_config(log)), encoding="utf-8")
            stack.enter_context(environment(vllm_setup.base_environment(self._settings, path)))
            if self._processes is not None:
                stack.enter_context(environment(self._processes.environment))
            stack.enter_context(output_to(log))
            yield

    def _start_failure(self, error: Exception) -> UserMistake | RunStopped:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "validation error" not in line), repr(error))
        advice = vllm_setup.advice_on(reason)
        text = f"vLLM does not start with the model {self._settings.model}: {reason}{advice}"
        # vLLM raises ValueError for what it was asked; anything else is its own trouble.
        return UserMistake(text) if isinstance(error, ValueError) else RunStopped(text)


def _one_thread_unless_asked() -> None:
    """OMP_NUM_THREADS comes too late once torch is loaded; then it must be told itself."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
