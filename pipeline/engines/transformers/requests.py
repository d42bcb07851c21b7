"""A request in the transformers engine: what was asked, and its text as it grows."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from pipeline.decoding.proposer import Work
from pipeline.decoding.refining import Round
from pipeline.engines.protocol import FinishReason, SamplingRequest
from pipeline.engines.stopping import StopWatch
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.next_token import choose


class Generated(NamedTuple):
    """What one request came to."""

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    stop_string: str | None
    cached_tokens: int
    logprobs: dict[int, float] | None
    refused: Work
    assisted: Work
    forwards: int
    rounds: tuple[Round, ...]
    likeliest: tuple[tuple[int, float], ...]
    arrivals: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A prompt to be continued by at most `room` tokens; cancelling `answer` ends the work.

    Jobs of one `group` are branches of one sequence. `told` are the tokens that were told of, which
    are not told again where a text is begun anew.
    """

    prompt: list[int]
    sampling: SamplingRequest
    room: int
    group: int | None = None
    told: list[int] = field(default_factory=list)
    answer: "Future[Generated]" = field(default_factory=Future)

    @property
    def most(self) -> int:
        """How many tokens prompt and answer may have together."""
        return len(self.prompt) + self.room

    def settle(self, result: Generated | Exception) -> None:
        """Answer, unless nobody waits any more. Called once, by the thread that works on it."""
        if not self.answer.set_running_or_notify_cancel():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class Text:
    """The tokens that a request has got, and the draws of those that follow."""

    def __init__(
        self,
        job: Job,
        tokenizer: HFTokenizer,
        cached_tokens: int,
        logits: Any,
        forward: int = 0,
    ) -> None:
        """`logits` are those after the prompt; they give the first token.

        `forward` is the number of the forward that they come from.
        """
        self.job = job
        self.done: Generated | None = None
        self.token_ids = list(job.prompt)
        self.refused, self.assisted = Work(), Work()
        self.forwards = 1
        self._forward, self._arrivals = forward, dict[int, int]()
        self.rounds: list[Round] = []
        self._eos_ids = tokenizer.eos_ids
        self._watch = StopWatch(tokenizer, job.sampling.stop)
        self._cached_tokens = cached_tokens
        self._logprobs = _logprobs(logits, job.sampling.logprobs_of)
        self._likeliest = _likeliest(logits, job.sampling.likeliest)
        self.grow(logits)

    @property
    def room(self) -> int:
        """How many tokens may still be written."""
        return 0 if self.done else self.job.room - len(self._watch.token_ids)

    def read_in(self, forward: int) -> None:
        """The forward of this number is about to give it tokens."""
        self.forwards += 1
        self._forward = forward

    def grow(self, logits: Any) -> int:
        """Write the token chosen by the logits after the last one; `done` is set where it ends."""
        job, written = self.job, self._watch.token_ids
        token = choose(logits, job.sampling, job.prompt, written)
        self.token_ids.append(token)
        self._arrivals[self._forward] = self._arrivals.get(self._forward, 0) + 1
        if job.sampling.on_token is not None and len(written) == len(job.told):
            job.told.append(token)
            job.sampling.on_token(token)
        if self._watch.append(token) or token in self._eos_ids:
            self.done = self._generated("stop")
        elif self.room == 0:
            self.done = self._generated("length")
        return token

    def ahead(self) -> Callable[[Any], int]:
        """The choices that `grow` would make from here on, without making them."""
        job, written = self.job, [*self._watch.token_ids]

        def choice(logits: Any) -> int:
            written.append(choose(logits, job.sampling, job.prompt, written))
            return written[-1]

        return choice

    def _generated(self, finish: FinishReason) -> Generated:
        text, stop_string = self._watch.finish()
        return Generated(
            text,
            tuple(self._watch.token_ids),
            finish,
            stop_string,
            self._cached_tokens,
            self._logprobs,
            self.refused,
            self.assisted,
            self.forwards,
            tuple(self.rounds),
            self._likeliest,
            tuple(self._arrivals.items()),
        )


def _logprobs(logits: Any, token_ids: Sequence[int]) -> dict[int, float] | None:
    if not token_ids:
        return None
    values = torch.log_softmax(logits.float().cpu().double(), dim=-1)
    return {token: float(values[token]) for token in token_ids}


def _likeliest(logits: Any, most: int) -> tuple[tuple[int, float], ...]:
    """The likeliest tokens with their log-probabilities, the first of equals first."""
    if not most:
        return ()
    values = torch.log_softmax(logits.float().cpu().double(), dim=-1)
    ordered, tokens = torch.sort(values, descending=True, stable=True)
    return tuple(zip(tokens[:most].tolist(), ordered[:most].tolist(), strict=True))
