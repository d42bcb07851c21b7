"""The openai engine against a server that lives in this test and behaves as it is told."""

import base64
import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.openai import engine as openai
from pipeline.engines.openai import http_retry
from pipeline.engines.openai.engine import OpenAIEngine
from pipeline.engines.openai.http_retry import LONGEST_ASKED, RetryPolicy
from pipeline.engines.openai.wire import parse_answer
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
    good: Any = field(default_factory=lambda: GOOD)
    seen: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    hung: threading.Event = field(default_factory=threading.Event)
    hang: bool = False
    drip: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    credentials: str | None = None

    def reply(self, path: str, body: dict[str, Any] | None) -> Reply:
        if self.hang:
            self.hung.wait()
        if path.endswith("/models"):
            entry = {"id": "m", "owned_by": self.owner, "root": self.root, "max_model_len": 100}
            return self.models or (200, json.dumps({"data": [entry]}))
        self.seen.append({"path": path, **(body or {})})
        if self.next:
            return self.next.pop(0)
        good = self.good if not callable(self.good) else self.good(self.seen[-1])
        return 200, json.dumps(SPOKEN if "chat" in path else good)

    def send(self, to: Any, content: bytes) -> None:
        """The answer at once, or a byte now and then until the test is over or nobody listens."""
        if not self.drip:
            to.write(content)
        for byte in content if self.drip else b"":
            if self.hung.wait(0.02):
                return
            try:
                to.write(bytes([byte]))
            except OSError:
                return


@pytest.fixture
def fake() -> Iterator[Fake]:
    state = Fake()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            state.credentials = self.headers.get("Authorization")
            status, text = state.reply(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            state.send(self.wfile, text.encode())

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
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
        engine._policy = replace(engine._policy, tries=3, first_wait=0.01)
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


async def test_vllm_can_do_everything(start: Start) -> None:
    engine = await start()
    assert engine.abilities == set(Ability)
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
    assert (done.text, done.generated, done.token_ids) == ("7", 1, None)
    assert engine.abilities == frozenset()
    assert done.prompt_tokens == 9
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
    ((200, '{"choices": []}'), EngineFailure, "is not a completion"),
    ((200, '{"choices": [{"text": "", "finish_reason": "abort"}]}'), EngineFailure, "'abort'"),
    ((200, "[1]"), EngineFailure, "is not a completion"),
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


def counted(**usage: Any) -> str:
    return json.dumps(GOOD | {"usage": {"prompt_tokens": 4, "completion_tokens": 1} | usage})


def chosen(**choice: Any) -> str:
    return json.dumps(GOOD | {"choices": [GOOD["choices"][0] | choice]})


UNUSABLE: list[tuple[str, str]] = [
    (chosen(text=None), "text is null"),
    (chosen(text=7), "text"),
    (chosen(text=["7"]), "text"),
    (chosen(message={"content": None}), "content is null"),
    (chosen(message={"content": 7}), "content"),
    (chosen(token_ids="22"), "token_ids"),
    (chosen(token_ids=[-1]), "token_ids"),
    (chosen(token_ids=[True]), "token_ids"),
    (chosen(token_ids=[10**30]), "token_ids"),
    (chosen(finish_reason=None), "finish_reason None"),
    (chosen(finish_reason=1), "finish_reason"),
    (counted(completion_tokens=-1), "completion_tokens"),
    (counted(completion_tokens=10**30), "completion_tokens"),
    (counted(completion_tokens=10**9), "completion_tokens"),
    (counted(completion_tokens="1"), "completion_tokens"),
    (counted(completion_tokens=1.5), "completion_tokens"),
    (counted(completion_tokens=True), "completion_tokens"),
    (counted(completion_tokens=math.nan), "completion_tokens"),
    (counted(prompt_tokens=math.inf), "prompt_tokens"),
    (counted(prompt_tokens=-5), "prompt_tokens"),
    (counted(prompt_tokens_details={"cached_tokens": -1}), "cached_tokens"),
    (counted(prompt_tokens_details={"cached_tokens": 5}), "cached_tokens is 5.* only 4"),
    (json.dumps(GOOD | {"usage": "none"}), "usage"),
    (chosen(token_ids=[22] * 9), "9 tokens where at most 8 were asked for"),
    (counted(completion_tokens=9), "9 tokens where at most 8 were asked for"),
    ("[" * 100_000, "is not JSON"),
    ('{"choices": 9' + "9" * 5000 + "}", "is not JSON"),
]


@pytest.mark.parametrize(("body", "field"), UNUSABLE, ids=[body[:90] for body, _ in UNUSABLE])
async def test_an_answer_with_what_is_none_is_a_failure_that_names_server_and_field(
    fake: Fake, start: Start, body: str, field: str
) -> None:
    engine = await start()
    fake.next = [(200, body)]
    with pytest.raises(EngineFailure, match=field) as told:
        await engine.complete([1], ASKED)
    assert fake.url in str(told.value)
    assert len(str(told.value)) < 500
    await engine.stop()


@pytest.mark.parametrize("value", [math.nan, "x", None, 2.0])
async def test_a_log_probability_that_is_none_is_a_failure(
    fake: Fake, start: Start, value: Any
) -> None:
    engine = await start()
    fake.next = [(200, chosen(logprobs={"top_logprobs": [{"token_id:15": value}]}))]
    with pytest.raises(EngineFailure, match="logprob"):
        await engine.complete([1], replace(ASKED, logprobs_of=(15,)))
    await engine.stop()


NOT_COUNTED: list[Any] = [
    None,
    {},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}},
]


