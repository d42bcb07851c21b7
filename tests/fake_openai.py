"""A server of the OpenAI kind that lives in the tests and behaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.openai import http_retry
from pipeline.engines.openai.engine import OpenAIEngine
from pipeline.engines.openai.skills import CHOSEN, PROBE
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings

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
SKILLED = {
    "choices": [
        {
            "text": "7",
            "token_ids": [22],
            "finish_reason": "length",
            "logprobs": {"top_logprobs": [{f"token_id:{one}": -1.0 for one in CHOSEN}]},
        }
    ],
    "usage": {"prompt_tokens": len(PROBE), "completion_tokens": 1},
}
"""What shows all skills."""
Reply = tuple[int, str]


@dataclass
class Fake:
    """What the server answers: replies that are used up first, then the usual ones.

    With `tokens` it shows at the start that it does all that vLLM's server does with tokens;
    `probe` is another answer to that question.
    """

    tokens: bool = True
    probe: Reply | None = None
    root: str | None = None
    models: Reply | None = None
    next: list[Reply] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Reply] | None = None
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
            entry = {"id": "m", "owned_by": "someone", "root": self.root, "max_model_len": 100}
            return self.models or (200, json.dumps({"data": [entry]}))
        if body is not None and body.get("prompt") == PROBE:
            shown = (200, json.dumps(SKILLED)) if self.tokens else (400, "a prompt is a text")
            return self.probe or shown
        self.seen.append({"path": path, **(body or {})})
        if self.next:
            return self.next.pop(0)
        if self.answer is not None:
            return self.answer(self.seen[-1])
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


def counted(**usage: Any) -> str:
    return json.dumps(GOOD | {"usage": {"prompt_tokens": 4, "completion_tokens": 1} | usage})


def chosen(**choice: Any) -> str:
    return json.dumps(GOOD | {"choices": [GOOD["choices"][0] | choice]})


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
