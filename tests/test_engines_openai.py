"""The openai engine against a server that lives in this test and behaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines import openai
from pipeline.engines.http_retry import RetryPolicy
from pipeline.engines.openai import OpenAIEngine
from pipeline.engines.openai_wire import parse_answer
from pipeline.engines.protocol import Ability, SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong, RunStopped, UserMistake

ASKED = SamplingRequest(max_tokens=8, temperature=0.5, top_p=1.0, seed=3)
CHAT = [{"role": "user", "content": "Let a=7."}]
GOOD: dict[str, Any] = {
    "choices": [{"text": "7", "token_ids": [22], "finish_reason": "stop", "stop_reason": "\n\n"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 1},
}
SPOKEN = {
    "choices": [{"message": {"content": "7"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1},
}
Reply = tuple[int, str]


@dataclass
class Fake:
    """What the server answers: replies that are used up first, then the usual ones."""

    owner: str = "vllm"
    root: str | None = None
    models: Reply | None = None
    next: list[Reply] = field(default_factory=list)
    good: dict[str, Any] = field(default_factory=lambda: GOOD)
    seen: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    hung: threading.Event = field(default_factory=threading.Event)
    hang: bool = False

    def reply(self, path: str, body: dict[str, Any] | None) -> Reply:
        if self.hang:
            self.hung.wait()
        if path.endswith("/models"):
            entry = {"id": "m", "owned_by": self.owner, "root": self.root, "max_model_len": 100}
            return self.models or (200, json.dumps({"data": [entry]}))
        self.seen.append({"path": path, **(body or {})})
        if self.next:
            return self.next.pop(0)
        return 200, json.dumps(SPOKEN if "chat" in path else self.good)


@pytest.fixture
def fake() -> Iterator[Fake]:
    state = Fake()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            status, text = state.reply(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    state.hung.set()
    server.shutdown()
    server.server_close()


Start = Callable[..., Any]


@pytest.fixture
def start(fake: Fake, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    async def started(**settings: Any) -> OpenAIEngine:
        asked = {"tokenizer": str(tiny_model), "base_url": fake.url, "model": "m", **settings}
        engine = OpenAIEngine(EngineSettings("openai", **asked))
        engine._policy = RetryPolicy(tries=3, within=5.0, first_wait=0.01)
        await engine.start()
        fake.seen.clear()
        return engine

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return started


async def test_vllm_gets_token_ids_and_gives_them_back(fake: Fake, start: Start) -> None:
    engine = await start()
    done = await engine.complete([1, 2, 3], replace(ASKED, stop=("\n\n",)))
    assert (done.token_ids, done.stop_string, done.prompt_tokens) == ((22,), "\n\n", 4)
    sent = fake.seen[0]
    assert (sent["prompt"], sent["seed"], sent["stop"]) == ([1, 2, 3], 3, ["\n\n"])
    assert sent["return_token_ids"] is True
    await engine.stop()


async def test_vllm_can_do_everything_but_count_what_it_does_not_report(start: Start) -> None:
    engine = await start()
    assert engine.abilities == set(Ability) - {Ability.CACHED_COUNT}
    await engine.stop()


async def test_digits_are_asked_for_and_read_by_token_id(fake: Fake, start: Start) -> None:
    engine = await start()
    top = {"token_id:15": -0.5, "token_id:16": -1.5}
    choice = {**GOOD["choices"][0], "logprobs": {"top_logprobs": [top]}}
    fake.good = {**GOOD, "choices": [choice]}
    done = await engine.complete([1], replace(ASKED, logprobs_of=(15, 16)))
    assert done.logprobs == {15: -0.5, 16: -1.5}
    assert (fake.seen[0]["logprobs"], fake.seen[0]["logprob_token_ids"]) == (2, [15, 16])
    await engine.stop()


async def test_another_server_gets_text_and_refuses_what_it_cannot_do(
    fake: Fake, start: Start
) -> None:
    fake.owner = "someone"
    engine = await start()
    await engine.complete(engine.tokenizer.encode("<|im_start|>a=7"), ASKED)
    assert fake.seen[0]["prompt"] == "<|im_start|>a=7"
    assert "return_token_ids" not in fake.seen[0]
    with pytest.raises(EngineFailure, match="cannot do: digit log-probabilities"):
        await engine.complete([1], replace(ASKED, logprobs_of=(15,)))
    await engine.stop()


async def test_without_a_tokenizer_there_is_only_chat(fake: Fake, start: Start) -> None:
    fake.owner = "someone"
    engine = await start(tokenizer=None)
    done = await engine.chat(CHAT, ASKED)
    assert (done.text, done.completion_tokens, done.token_ids) == ("7", 1, ())
    assert engine.abilities == frozenset()
    with pytest.raises(UserMistake, match="name it with --tokenizer"):
        _ = engine.tokenizer
    await engine.stop()


async def test_thinking_that_a_server_parts_off_is_put_back(fake: Fake, start: Start) -> None:
    engine = await start()
    message = {"content": "\\boxed{7}", "reasoning_content": "a is 7"}
    body = {"choices": [{"message": message, "finish_reason": "length"}]}
    fake.next = [(200, json.dumps(body))]
    done = await engine.chat(CHAT, ASKED)
    assert done.text == "<think>\na is 7\n</think>\n\n\\boxed{7}"
    assert done.finish_reason == "length"
    await engine.stop()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_passing_trouble_is_tried_again(fake: Fake, start: Start, status: int) -> None:
    engine = await start()
    fake.next = [(status, "busy"), (status, "busy")]
    assert (await engine.complete([1], ASKED)).text == "7"
    assert len(fake.seen) == 3
    await engine.stop()


async def test_lasting_trouble_ends_after_the_last_try(fake: Fake, start: Start) -> None:
    engine = await start()
    fake.next = [(500, "out of\nluck")] * 9
    with pytest.raises(EngineFailure, match="answers 500: out of luck"):
        await engine.complete([1], ASKED)
    assert len(fake.seen) == 3
    await engine.stop()


Bad = tuple[Reply, type[Exception], str]
BAD: list[Bad] = [
    ((400, "This model's maximum context length is 100"), PromptTooLong, "refuses the prompt"),
    ((400, "bad field"), EngineFailure, "answers 400: bad field"),
    ((404, "no model"), EngineFailure, "answers 404"),
    ((200, "<html>"), EngineFailure, "is not JSON"),
    ((200, '{"choices": []}'), EngineFailure, "is no completion"),
    ((200, '{"choices": [{"text": "", "finish_reason": "abort"}]}'), EngineFailure, "'abort'"),
    ((200, "[1]"), EngineFailure, "is no completion"),
]


@pytest.mark.parametrize(("reply", "error", "words"), BAD)
async def test_what_cannot_get_better_is_not_tried_again(
    fake: Fake, start: Start, reply: Reply, error: type[Exception], words: str
) -> None:
    engine = await start()
    fake.next = [reply]
    with pytest.raises(error, match=words):
        await engine.complete([1], ASKED)
    assert len(fake.seen) == 1
    await engine.stop()


async def test_a_prompt_longer_than_the_context_is_not_sent(fake: Fake, start: Start) -> None:
    engine = await start()
    with pytest.raises(PromptTooLong, match="100 tokens and the model's context 100"):
        await engine.complete([1] * 100, ASKED)
    assert fake.seen == []
    await engine.stop()


NOT_THERE = "http://127.0.0.1:9/v1"
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"base_url": NOT_THERE}, "server at http://127.0.0.1:9/v1 does not answer"),
    ({"base_url": None}, "give --base-url"),
    ({"base_url": "localhost:8000"}, "must begin with http"),
    ({"model": "n"}, "does not serve the model 'n'; it serves m"),
]


@pytest.mark.parametrize(("settings", "words"), MISTAKES)
async def test_a_wrong_address_or_model_is_the_users_mistake(
    start: Start, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserMistake, match=words):
        await start(**settings)


STARTS = [
    ((500, "boom"), RunStopped, "status 500 .*boom"),
    ((401, ""), UserMistake, "set OPENAI_API_KEY"),
    ((404, ""), UserMistake, "answers with status 404"),
    ((200, "hello"), UserMistake, "no OpenAI-compatible server"),
]


@pytest.mark.parametrize(("models", "error", "words"), STARTS)
async def test_a_server_that_fails_at_the_start_is_told_of(
    fake: Fake, start: Start, models: Reply, error: type[Exception], words: str
) -> None:
    fake.models = models
    with pytest.raises(error, match=words):
        await start()


async def test_a_server_that_hangs_is_given_up_in_time(fake: Fake, start: Start) -> None:
    engine = await start(request_timeout=0.2)
    fake.hang = True
    with pytest.raises(EngineFailure, match="no answer in time"):
        await engine.complete([1], ASKED)
    await engine.stop()


async def test_a_server_that_hangs_is_dead(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "HEALTH_SECONDS", 0.2)
    engine = await start()
    fake.hang = True
    with pytest.raises(EngineDead, match="does not answer"):
        await engine.health()
    await engine.stop()


async def test_a_server_that_went_away_is_dead(fake: Fake, start: Start) -> None:
    engine = await start()
    engine._server = replace(engine._server, base_url=NOT_THERE)
    with pytest.raises(EngineDead, match="cannot be reached any more"):
        await engine.complete([1], ASKED)
    with pytest.raises(EngineDead, match="cannot be reached any more"):
        await engine.health()
    await engine.stop()


async def test_the_key_comes_from_the_environment_and_is_in_no_message(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    engine = await start()
    assert engine._client.headers["Authorization"] == "Bearer sk-secret"
    fake.next = [(400, "no")]
    with pytest.raises(EngineFailure, match="answers 400") as told:
        await engine.complete([1], ASKED)
    assert "sk-secret" not in f"{told.value!r} {engine.facts!r}"
    await engine.stop()


async def test_a_stopped_engine_is_dead(start: Start) -> None:
    engine = await start()
    await engine.stop()
    with pytest.raises(EngineDead, match="not running"):
        await engine.complete([1], ASKED)


@given(seed=st.integers(0, 2**64), failed=st.integers(1, 60))
def test_waits_are_bounded_and_follow_from_the_seed(seed: int, failed: int) -> None:
    policy = RetryPolicy(tries=5, within=60.0)
    wait = policy.wait(seed, failed)
    assert policy.first_wait / 2 <= wait <= policy.longest_wait
    assert wait == policy.wait(seed, failed)


def test_half_a_surrogate_pair_in_an_answer_becomes_a_question_mark() -> None:
    body = {"choices": [{"text": "so \ud835 it is", "finish_reason": "stop"}]}
    assert parse_answer(body, ASKED).text == "so ? it is"
