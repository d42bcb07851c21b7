"""The scripted engine: deterministic completions from a table, for tests and dry benchmarks."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from pipeline.engines.limits import check_sampling, room_for, time_limit
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Message,
    ModelFacts,
    SamplingRequest,
)
from pipeline.engines.scripted.script import Script, load_script
from pipeline.engines.scripted.tokenizer import END_ID, ByteTokenizer
from pipeline.engines.settings import EngineSettings
from pipeline.engines.stopping import StopWatch
from pipeline.errors import EngineDead, EngineFailure

# The log-probability of every token that is no digit, where a digit was asked for.
NEARLY_NEVER = -30.0


class ScriptedEngine:
    """An engine whose every completion is a pure function of prompt and seed."""

    def __init__(self, settings: EngineSettings, script: Script | None = None) -> None:
        """Serve `script`, or the file that the settings name, or the default script."""
        self._settings = settings
        self._given = script
        self._script = script or Script()
        self._tokenizer = ByteTokenizer()
        self._requests = 0
        self._dead = "it has not been started"

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset(Ability)

    @property
    def facts(self) -> ModelFacts:
        """A model without weights."""
        return ModelFacts(
            model=self._settings.model,
            revision=None,
            dtype=None,
            context=self._script.context,
            parameters=None,
            body_parameters=None,
            head_parameters=None,
            layers=None,
            attention_width=None,
        )

    @property
    def tokenizer(self) -> ByteTokenizer:
        """One token a byte."""
        return self._tokenizer

    async def start(self) -> None:
        """Read the script. Raises `UserMistake` when the file is malformed."""
        path = self._settings.script
        if self._given is None and path is not None:
            self._script = await asyncio.to_thread(load_script, path)
        self._dead = ""

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Say what the script says to this prompt."""
        began = time.perf_counter()
        await self.health()
        check_sampling(sampling)
        room = room_for(len(prompt_token_ids), self._script.context, sampling.max_tokens)
        async with time_limit(self._settings.seconds_allowed()):
            await self._misbehave()
            prompt = self._tokenizer.decode(prompt_token_ids)
            ids = self._written(prompt, sampling)[:room]
            watch = StopWatch(self._tokenizer, sampling.stop)
            stopped = any(watch.append(token) or token == END_ID for token in ids)
            await self._take_time(len(prompt_token_ids), watch.token_ids, sampling.on_token)
        await self.health()
        text, stop_string = watch.finish()
        return Completion(
            text=text,
            token_ids=tuple(watch.token_ids),
            finish_reason="stop" if stopped else "length",
            stop_string=stop_string,
            prompt_tokens=len(prompt_token_ids),
            cached_prompt_tokens=0,
            seconds=time.perf_counter() - began,
            logprobs=self._logprobs(prompt, sampling.logprobs_of),
        )

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Complete the rendered chat."""
        prompt = self._tokenizer.encode(self._tokenizer.render_chat(messages))
        return await self.complete(prompt, sampling)

    async def health(self) -> None:
        """Raise `EngineDead` after a scripted death, after stop and before start."""
        if self._dead:
            raise EngineDead(f"the scripted engine is not running: {self._dead}")

    async def stop(self) -> None:
        """Take no more requests."""
        self._dead = self._dead or "it was stopped"

    def _written(self, prompt: str, sampling: SamplingRequest) -> list[int]:
        """Every token up to the end of text, before the limits of the request."""
        if sampling.logprobs_of:
            digits = self._script.digits(prompt)
            return [ord("0") + digits.index(max(digits)), END_ID]
        text = self._script.continuation(prompt, sampling.seed)
        return [*self._tokenizer.encode(text), END_ID]

    def _logprobs(self, prompt: str, token_ids: tuple[int, ...]) -> dict[int, float] | None:
        if not token_ids:
            return None
        digits = self._script.digits(prompt)
        known = {ord("0") + digit: math.log(share) for digit, share in enumerate(digits)}
        return {token: known.get(token, NEARLY_NEVER) for token in token_ids}

    async def _misbehave(self) -> None:
        """Do to this request what the script has in store for it."""
        self._requests += 1
        faults = self._script.faults
        if self._requests in faults.die:
            self._dead = f"the script made it die at request {self._requests}"
        if self._requests in faults.fail:
            raise EngineFailure(f"the script made request {self._requests} fail")
        if self._requests in faults.hang:
            await asyncio.Event().wait()
        await self.health()

    async def _take_time(
        self, prompt_tokens: int, tokens: Sequence[int], on_token: Callable[[int], None] | None
    ) -> None:
        latency = self._script.latency
        # Even at no latency others get their turn, as they would with a real engine.
        await asyncio.sleep(prompt_tokens * latency.prefill_token)
        if on_token is None:
            await asyncio.sleep(len(tokens) * latency.decode_token)
            return
        for token in tokens:
            await asyncio.sleep(latency.decode_token)
            on_token(token)
