"""An engine of this project behind HTTP, as vLLM's server would serve its model."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fake_server import Answer, serving

from pipeline.engines.protocol import Completion, Engine, SamplingRequest
from pipeline.engines.tokenizer import HFTokenizer


class ServedEngine:
    """What a server with this engine answers; prompts and answers are tokens of `folder`'s.

    `answered` counts its completions.
    """

    def __init__(self, engine: Engine, name: str, folder: Path) -> None:
        """The engine is started in a loop of its own, which ends with the program."""
        self.answered = 0
        self._engine, self._name, self._folder = engine, name, folder
        self._tokenizer = HFTokenizer.load(str(folder))
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._await(engine.start())
        self._same = engine.tokenizer.fingerprint == self._tokenizer.fingerprint

    def get(self, _path: str) -> Answer:
        """Its models."""
        model = {"id": self._name, "owned_by": "vllm", "root": str(self._folder)}
        return 200, {"data": [model | {"max_model_len": self._engine.facts.context}]}

    def post(self, _path: str, body: dict[str, Any]) -> Answer:
        """A completion."""
        prompt, chosen = body["prompt"], body.get("logprob_token_ids", [])
        if isinstance(prompt, str):
            prompt = self._tokenizer.encode(prompt)
        own = {token: (self._own([token]) or [0])[0] for token in chosen}
        sampling = SamplingRequest(
            *(body[name] for name in ("max_tokens", "temperature", "top_p", "seed")),
            stop=tuple(body.get("stop", ())),
            logprobs_of=tuple(dict.fromkeys(own.values())),
        )
        done = self._await(self._engine.complete(self._own(prompt), sampling))
        self.answered += 1
        known = done.logprobs or {}
        told = {f"token_id:{token}": known[its] for token, its in own.items()}
        written = self._written(done)
        choice = {
            "text": done.text,
            "token_ids": written,
            "finish_reason": done.finish_reason,
            "stop_reason": done.stop_string,
            "logprobs": {"top_logprobs": [told]} if told else None,
        }
        usage = {"prompt_tokens": len(prompt), "completion_tokens": len(written)}
        return 200, {"choices": [choice], "usage": usage}

    def _own(self, tokens: Sequence[int]) -> list[int]:
        """The engine's own tokens for these."""
        if self._same:
            return list(tokens)
        return self._engine.tokenizer.encode(self._tokenizer.decode_with_special(tokens))

    def _written(self, done: Completion) -> list[int]:
        if self._same:
            return list(done.token_ids or ())
        return self._tokenizer.encode(done.text + (done.stop_string or ""))

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve until the block ends; the address."""
        with serving(self.get, self.post, takes_ids=True) as url:
            yield url
