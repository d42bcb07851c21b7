"""The openai engine: any OpenAI-compatible server, asked in the way that it can answer."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx

from pipeline.engines.limits import check_sampling, room_for
from pipeline.engines.masking import masked_errors
from pipeline.engines.model_extras import chat_fields, extra_body, secrets_of
from pipeline.engines.openai.event_stream import (
    STREAM,
    STREAM_AND_COUNT,
    body_of,
    heard,
    refuses_streams,
)
from pipeline.engines.openai.http_retry import BUSY, Call, RetryPolicy, Unreachable, send
from pipeline.engines.openai.known_fields import KnownFields
from pipeline.engines.openai.refusals import (
    LIMIT,
    OTHER_LIMIT,
    failure_of,
    wants_other_limit,
)
from pipeline.engines.openai.server import (
    START_POLICY,
    START_SECONDS,
    Server,
    answering,
    facts_of,
    make_client,
    meet,
    served,
)
from pipeline.engines.openai.skills import TEXT, Skills, check_tokenizer, skills_of
from pipeline.engines.openai.wire import (
    VLLM_EXTRAS,
    Answer,
    chat_body,
    completion_body,
    parse_answer,
)
from pipeline.engines.protocol import (
    Ability,
    Completion,
    Message,
    ModelFacts,
    SamplingRequest,
)
from pipeline.engines.sampling import Sampling, further
from pipeline.engines.settings import SERVER_SECONDS, EngineSettings
from pipeline.engines.stopping import cut_at_stop
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import (
    EngineDead,
    EngineFailure,
    Unserved,
    UserMistake,
)

READY_PROMPT = "1+1="
READY_CHAT = ({"role": "user", "content": READY_PROMPT},)
# A busy server is late to list its models; one that takes longer than this hangs.
HEALTH_SECONDS = 30.0
TRIES = 5
# Greedy tokens in which a server has room to come upon a stop string.
PROBE_TOKENS = 16
MOST_STOPS = 4


def named_tokenizer(settings: EngineSettings) -> HFTokenizer | None:
    """The tokenizer that the settings name; another is the server's own."""
    return None if settings.tokenizer is None else HFTokenizer.of(settings)


