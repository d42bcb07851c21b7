"""What a server may send in HTTP itself: a test's own bytes in the place of a server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from pipeline.engines.openai.engine import OpenAIEngine
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineDead, EngineFailure, UserMistake

ASKED = SamplingRequest(max_tokens=8, temperature=0.5, top_p=1.0, seed=3)
CHAT = [{"role": "user", "content": "Let a=7."}]
MODELS = json.dumps({"data": [{"id": "m", "owned_by": "someone"}]})
SPOKEN = json.dumps({"choices": [{"message": {"content": "7"}, "finish_reason": "stop"}]})


def answer(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n{headers}"
    return head.encode() + b"\r\n" + content


NO_TEXTS = answer("", "404 Not Found")


def redirect(to: str) -> bytes:
    return answer("", "307 Temporary Redirect", f"Location: {to}\r\n")


@contextlib.asynccontextmanager
async def sending(reply: Callable[[str], bytes]) -> AsyncIterator[str]:
    """A server of chats whose answer, whole with its head, `reply` makes of the path; it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
        await reader.readexactly(int(length or 0))
        path = head.split()[1]
        writer.write(NO_TEXTS if path.endswith("/v1/completions") else reply(path))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def engine_at(url: str) -> OpenAIEngine:
    engine = OpenAIEngine(EngineSettings("openai", "m", base_url=url))
    engine._policy = replace(engine._policy, first_wait=0.01, longest_wait=0.01)
    return engine


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


async def answered(later: bytes) -> str:
    """What a chat is answered with by a server that was well at its start."""
    spoken = iter([answer(SPOKEN)])

    def reply(path: str) -> bytes:
        return answer(MODELS) if path.endswith("/models") else next(spoken, later)

    async with sending(reply) as url:
        engine = engine_at(url)
        await engine.start()
        try:
            return (await engine.chat(CHAT, ASKED)).text
        finally:
            await engine.stop()


NO_HTTP = {
    "a status that is none": b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "a chunk without a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("reply", NO_HTTP.values(), ids=NO_HTTP)
async def test_an_answer_that_is_no_http_is_a_failed_request_of_an_engine_that_lives(
    reply: bytes,
) -> None:
    with pytest.raises(EngineFailure, match="the server's answer is not HTTP") as told:
        await answered(reply)
    assert not isinstance(told.value, EngineDead)


@pytest.mark.parametrize("reply", NO_HTTP.values(), ids=NO_HTTP)
async def test_at_the_start_it_is_the_address_of_no_such_server(reply: bytes) -> None:
    async with sending(lambda _: reply) as url:
        with pytest.raises(UserMistake, match="/v1/models is not an OpenAI-compatible server"):
            await engine_at(url).start()


CUT = {
    "before an answer": b"",
    "in the body": answer(SPOKEN)[:-5],
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
}


@pytest.mark.parametrize("reply", CUT.values(), ids=CUT)
async def test_a_connection_that_is_cut_at_every_try_may_be_the_end_of_the_server(
    reply: bytes,
) -> None:
    with pytest.raises(EngineDead, match="can no longer be reached"):
        await answered(reply)


REDIRECTS = [
    ("https://host.example/v1/models", "--base-url https://host.example/v1$"),
    ("https://u:secret99@host.example/api/v1/models", "--base-url https://host.example/api/v1$"),
    ("/other/v1/models/", r"--base-url http://127.0.0.1:\d+/other/v1$"),
    ("https://host.example/login?next=secret99", "--base-url is its address up to /v1$"),
]


@pytest.mark.parametrize(("to", "advice"), REDIRECTS)
async def test_a_server_that_sends_on_is_told_of_with_the_address_to_give(
    to: str, advice: str
) -> None:
    async with sending(lambda _: redirect(to)) as url:
        with pytest.raises(UserMistake, match=f"only redirects to .*; (give )?{advice}") as told:
            await engine_at(url).start()
    assert "secret99" not in str(told.value)


@pytest.mark.parametrize("to", ["http://[::1/models", "http://a:b:c/x"])
async def test_so_is_one_that_sends_on_to_nowhere(to: str) -> None:
    async with sending(lambda _: redirect(to)) as url:
        with pytest.raises(UserMistake, match="redirects to an invalid address"):
            await engine_at(url).start()


async def test_a_request_that_is_sent_on_later_is_a_failure_that_says_where() -> None:
    with pytest.raises(EngineFailure, match=r"redirects to https://host\.example/x; --base-url is"):
        await answered(redirect("https://host.example/x"))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
READ = {
    "chunked with trailers": CHUNKED
    + f"{len(SPOKEN):x};x=1\r\n{SPOKEN}\r\n0\r\nX-Sum: 7\r\n\r\n".encode(),
    "HTTP/1.0, ended by its connection": b"HTTP/1.0 200 OK\r\n\r\n" + SPOKEN.encode(),
    "a byte order mark": answer("\ufeff" + SPOKEN),
    "an interim answer first": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(SPOKEN),
}


@pytest.mark.parametrize("reply", READ.values(), ids=READ)
async def test_every_way_in_which_http_may_bring_an_answer_is_read(reply: bytes) -> None:
    assert await answered(reply) == "7"


async def test_a_request_that_is_cancelled_closes_its_connection() -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        if path.endswith(("/models", "/v1/completions")):
            writer.write(answer(MODELS) if path.endswith("/models") else NO_TEXTS)
        elif not asked.is_set() and "first" in served:
            asked.set()
            # Nothing is answered: the stream ends only when the other side gives up.
            await reader.read()
            closed.set()
        else:
            served.add("first")
            writer.write(answer(SPOKEN))
        writer.close()

    served: set[str] = set()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        engine = engine_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await engine.start()
        request = asyncio.create_task(engine.chat(CHAT, ASKED))
        await asked.wait()
        request.cancel()
        await asyncio.wait([request])
        assert request.cancelled()
        await closed.wait()
        await engine.stop()