@pytest.mark.parametrize("usage", NOT_COUNTED)
async def test_tokens_that_a_server_does_not_count_are_unknown_and_not_none(
    fake: Fake, start: Start, usage: Any
) -> None:
    fake.owner = "someone"
    engine = await start(tokenizer=None)
    fake.next = [(200, json.dumps(SPOKEN | {"usage": usage}))]
    done = await engine.chat(CHAT, ASKED)
    assert (done.prompt_tokens, done.cached_prompt_tokens, done.generated) == (None, None, None)
    await engine.stop()


async def test_what_a_server_does_not_count_its_tokenizer_does(fake: Fake, start: Start) -> None:
    fake.owner = "someone"
    engine = await start()
    fake.next = [(200, json.dumps({"choices": [{"text": "a=7", "finish_reason": "length"}]}))]
    done = await engine.complete([1, 2], ASKED)
    assert (done.prompt_tokens, done.generated) == (2, 3)
    await engine.stop()


WRITES = "one=1 two\n\nthree"


def strips(asked: dict[str, Any]) -> str:
    """What is left of the model's text before the first stop string."""
    text = WRITES[: WRITES.index(asked["stop"][0])] if asked.get("stop") else WRITES
    return str(text)


def stripping(asked: dict[str, Any]) -> Any:
    return {"choices": [{"text": strips(asked), "finish_reason": "stop"}]}


def naming(asked: dict[str, Any]) -> Any:
    stop = asked.get("stop", [None])[0]
    return {"choices": [{"text": strips(asked), "finish_reason": "stop", "matched_stop": stop}]}


def keeping(asked: dict[str, Any]) -> Any:
    kept = strips(asked) + asked.get("stop", [""])[0]
    return {"choices": [{"text": kept, "finish_reason": "stop"}]}


def keeping_when_asked(asked: dict[str, Any]) -> Any:
    return keeping(asked) if asked.get("include_stop_str_in_output") else stripping(asked)


def running_on(asked: dict[str, Any]) -> Any:
    return {"choices": [{"text": WRITES, "finish_reason": "length"}]}


TELLING = [naming, keeping, keeping_when_asked, running_on]


@pytest.mark.parametrize("server", TELLING)
async def test_a_stop_string_is_told_from_the_end_of_the_text(
    fake: Fake, start: Start, server: Callable[[dict[str, Any]], Any]
) -> None:
    fake.owner, fake.good = "someone", server
    engine = await start()
    assert Ability.STOP_STRING in engine.abilities
    done = await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    assert (done.text, done.finish_reason, done.stop_string) == ("one=1 two", "stop", "\n\n")
    assert engine.tokenizer.decode(done.token_ids) == "one=1 two\n\n"
    fake.good = {"choices": [{"text": "the end", "finish_reason": "stop"}]}
    ended = await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    assert (ended.text, ended.finish_reason, ended.stop_string) == ("the end", "stop", None)
    await engine.stop()


def refusing_the_field(asked: dict[str, Any]) -> Any:
    assert "include_stop_str_in_output" not in asked, "as a server with a strict schema would"
    return stripping(asked)


@pytest.mark.parametrize("server", [stripping, refusing_the_field])
async def test_a_server_that_hides_what_stopped_it_is_known_and_never_believed(
    fake: Fake, start: Start, server: Callable[[dict[str, Any]], Any]
) -> None:
    fake.owner, fake.good = "someone", server
    engine = await start()
    assert Ability.STOP_STRING not in engine.abilities
    assert (await engine.complete([1], ASKED)).text == WRITES
    fake.good = stripping
    with pytest.raises(EngineFailure, match="does not say whether a stop string or the end of"):
        await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    await engine.stop()


