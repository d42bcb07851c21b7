"""The transformers engine: Hugging Face models without vLLM.

Requests are answered one after another in one thread. That is slow beside vLLM, but the same seed
gives the same tokens whatever else is in flight.
"""

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar, enable_progress_bar

from pipeline.engines.facts import read_facts
from pipeline.engines.launch import START_LOCK, output_to
from pipeline.engines.limits import check_sampling, room_for, time_limit
from pipeline.engines.model_files import HUB_ADVICE, first_line
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Message,
    ModelFacts,
    SamplingRequest,
)
from pipeline.engines.settings import CPU, EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.generation import Cancelled, Generated, Generator
from pipeline.engines.transformers.prefix_blocks import PrefixBlocks
from pipeline.errors import EngineDead, EngineFailure, UserMistake

READY_PROMPT = "1+1="
# Below this many weights a second CPU thread costs more in waiting than it computes.
ONE_THREAD_BELOW = 50_000_000


class TransformersEngine:
    """One model run by transformers, on the GPU where there is one."""

    def __init__(self, settings: EngineSettings) -> None:
        """Raises `UserMistake` for settings that only vLLM can honour."""
        _refuse_what_needs_vllm(settings)
        self._settings = settings
        self._facts: ModelFacts | None = None
        self._generator: Generator | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._dead = "it has not been started"

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset(Ability)

    @property
    def facts(self) -> ModelFacts:
        """The model's facts, with the type it was loaded in."""
        if self._facts is None:
            raise EngineDead("the transformers engine has not been started")
        return self._facts

    @property
    def tokenizer(self) -> HFTokenizer:
        """The model's own tokenizer."""
        if self._generator is None:
            raise EngineDead("the transformers engine has not been started")
        return self._generator.tokenizer

    async def start(self) -> None:
        """Load the model and answer one short request; raises `UserMistake`."""
        await self.stop()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transformers")
        loop = asyncio.get_running_loop()
        self._facts = await loop.run_in_executor(self._pool, read_facts, self._settings)
        self._generator = await loop.run_in_executor(self._pool, self._load, self._facts)
        self._facts = replace(self._facts, dtype=str(self._generator.model.dtype).split(".")[-1])
        self._dead = ""
        prompt = self.tokenizer.encode(READY_PROMPT) or [0]
        await self.complete(prompt, SamplingRequest(1, temperature=0.0, top_p=1.0, seed=0))

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix, when the requests before it are done."""
        began = time.perf_counter()
        await self.health()
        check_sampling(sampling)
        prompt = list(prompt_token_ids)
        if not prompt:
            raise EngineFailure("the prompt is empty; an engine continues at least one token")
        room = room_for(len(prompt), self.facts.context, sampling.max_tokens)
        cancelled = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            async with time_limit(self._settings.seconds_allowed()):
                generated = await loop.run_in_executor(
                    self._pool, self._answer, prompt, sampling, room, cancelled
                )
        finally:
            cancelled.set()
        return Completion(
            text=generated.text,
            token_ids=generated.token_ids,
            finish_reason=generated.finish_reason,
            stop_string=generated.stop_string,
            prompt_tokens=len(prompt),
            cached_prompt_tokens=generated.cached_tokens,
            seconds=time.perf_counter() - began,
            logprobs=generated.logprobs,
        )

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Complete the chat as the model's template renders it."""
        prompt = self.tokenizer.encode(self.tokenizer.render_chat(messages))
        return await self.complete(prompt, sampling)

    async def health(self) -> None:
        """Raise `EngineDead` when the model has failed or was stopped."""
        if self._dead:
            raise EngineDead(f"the transformers engine is not running: {self._dead}")

    async def stop(self) -> None:
        """End the thread and let go of the model."""
        self._dead = self._dead or "it was stopped"
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=False)
        self._generator = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _answer(
        self,
        prompt: list[int],
        sampling: SamplingRequest,
        room: int,
        cancelled: threading.Event,
    ) -> Generated:
        """Generate, in the worker thread."""
        if self._dead or self._generator is None:
            raise EngineDead(f"the transformers engine is not running: {self._dead}")
        try:
            return self._generator.generate(prompt, sampling, room, cancelled)
        except Cancelled as error:
            raise EngineFailure("the request was cancelled") from error
        except torch.OutOfMemoryError as error:
            raise EngineFailure(f"the device's memory is full: {error}") from error
        except Exception as error:
            # Boundary: after a failed forward pass nothing is known of the model or the device.
            self._dead = f"{type(error).__name__}: {error}"
            raise EngineDead(f"the transformers engine has ended: {self._dead}") from error

    def _load(self, facts: ModelFacts) -> Generator:
        """Load tokenizer and model, in the worker thread."""
        settings = self._settings
        tokenizer = HFTokenizer.of(settings)
        device = _device(settings)
        small = facts.parameters is not None and facts.parameters < ONE_THREAD_BELOW
        if device == CPU and small and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)
        with START_LOCK, output_to(settings.log):
            disable_progress_bar()
            try:
                model = _load_model(settings, device)
            finally:
                enable_progress_bar()
        return Generator(model.eval(), tokenizer, PrefixBlocks.on(model.device))


def _load_model(settings: EngineSettings, device: str) -> Any:
    default = "float32" if device == CPU else "auto"
    try:
        model = AutoModelForCausalLM.from_pretrained(
            settings.model,
            revision=settings.revision,
            dtype=default if settings.dtype == "auto" else settings.dtype,
            trust_remote_code=settings.trust_remote_code,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise UserMistake(
            f"the model {settings.model!r} cannot be loaded ({first_line(error)}); {HUB_ADVICE}"
        ) from error
    try:
        return model.to(device)
    # torch reports a full device as RuntimeError, and a build without CUDA as AssertionError.
    except (RuntimeError, AssertionError) as error:
        raise UserMistake(
            f"the model {settings.model!r} cannot be moved to {device} ({first_line(error)}); "
            "choose another device, a smaller model or a smaller type of its weights"
        ) from error


def _device(settings: EngineSettings) -> str:
    """The first device asked for, the first GPU, or the CPU."""
    if settings.devices == CPU:
        return CPU
    if settings.devices is not None:
        return f"cuda:{settings.devices.split(',')[0]}"
    return "cuda:0" if torch.cuda.is_available() else CPU


def _refuse_what_needs_vllm(settings: EngineSettings) -> None:
    asked = {
        "a LoRA adapter": settings.lora,
        "quantization": settings.quantization,
        "speculative decoding": settings.speculative,
        "tensor parallelism": settings.tensor_parallel_size > 1,
    }
    refused = [name for name, value in asked.items() if value]
    if refused:
        raise UserMistake(
            f"the transformers engine does not do {' or '.join(refused)}; use --engine vllm"
        )
