"""Keys and passwords of a server stand in no error and in no text, however the server says them."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from fake_openai import ASKED, Fake, Start

from pipeline.engines.openai.engine import OpenAIEngine
from pipeline.errors import EngineFailure, RunStopped, UserMistake

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


@pytest.mark.parametrize("tokens", [True, False])
async def test_a_key_in_what_the_model_writes_is_masked_in_text_and_tokens(
    fake: Fake, secretive: Start, tokens: bool
) -> None:
    fake.tokens = tokens
    engine = await secretive()
    ids = engine.tokenizer.encode(f"it is {KEY}")
    choice = {"text": f"it is {KEY}", "token_ids": ids, "finish_reason": "stop"}
    fake.next = [(200, json.dumps({"choices": [choice]}))]
    done = await engine.complete([1], replace(ASKED, max_tokens=64))
    assert done.text == engine.tokenizer.decode(done.token_ids) == "it is ***"
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
