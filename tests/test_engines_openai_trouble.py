"""The openai engine and servers that are busy, slow, wrong or gone: waits, tries, and sentences."""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from fake_openai import ASKED, Fake, Reply, Start, chosen
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.openai import engine as openai_engine
from pipeline.engines.openai import http_retry
from pipeline.engines.openai.http_retry import LONGEST_ASKED, RetryPolicy
from pipeline.engines.openai.server import START_SECONDS, make_client
from pipeline.engines.settings import EngineSettings
from pipeline.errors import (
    EngineDead,
    EngineFailure,
    PromptTooLong,
    RunStopped,
    Unserved,
    UserMistake,
)


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


async def test_a_server_that_lists_its_models_and_does_not_answer_is_told_of_in_half_a_minute(
    fake: Fake, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert START_SECONDS < 30
    monkeypatch.setattr(openai_engine, "START_SECONDS", 0.2)
    fake.answer = lambda _: (200 if fake.hung.wait() else 500, "")
    with pytest.raises(RunStopped) as error:
        await start()
    assert str(error.value).startswith(
        f"the server at {fake.url}/v1 lists its models but gives no text: requests of a few tokens "
        "were not answered within 0 s"
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(status, EngineFailure) for status in (400, 413, 422)],
        *[(status, Unserved) for status in (401, 403, 404, 405, 500, 501, 502)],
    ],
)
async def test_what_another_server_may_answer_is_told_from_what_none_would(
    fake: Fake, start: Start, waits: list[float], status: int, kind: type[Exception]
) -> None:
    engine = await start()
    fake.next = [(status, "no")] * 3
    with pytest.raises(EngineFailure) as error:
        await engine.complete([1], ASKED)
    assert type(error.value) is kind
    assert len(waits) == (2 if status >= 500 else 0)


async def test_a_server_that_went_away_is_dead(fake: Fake, start: Start) -> None:
    engine = await start()
    engine._server = replace(engine._server, base_url=NOT_THERE)
    with pytest.raises(EngineDead, match="can no longer be reached"):
        await engine.complete([1], ASKED)
    with pytest.raises(EngineDead, match="can no longer be reached"):
        await engine.health()
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


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system's own, on Linux")
async def test_a_connection_whose_other_end_is_lost_is_found_out_by_the_system(fake: Fake) -> None:
    told = {}
    async with (
        make_client(EngineSettings("openai", "m", base_url=fake.url)) as client,
        client.stream("GET", f"{fake.url}/models") as response,
    ):
        connection = response.extensions["network_stream"].get_extra_info("socket")
        for name in ("TCP_KEEPIDLE", "TCP_USER_TIMEOUT"):
            told[name] = connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert told == {"TCP_KEEPIDLE": 30, "TCP_USER_TIMEOUT": 60_000}


@pytest.mark.parametrize(
    ("address", "is_used"), [("http://127.0.0.1:9", False), ("http://far.example", True)]
)
async def test_proxies_of_the_environment_are_used_but_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, address: str, *, is_used: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with make_client(EngineSettings("openai", "m", base_url=address)) as client:
        used = [one for one in client._mounts.values() if one is not None]
    assert bool(used) == is_used
