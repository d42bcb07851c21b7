"""A driver that works as SpecReason does, written from its description; for spec_latency.py.

One problem at a time and one request after another, over two OpenAI-compatible servers, with text
prompts: the small model writes a step, the large one scores it by the top log-probabilities of one
token, a rejected step is written again by the large one. It asks with the seeds that `spec` asks
with, so that both decide alike.
"""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.seeds import request_seed

STEP_END = "\n\n"
STEP_TOKENS = 512
TOP_LOGPROBS = 10
THINK_CLOSE = "</think>"
TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Server:
    """One served model."""

    base_url: str
    model: str


@dataclass(frozen=True, slots=True)
class Task:
    """A problem with its rendered prompt, think-open included."""

    dataset: str
    problem_id: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Solved:
    """A chain of thought, how long it took, and how many of its steps were drafted."""

    text: str
    seconds: float
    steps: int
    drafted: int


class SequentialDriver:
    """The loop, one request at a time."""

    def __init__(self, target: Server, draft: Server, question: str, budget: int) -> None:
        self._target = target
        self._draft = draft
        self._question = question
        self._budget = budget
        self._client = httpx.Client(timeout=TIMEOUT)

    def solve(self, task: Task, threshold: float) -> Solved:
        """One problem from its prompt to its end."""
        began = time.perf_counter()
        text, steps, drafted, spent = task.prompt, 0, 0, 0
        while spent < self._budget:
            left = self._budget - spent
            step, tokens, ended = self._step(
                self._draft, task, text, steps, purpose="draft", left=left
            )
            if self._score(text + step) >= threshold:
                drafted += 1
            else:
                step, tokens, ended = self._step(
                    self._target, task, text, steps, purpose="rewrite", left=left
                )
            text, steps, spent = text + step, steps + 1, spent + tokens
            if ended or "\\boxed{" in step:
                break
        return Solved(text[len(task.prompt) :], time.perf_counter() - began, steps, drafted)

    def _step(
        self, server: Server, task: Task, text: str, step: int, *, purpose: str, left: int
    ) -> tuple[str, int, bool]:
        written, tokens, ended = self._write(
            server, text, min(STEP_TOKENS, left), self._seed(task, step, purpose), [STEP_END]
        )
        if THINK_CLOSE in written and not ended and tokens < left:
            seed = self._seed(task, step, f"{purpose} answer")
            rest, more, ended = self._write(server, text + written, left - tokens, seed, [])
            return written + rest, tokens + more, ended
        return written, tokens, ended

    def _write(
        self, server: Server, prompt: str, max_tokens: int, seed: int, stop: list[str]
    ) -> tuple[str, int, bool]:
        answer = self._post(
            server,
            {
                "prompt": prompt,
                "max_tokens": max_tokens,
                "temperature": 0.6,
                "top_p": 0.95,
                "seed": seed,
                "stop": stop,
                "include_stop_str_in_output": True,
            },
        )
        choice = answer["choices"][0]
        ended = choice["finish_reason"] == "stop" and choice.get("stop_reason") is None
        return choice["text"], answer["usage"]["completion_tokens"], ended

    def _score(self, text: str) -> float:
        blank = "" if text.endswith(STEP_END) else STEP_END
        answer = self._post(
            self._target,
            {
                "prompt": text + blank + self._question,
                "max_tokens": 1,
                "temperature": 0.0,
                "logprobs": TOP_LOGPROBS,
            },
        )
        top: dict[str, float] = answer["choices"][0]["logprobs"]["top_logprobs"][0]
        digits = {word: share for word, share in top.items() if word in "0123456789" and word}
        return float(max(digits, key=lambda word: digits[word])) if digits else 0.0

    def _post(self, server: Server, body: dict[str, Any]) -> dict[str, Any]:
        body = {"model": server.model, "add_special_tokens": False, **body}
        response = self._client.post(f"{server.base_url}/completions", json=body)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    @staticmethod
    def _seed(task: Task, step: int, purpose: str) -> int:
        return request_seed(0, task.dataset, task.problem_id, 0, "0", step=step, purpose=purpose)