async def test_tokens_tell_the_stop_string_that_vllm_behind_a_proxy_does_not_name(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    ids = engine.tokenizer.encode("a=7\n\n")
    fake.next = [(200, chosen(text="a=7", token_ids=ids, stop_reason=None))]
    done = await engine.complete([1], replace(ASKED, stop=("\n\n",)))
    assert (done.text, done.stop_string, done.token_ids) == ("a=7", "\n\n", tuple(ids))
    await engine.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is waited between tries, without waiting."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(http_retry, "asyncio", SleeplessAsyncio(sleep))
    return waited


@dataclass
class SleeplessAsyncio:
    sleep: Any


ASKED_TO_WAIT = [
    (429, "7", 7.0),
    (503, "7", 7.0),
    (429, "7.5", 7.5),
    (429, "0", 0.01),
    (503, "86400", LONGEST_ASKED),
]


@pytest.mark.parametrize("case", ASKED_TO_WAIT)
async def test_a_busy_server_is_left_alone_as_long_as_it_asks_and_that_is_told(
    fake: Fake, start: Start, waits: list[float], case: tuple[int, str, float]
) -> None:
    status, asked, wait = case
    told: list[float] = []
    engine = await start(on_wait=told.append)
    fake.headers = {"Retry-After": asked}
    fake.next = [(status, "busy")] * 3
    assert (await engine.complete([1], ASKED)).text == "7"
    assert waits == told == [wait] * 3
    await engine.stop()


async def test_at_the_start_a_busy_server_is_told_of_soon(
    fake: Fake, start: Start, waits: list[float]
) -> None:
    fake.headers, fake.next = {"Retry-After": "60"}, [(429, "busy")] * 999
    with pytest.raises(RunStopped, match="answers 429, after 8 s of waiting"):
        await start()
    assert sum(waits) == 8.0


async def test_an_answer_that_is_too_long_or_cannot_be_unpacked_is_a_failure(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start()
    monkeypatch.setattr(http_retry, "MAX_BODY", 1000)
    fake.next = [(200, "x" * 1001)]
    with pytest.raises(EngineFailure, match="has more than 1,000 bytes"):
        await engine.complete([1], ASKED)
    fake.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(EngineFailure, match="cannot be decompressed"):
        await engine.complete([1], ASKED)
    await engine.stop()


async def test_a_busy_server_may_name_a_date(fake: Fake, start: Start, waits: list[float]) -> None:
    engine = await start()
    fake.headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=90), True)}
    fake.next = [(429, "busy")]
    await engine.complete([1], ASKED)
    assert len(waits) == 1
    assert 60 < waits[0] <= 90
    await engine.stop()


@pytest.mark.parametrize("asked", [None, "30", "soon", "-1", "NaN", "Fri, 99 Foo 2026", "9" * 5000])
async def test_patience_ends_after_the_time_allowed_and_is_longer_than_trouble_gets(
    fake: Fake, start: Start, waits: list[float], asked: str | None
) -> None:
    engine = await start(busy_timeout=100.0)
    fake.headers = {} if asked is None else {"Retry-After": asked}
    fake.next = [(429, "slow down")] * 999
    with pytest.raises(EngineFailure, match=r"answers 429, after 100 s of waiting .*: slow"):
        await engine.complete([1], ASKED)
    assert sum(waits) == pytest.approx(100.0)
    assert len(fake.seen) == len(waits) + 1
    await engine.stop()


KEY, PASSWORD = "sk-proj/abc+DEF_0123", "pass/w%rd"
TOKEN = base64.b64encode(f"user:{PASSWORD}".encode()).decode()