class OpenAIEngine:
    """One model of a server that somebody else runs."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._policy = RetryPolicy(
            TRIES, settings.seconds_allowed(SERVER_SECONDS), settings.busy_timeout
        )
        self._extra_body = extra_body(settings)
        self._chat_fields = chat_fields(settings)
        self._secrets = secrets_of(settings)
        self._client: httpx.AsyncClient | None = None
        self._server: Server | None = None
        self._skills = Skills()
        self._tokenizer: HFTokenizer | None = None
        self._facts: ModelFacts | None = None
        self._tells_stops = False
        self._keep_stops = False
        self._limit = LIMIT
        self._stream = STREAM_AND_COUNT
        self._fields = KnownFields(self._answer_to, self._secrets)

    @property
    def abilities(self) -> frozenset[Ability]:
        """All that the server is known to be able to do."""
        found = set()
        if self._tokenizer is not None:
            found.add(Ability.TOKEN_PROMPTS)
        if self._skills.tells_logprobs:
            found.add(Ability.DIGIT_LOGPROBS)
        # Of tokens that the server tells the stop string is a part.
        if self._tells_stops or self._skills.tells_ids:
            found.add(Ability.STOP_STRING)
        return frozenset(found)

    @property
    def skills(self) -> Skills:
        """What the server showed at the start that it can do."""
        return self._skills

    @property
    def facts(self) -> ModelFacts:
        """The model's facts as far as its files are available, and the server's context."""
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
        with masked_errors(self._secrets), self._impatient():
            self._client = make_client(self._settings)
            try:
                began = time.monotonic()
                self._server = await meet(self._client, self._settings)
                base = self._server.base_url
                async with answering(base, START_SECONDS - (time.monotonic() - began)):
                    self._skills = await self._find_skills()
                left = START_SECONDS - (time.monotonic() - began)
                # Files of the tokenizer may come from far away, which is no fault of the server's.
                root = self._server.root if self._skills.tells_ids else None
                self._tokenizer = await asyncio.to_thread(self._load_tokenizer, root)
                self._facts = await asyncio.to_thread(facts_of, self._settings, self._server, root)
                async with answering(base, left):
                    await self._ask_once()
                    await self._refuse_unknown(self._settings.sampling)
                    await self._learn_to_tell_stops()
            except BaseException:
                await self.stop()
                raise

    async def complete(
        self, prompt_token_ids: Sequence[int], sampling: SamplingRequest
    ) -> Completion:
        """Continue a token prefix: as ids, or as text on servers that take none."""
        await self._check_able(sampling)
        room = room_for(len(prompt_token_ids), self.facts.context, sampling.max_tokens)
        ids = list(prompt_token_ids)
        prompt = ids if self._skills.takes_ids else self.tokenizer.decode_with_special(ids)
        body = completion_body(self._settings.model, prompt, sampling, room)
        if self._keep_stops and sampling.stop:
            body["include_stop_str_in_output"] = True
        with masked_errors(self._secrets):
            return await self._post("/completions", body, sampling, len(prompt_token_ids))

    async def chat(self, messages: Sequence[Message], sampling: SamplingRequest) -> Completion:
        """Answer a chat by the server's own template."""
        await self._check_able(sampling)
        if sampling.logprobs_of:
            raise EngineFailure("digit log-probabilities need a token prompt, not a chat")
        body = chat_body(self._settings.model, messages, sampling)
        with masked_errors(self._secrets):
            return await self._post("/chat/completions", body | self._chat_fields, sampling, None)

    async def health(self) -> None:
        """Raise `EngineDead` when the server cannot be reached, hangs or fails."""
        server = self._running()
        call = Call("GET", f"{server.base_url}/models")
        try:
            response = await self._send(call, replace(START_POLICY, seconds=HEALTH_SECONDS))
        except EngineDead:
            raise
        except EngineFailure as error:
            raise EngineDead(f"the server at {server.base_url} does not answer") from error
        if not response.is_success:
            raise EngineDead(f"the server at {server.base_url} says {response.status_code}")
        try:
            now = served(response, server.base_url, self._settings.model)
        except UserMistake as error:
            raise EngineDead(str(error)) from error
        if now != server:
            raise EngineDead(f"the server at {server.base_url} serves another model under the name")

    async def stop(self) -> None:
        """Close the connections; the server goes on."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _running(self) -> Server:
        if self._client is None or self._server is None:
            raise EngineDead("the openai engine is not running")
        return self._server

    async def _check_able(self, sampling: SamplingRequest) -> None:
        check_sampling(sampling)
        try:
            await self._refuse_unknown(sampling)
        except UserMistake as error:
            raise EngineFailure(str(error)) from error
        needed = Ability.DIGIT_LOGPROBS
        if sampling.logprobs_of and needed not in self.abilities:
            raise EngineFailure(f"this server cannot do: {needed.value}; vLLM's can")

    def _load_tokenizer(self, root: str | None) -> HFTokenizer | None:
        """The tokenizer that was named, or the one of the model that the server loaded."""
        source = self._settings.tokenizer or root
        if source is None:
            return None
        return HFTokenizer.of(replace(self._settings, tokenizer=source))

    async def _find_skills(self) -> Skills:
        return await skills_of(
            self._complete_plainly, self._settings.model, self._short(), self._secrets
        )

    async def _complete_plainly(self, body: dict[str, Any]) -> httpx.Response:
        """What the server answers, whatever it is, unless it is too busy to."""
        call = self._call("/completions", body, 0)
        response = await self._send(call, self._policy)
        if response.status_code in BUSY:
            raise failure_of(response, call.url, self._policy, self._secrets)
        return response

    async def _ask_once(self) -> None:
        one, model = self._short(), self._settings.model
        if self._tokenizer is None:
            # Without the settings of chats: whether the server knows them is still to be asked.
            await self._post("/chat/completions", chat_body(model, READY_CHAT, one), one, None)
        elif self._skills.tells_ids:
            plain = completion_body(model, TEXT, one, 1) | {"add_special_tokens": False}
            check_tokenizer(await self._complete_plainly(plain), self._tokenizer)
        else:
            await self.complete(self._tokenizer.encode(READY_PROMPT), one)

    def _short(self) -> SamplingRequest:
        """A request of one token, at the temperature of the run: a server may refuse others."""
        asked = self._settings.sampling
        return Sampling(asked.temperature, asked.top_p).request(max_tokens=1, seed=0)

    async def _refuse_unknown(self, sampling: Sampling | SamplingRequest) -> None:
        """Raise `UserMistake` for a setting that the server cannot do; each is tried once."""
        wanted: dict[str, Any] = further(sampling)
        if self._tokenizer is None:
            wanted |= self._chat_fields
        await self._fields.refuse_unknown(wanted)

    async def _answer_to(self, more: dict[str, Any]) -> httpx.Response:
        """What the server answers to a short request with these fields more."""
        one, model = self._short(), self._settings.model
        if self._tokenizer is None:
            path, body = "/chat/completions", chat_body(model, READY_CHAT, one)
        else:
            path, body = "/completions", completion_body(model, READY_PROMPT, one, 1)
        return await self._send(self._call(path, body | more, 0), replace(self._policy, tries=1))

    def _call(self, path: str, body: dict[str, Any], seed: int) -> Call:
        """The request, with the limit as the server calls it."""
        spelled = {self._limit if name == LIMIT else name: one for name, one in body.items()}
        if self._skills.tells_ids:
            spelled = VLLM_EXTRAS | spelled
        spelled |= self._extra_body
        return Call("POST", f"{self._running().base_url}{path}", spelled, seed)

    async def _learn_to_tell_stops(self) -> None:
        """Find out whether a stop string can be told from the end of the text.

        A server names it, or leaves it in the text, or does so when it is asked to. Letters of
        what the model says anyway are the stop strings of the test.
        """
        if self._skills.tells_ids or self._tokenizer is None:
            return
        prompt = self._tokenizer.encode(READY_PROMPT)
        asked = SamplingRequest(PROBE_TOKENS, temperature=0.0, top_p=1.0, seed=0)
        said = (await self.complete(prompt, asked)).text
        letters = tuple(dict.fromkeys("".join(said.split())))[:MOST_STOPS]
        for keep in (False, True):
            self._keep_stops = keep
            try:
                done = await self.complete(prompt, replace(asked, stop=letters))
            except EngineFailure:  # it does not say what stopped it, or does not know the field
                continue
            self._tells_stops = done.stop_string is not None
            if self._tells_stops:
                return

    async def _post(
        self, path: str, body: dict[str, Any], sampling: SamplingRequest, prompt_tokens: int | None
    ) -> Completion:
        began = time.perf_counter()
        server = self._running()
        while True:
            call = self._call(path, body, sampling.seed)
            if sampling.on_text is not None and self._stream:
                call = heard(call, self._stream, sampling.on_text, self._secrets)
            response = await self._send(call, self._policy)
            if wants_other_limit(response, call):
                self._limit = OTHER_LIMIT
            elif call.listen is not None and refuses_streams(response):
                self._stream = STREAM if "stream_options" in (call.body or {}) else {}
            else:
                break
        if not response.is_success:
            raise failure_of(response, call.url, self._policy, self._secrets)
        try:
            answer = parse_answer(body_of(response, self._secrets), sampling)
        except (ValueError, RecursionError) as error:
            raise Unserved(
                f"the answer of the server at {server.base_url} is not JSON ({error})"
            ) from error
        except Unserved as error:
            raise Unserved(f"{error}, at {server.base_url}") from error
        return self._completion(answer, sampling, prompt_tokens, time.perf_counter() - began)

    async def _send(self, call: Call, policy: RetryPolicy) -> httpx.Response:
        if self._client is None:
            raise EngineDead("the openai engine is not running")
        try:
            return await send(self._client, call, policy, self._settings.on_wait)
        except Unreachable as error:
            raise EngineDead(
                f"the server at {call.url} can no longer be reached ({error})"
            ) from error

    def _completion(
        self, answer: Answer, sampling: SamplingRequest, prompt_tokens: int | None, seconds: float
    ) -> Completion:
        text, ids = self._secrets.masked_text(answer.text), answer.token_ids
        cut = cut_at_stop(text, sampling.stop)
        finish, stop = answer.finish_reason, cut.stop_string or answer.stop_string
        if finish == "stop" and stop is None and ids is not None:
            stop = self._stop_among(ids, sampling.stop)
        elif finish == "stop" and stop is None and sampling.stop and not self._tells_stops:
            raise Unserved(
                f"the server at {self._running().base_url} does not say whether a stop string or "
                "the end of the text ended its answer"
            )
        if ids is None or text != answer.text:
            ids = self._encoded(cut.text + (stop or ""))
        return Completion(
            text=cut.text,
            token_ids=ids,
            finish_reason=finish if stop is None else "stop",
            stop_string=stop,
            prompt_tokens=answer.prompt_tokens or prompt_tokens,
            cached_prompt_tokens=answer.cached_tokens,
            seconds=seconds,
            logprobs=answer.logprobs,
            completion_tokens=answer.completion_tokens,
        )

    def _stop_among(self, ids: tuple[int, ...], stop: tuple[str, ...]) -> str | None:
        """The stop string in the tokens, which keep it."""
        if not stop or self._tokenizer is None:
            return None
        return cut_at_stop(self._tokenizer.decode(ids), stop).stop_string

    def _encoded(self, text: str) -> tuple[int, ...] | None:
        return None if self._tokenizer is None else tuple(self._tokenizer.encode(text))

    @contextlib.contextmanager
    def _impatient(self) -> Iterator[None]:
        """Wait for a busy server no longer than a user does who has started a run."""
        patient = self._policy
        self._policy = replace(patient, patience=min(patient.patience, START_POLICY.patience))
        try:
            yield
        finally:
            self._policy = patient
