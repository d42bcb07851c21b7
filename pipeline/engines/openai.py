"""The openai engine: any OpenAI-compatible server; one that is vLLM can do everything."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import httpx

from pipeline.engines.facts import read_facts
from pipeline.engines.http_retry import Call, RetryPolicy, TooSlow, Unreachable, send
from pipeline.engines.limits import check_sampling, room_for
from pipeline.engines.model_files import looks_like_path
from pipeline.engines.openai_server import START_POLICY, Server, make_client, meet
from pipeline.engines.openai_wire import (
    Answer,
    chat_body,
    completion_body,
    parse_answer,
    reason_of,
)
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Message,
    ModelFacts,
    SamplingRequest,
)
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong, RunStopped, UserMistake

READY_PROMPT = "1+1="
# A busy server is late to list its models; one that takes longer than this hangs.
HEALTH_SECONDS = 30.0
# One request is tried this often, the tries beginning within two of the settings' time-outs.
TRIES = 5
TOO_LONG = ("context length", "context_length", "maximum model length", "too long")


class OpenAIEngine:
    """One model of a server that somebody else runs."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._policy = RetryPolicy(tries=TRIES, within=2 * settings.request_timeout)
        self._client: httpx.AsyncClient | None = None
        self._server: Server | None = None
        self._tokenizer: HFTokenizer | None = None
        self._facts: ModelFacts | None = None
        self._reports_cache = False

    @property
    def abilities(self) -> frozenset[Ability]:
        """All that the server is known to be able to do."""
        found = set()
        if self._tokenizer is not None:
            found.add(Ability.TOKEN_PROMPTS)
        if self._server is not None and self._server.is_vllm:
            found |= {Ability.DIGIT_LOGPROBS, Ability.CHOICE}
        if self._reports_cache:
            found.add(Ability.CACHED_COUNT)
        return frozenset(found)

    @property
    def facts(self) -> ModelFacts:
        """The model's facts as far as its files are at hand, and the server's context."""
        if self._facts is None:
            raise EngineDead("the openai engine has not been started")
        return self._facts

    @property
    def tokenizer(self) -> HFTokenizer:
        """The model's tokenizer; raises `UserMistake` when none was named."""
        if self._tokenizer is None:
            raise UserMistake(
                f"the server does not say which tokenizer {self._settings.model!r} has; name it "
                "with --tokenizer (a folder or a name on the Hugging Face hub)"
            )
        return self._tokenizer

    async def start(self) -> None:
        """Find server, model and tokenizer, and ask for one token."""
        await self.stop()
        self._client = make_client(self._settings)
        try:
            self._server = await meet(self._client, self._settings)
            self._tokenizer = await asyncio.to_thread(self._load_tokenizer, self._server)
            self._facts = await asyncio.to_thread(self._read_facts, self._server)
            await self._ask_once()
        except (UserMistake, RunStopped):
            await self.stop()
            raise
        except EngineFailure as error:
            await self.stop()
            raise RunStopped(f"the server lists its models but gives no text: {error}") from error

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix: as ids on vLLM, as text on other servers."""
        server = self._running()
        check_sampling(sampling)
        self._check_able(sampling)
        room = room_for(len(prompt_token_ids), self.facts.context, sampling.max_tokens)
        ids = list(prompt_token_ids)
        prompt = ids if server.is_vllm else self.tokenizer.decode_with_special(ids)
        body = completion_body(self._settings.model, prompt, sampling, room, vllm=server.is_vllm)
        return await self._post("/completions", body, sampling, len(prompt_token_ids))

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat by the server's own template."""
        server = self._running()
        check_sampling(sampling)
        self._check_able(sampling)
        if sampling.logprobs_of:
            raise EngineFailure("digit log-probabilities need a token prompt, not a chat")
        body = chat_body(self._settings.model, messages, sampling, vllm=server.is_vllm)
        return await self._post("/chat/completions", body, sampling, 0)

    async def health(self) -> None:
        """Raise `EngineDead` when the server cannot be reached, hangs or fails."""
        server = self._running()
        call = Call("GET", f"{server.base_url}/models")
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                response = await self._send(call, START_POLICY)
        except EngineDead:
            raise
        except (EngineFailure, TimeoutError) as error:
            raise EngineDead(f"the server at {server.base_url} does not answer") from error
        if not response.is_success:
            raise EngineDead(f"the server at {server.base_url} says {response.status_code}")

    async def stop(self) -> None:
        """Close the connections; the server goes on."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _running(self) -> Server:
        if self._client is None or self._server is None:
            raise EngineDead("the openai engine is not running")
        return self._server

    def _check_able(self, sampling: SamplingRequest) -> None:
        needed = {
            Ability.DIGIT_LOGPROBS: bool(sampling.logprobs_of),
            Ability.CHOICE: bool(sampling.choices),
        }
        missing = [
            one.value for one, asked in needed.items() if asked and one not in self.abilities
        ]
        if missing:
            raise EngineFailure(f"this server cannot do: {', '.join(missing)}; vLLM's can")

    def _load_tokenizer(self, server: Server) -> HFTokenizer | None:
        """The tokenizer that was named, or on vLLM the one of the model it loaded."""
        source = self._settings.tokenizer or (server.root if server.is_vllm else None)
        if source is None:
            return None
        return HFTokenizer.of(replace(self._settings, tokenizer=source))

    def _read_facts(self, server: Server) -> ModelFacts:
        """Facts from the model's files where they are a folder here; else only the name."""
        root = server.root
        if root is not None and looks_like_path(root) and server.is_vllm:
            known = read_facts(replace(self._settings, model=root))
            return replace(known, model=self._settings.model, context=server.context)
        return ModelFacts(
            model=self._settings.model,
            revision=self._settings.revision,
            dtype=None,
            context=server.context or self._settings.max_model_len,
            parameters=None,
            body_parameters=None,
            head_parameters=None,
            layers=None,
            attention_width=None,
        )

    async def _ask_once(self) -> None:
        one = SamplingRequest(1, temperature=0.0, top_p=1.0, seed=0)
        if self._tokenizer is None:
            done = await self.chat([{"role": "user", "content": READY_PROMPT}], one)
        else:
            done = await self.complete(self._tokenizer.encode(READY_PROMPT), one)
        self._reports_cache = done.cached_prompt_tokens is not None

    async def _post(
        self, path: str, body: dict[str, Any], sampling: SamplingRequest, prompt_tokens: int
    ) -> Completion:
        began = time.perf_counter()
        server = self._running()
        call = Call("POST", f"{server.base_url}{path}", body, sampling.seed)
        response = await self._send(call, self._policy)
        if not response.is_success:
            raise _failure(response)
        try:
            parsed = response.json()
        except ValueError as error:
            raise EngineFailure(f"the server's answer is not JSON: {error}") from error
        answer = parse_answer(parsed, sampling)
        return self._completion(answer, prompt_tokens, time.perf_counter() - began)

    async def _send(self, call: Call, policy: RetryPolicy) -> httpx.Response:
        if self._client is None:
            raise EngineDead("the openai engine is not running")
        try:
            return await send(self._client, call, policy)
        except Unreachable as error:
            raise EngineDead(
                f"the server at {call.url} cannot be reached any more ({error})"
            ) from error
        except TooSlow as error:
            raise EngineFailure(f"the server at {call.url}: {error}") from error

    def _completion(self, answer: Answer, prompt_tokens: int, seconds: float) -> Completion:
        ids = answer.token_ids
        if ids is None and self._tokenizer is not None:
            ids = tuple(self._tokenizer.encode(answer.text))
        return Completion(
            text=answer.text,
            token_ids=ids or (),
            finish_reason=answer.finish_reason,
            stop_string=answer.stop_string,
            prompt_tokens=answer.prompt_tokens or prompt_tokens,
            cached_prompt_tokens=answer.cached_tokens,
            seconds=seconds,
            logprobs=answer.logprobs,
            completion_tokens=answer.completion_tokens,
        )


def _failure(response: httpx.Response) -> EngineFailure:
    """The error that an answer without success stands for."""
    reason = reason_of(response.text)
    too_long = any(words in reason for words in TOO_LONG)
    if response.status_code == HTTPStatus.BAD_REQUEST and too_long:
        return PromptTooLong(f"the server refuses the prompt: {reason}")
    return EngineFailure(f"the server answers {response.status_code}: {reason}")