@pytest.fixture
def secretive(fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """An engine with a key in the environment, and a user and a password in the address."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    address = fake.url.replace("://", "://user:pass%2Fw%25rd@")

    async def started(**settings: Any) -> OpenAIEngine:
        return await start(base_url=address, **settings)

    return started


async def test_a_user_without_a_password_is_a_token_and_as_secret(fake: Fake, start: Start) -> None:
    engine = await start(base_url=fake.url.replace("://", "://token99@"))
    assert fake.credentials == "Basic " + base64.b64encode(b"token99:").decode()
    fake.next = [(400, f"no token99 and no {fake.credentials}")]
    with pytest.raises(EngineFailure, match=r"no \*\*\* and no Basic \*\*\*"):
        await engine.complete([1], ASKED)
    await engine.stop()


def holds_a_secret(text: str) -> bool:
    return any(one in text for one in (KEY, KEY.replace("/", "\\/"), PASSWORD, TOKEN, "pass%2F"))


ECHOES = [
    f"Incorrect API key provided: {KEY}. You may find it",
    json.dumps({"error": {"message": f"Bearer {KEY}"}}).replace("/", "\\/"),
    f"user {PASSWORD} or Basic {TOKEN}",
    f"see http://user:{PASSWORD}@host/v1",
    "x" * 290 + KEY,
]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_key_that_a_server_says_back_is_masked_in_every_error(
    fake: Fake, secretive: Start, waits: list[float], echo: str, status: int
) -> None:
    engine = await secretive()
    assert fake.credentials == f"Basic {TOKEN}"
    fake.headers = {"WWW-Authenticate": echo, "Retry-After": KEY}
    fake.next = [(status, echo)] * 999
    with pytest.raises(EngineFailure, match=f"answers {status}") as told:
        await engine.complete([1], ASKED)
    chain = [told.value, told.value.__cause__, told.value.__context__]
    assert not any(holds_a_secret(f"{error!r}") for error in chain)
    assert not holds_a_secret(f"{engine._secrets!r} {engine.facts!r}")
    await engine.stop()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_a_key_that_a_server_says_back_at_the_start_is_masked(
    fake: Fake, secretive: Start, echo: str, status: int
) -> None:
    fake.models = (status, echo if status > 200 else json.dumps({"data": [{"id": echo}]}))
    with pytest.raises((UserMistake, RunStopped)) as told:
        await secretive()
    assert not holds_a_secret(str(told.value))


@pytest.mark.parametrize("owner", ["vllm", "someone"])
async def test_a_key_in_what_the_model_writes_is_masked_in_text_and_tokens(
    fake: Fake, secretive: Start, owner: str
) -> None:
    fake.owner = owner
    engine = await secretive()
    ids = engine.tokenizer.encode(f"it is {KEY}")
    choice = {"text": f"it is {KEY}", "token_ids": ids, "finish_reason": "stop"}
    fake.next = [(200, json.dumps({"choices": [choice]}))]
    done = await engine.complete([1], replace(ASKED, max_tokens=64))
    assert done.text == engine.tokenizer.decode(done.token_ids) == "it is ***"
    await engine.stop()


async def test_a_short_key_masks_no_words_of_the_model(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    engine = await start()
    fake.next = [(200, chosen(text="the EMPTY set")), (400, "EMPTY")]
    assert (await engine.complete([1], ASKED)).text == "the EMPTY set"
    with pytest.raises(EngineFailure, match=r"answers 400: \*\*\*$"):
        await engine.complete([1], ASKED)
    await engine.stop()


@pytest.mark.parametrize("key", ["sk-\u00e4bcdefg", "sk-abc\ndefgh"])
async def test_a_key_that_no_header_can_carry_is_the_users_mistake(
    start: Start, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UserMistake, match="the key in OPENAI_API_KEY contains a character") as told:
        await start()
    assert key not in str(told.value)


async def test_a_password_in_a_broken_address_is_masked(start: Start) -> None:
    for address in ("http://user:secret1/x@host:1", "ftp://user:secret1@host", "http://u:secret1@"):
        with pytest.raises(UserMistake) as told:
            await start(base_url=address)
        assert "secret1" not in f"{told.value} {told.value.__cause__}"


@pytest.mark.parametrize(
    "address",
    [
        "admin:secret12@127.0.0.1:8000/v1",
        "http:/admin:secret12@127.0.0.1:8000/v1",
        "http:admin:secret12@127.0.0.1:8000/v1",
        "//admin:secret12@127.0.0.1:8000/v1",
        "admin:secret12?x@127.0.0.1:8000/v1",
        "http://127.0.0.1:9/v1?api_key=secret12",
        "http://127.0.0.1:9/v1#secret12",
    ],
)
async def test_nothing_of_a_wrong_address_that_may_be_a_secret_is_shown(
    start: Start, address: str
) -> None:
    with pytest.raises(UserMistake, match=r"\*\*\*") as told:
        await start(base_url=address)
    assert "secret12" not in str(told.value)
    assert "admin" not in str(told.value)


ODD_KEY = "sk-Ab&c/d+e<Fg-1234567890"
SPELLINGS = [
    ODD_KEY.replace("&", "\\u0026").replace("<", "\\u003c"),
    "".join(f"\\u{ord(character):04x}" for character in ODD_KEY),
    "sk-Ab%26c%2fd%2be%3cFg-1234567890",
    ODD_KEY.upper(),
    base64.b64encode(ODD_KEY.encode()).decode(),
    ODD_KEY[:6] + "\n" + ODD_KEY[6:],
    "\n" * 29_990 + ODD_KEY,
    "\n" * 29_995 + ODD_KEY + "\n" * 9_000,
]


@pytest.mark.parametrize("echo", SPELLINGS)
async def test_a_key_is_masked_however_a_server_spells_it(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch, echo: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", ODD_KEY)
    engine = await start()
    fake.next = [(400, f"no key: {echo}")]
    with pytest.raises(EngineFailure, match="answers 400: no key:") as told:
        await engine.complete([1], ASKED)
    for piece in ("sk-A", "SK-A", "234567", "u0073", echo[:8]):
        assert piece.strip() not in str(told.value) or not piece.strip()
    await engine.stop()


@pytest.mark.parametrize("status", [200, 429])
async def test_a_wait_that_cannot_be_read_counts_as_none_said(
    fake: Fake, start: Start, waits: list[float], status: int
) -> None:
    engine = await start()
    fake.headers = {"Retry-After": "\xe9"}
    fake.next = [(status, chosen(text="4")), (200, chosen(text="4"))]
    assert (await engine.complete([1], ASKED)).text == "4"
    assert len(waits) == (status == 429)
    await engine.stop()


async def test_a_count_that_no_request_can_have_is_told_by_its_field(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    usage = {"prompt_tokens": 90_000_000, "completion_tokens": 99_999_999}
    fake.next = [(200, json.dumps({"choices": [{"text": "4"}], "usage": usage}))]
    with pytest.raises(EngineFailure, match=r"usage\.(prompt|completion)_tokens"):
        await engine.complete([1], ASKED)
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
    (
        {"base_url": "http://localhost:port"},
        "'http://localhost:port' is not the address of a server",
    ),
    ({"base_url": "http://localhost:99999/v1"}, "is not the address of a server"),
    ({"base_url": "http://[::1/v1"}, "is not the address of a server"),
    ({"base_url": "http://"}, "is not the address of a server"),
    ({"base_url": "http://host/v1?x=1"}, "is not the address of a server"),
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
    ((521, "web server is down"), RunStopped, "status 521 .*web server is down"),
    ((499, ""), UserMistake, "answers with status 499"),
    ((200, "[" * 100_000), UserMistake, "not an OpenAI-compatible server"),
    ((200, '{"data": null}'), UserMistake, "not an OpenAI-compatible server"),
    ((200, "hello"), UserMistake, "not an OpenAI-compatible server"),
]


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(("models", "error", "words"), STARTS)
async def test_a_server_that_fails_at_the_start_is_told_of(
    fake: Fake, start: Start, models: Reply, error: type[Exception], words: str
) -> None:
    fake.models = models
    with pytest.raises(error, match=words):
        await start()


async def test_a_server_that_hangs_is_given_up_in_time(fake: Fake, start: Start) -> None:
    engine = await start()
    engine._policy = replace(engine._policy, seconds=0.2)
    fake.hang = True
    with pytest.raises(EngineFailure, match=r"not finished within 0\.2 s and was cancelled; raise"):
        await engine.complete([1], ASKED)
    await engine.stop()


async def test_an_answer_that_comes_in_drips_is_given_up_in_time_and_not_asked_for_again(
    fake: Fake, start: Start
) -> None:
    engine = await start()
    engine._policy = replace(engine._policy, seconds=0.3)
    fake.drip = True
    with pytest.raises(EngineFailure, match=r"not finished within 0\.3 s"):
        await engine.complete([1], ASKED)
    assert len(fake.seen) == 1
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
    with pytest.raises(EngineDead, match="can no longer be reached"):
        await engine.complete([1], ASKED)
    with pytest.raises(EngineDead, match="can no longer be reached"):
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
    policy = RetryPolicy(tries=5, seconds=1.0, patience=60.0)
    wait = policy.wait(seed, failed)
    assert policy.first_wait / 2 <= wait <= policy.longest_wait
    assert wait == policy.wait(seed, failed)


def test_half_a_surrogate_pair_in_an_answer_becomes_a_question_mark() -> None:
    body = {"choices": [{"text": "so \ud835 it is", "finish_reason": "stop"}]}
    assert parse_answer(body, ASKED).text == "so ? it is"
