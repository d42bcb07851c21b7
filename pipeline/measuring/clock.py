"""When each token of a `generate()` was committed, and how many forwards that took.

Two hooks see all ways of generating alike: a stopping criterion, which `generate` asks after every
commit of the target (of sampling, a beam step, a verified window; never of an assistant), and the
preparation of every forward. Before transformers 5.18 it is asked of guesses too, before the target
reads them; so what follows no forward of the target is no commit.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import StoppingCriteria

from pipeline.engines.protocol import Computed
from pipeline.measuring.forwards import Forward, layer_count, watched, whole_again


@dataclass(frozen=True, slots=True)
class CallTimes:
    """What one call gave and took. Seconds count from its start; None is not known.

    `tokens` are each sequence's new tokens up to and with its end, padding left out; `token_times`
    when each of them was committed (those of one verified window together). `latencies` are when
    each sequence was complete: at its last token, but in a beam search, which chooses its
    sequences last, at the end of the call. `assistant_forwards` are those of the assistant, or of
    the target's own first layers where they draft. `computed` counts the tokens that went through a
    model, padding and refused guesses too. `proposed` guesses were put before the target and
    `accepted` of them committed; a window that the end of a text cuts counts what is kept. `work`
    is `computed` with the prompts apart, and the positions that were attended to.
    """

    seconds: float
    tokens: tuple[int, ...]
    token_times: tuple[tuple[float, ...], ...] | None
    latencies: tuple[float, ...] | None
    target_forwards: int | None
    assistant_forwards: int | None
    target_computed: int | None
    assistant_computed: int | None
    proposed: int | None
    accepted: int | None
    target_work: Computed | None = None
    assistant_work: Computed | None = None

    @property
    def guessed(self) -> bool:
        """Whether it is seen that guesses were made."""
        return bool(self.proposed or self.assistant_computed)


@dataclass
class _Count:
    forwards: int = 0
    computed: int = 0
    prompt: int = 0
    attended: int = 0
    attended_prompt: int = 0

    def add(self, forward: Forward, width: int) -> None:
        """Count a forward; the first guesses may be read together with the end of the prompts."""
        self.forwards += 1
        self.computed += forward.computed
        self.attended += forward.attended
        reading = forward.until(width)
        self.prompt += reading.computed
        self.attended_prompt += reading.attended

    @property
    def work(self) -> Computed:
        return Computed(
            prompt=self.prompt,
            attended_prompt=self.attended_prompt,
            tokens=self.computed - self.prompt,
            attended=self.attended - self.attended_prompt,
        )


@dataclass
class Clock:
    """Times one call of `generate()`: `with clock.running(width): model.generate(…)`, then `read`.

    Give `[clock.criterion]` as its `stopping_criteria`. `width` is the (padded) length of the
    prompts. On a device that works ahead of Python, the clock waits for it at the start, at every
    commit and at the end.
    """

    model: Any
    assistant: Any = None
    now: Callable[[], float] = time.perf_counter
    _commits: list[tuple[float, int]] = field(default_factory=list)
    _seconds: float = 0.0
    _start: float = 0.0
    _width: int = 0
    _length: int = 0
    _guesses: int = 0
    _read: bool = False
    _target: _Count = field(default_factory=_Count)
    _assisting: _Count = field(default_factory=_Count)
    _proposed: int = 0
    _accepted: int = 0

    @property
    def criterion(self) -> StoppingCriteria:
        """Never stops; `generate` asks it after every commit."""
        return _Commits(self)

    @contextmanager
    def running(self, width: int) -> Iterator[None]:
        """Watch the call inside; what an earlier one left is forgotten."""
        self._commits.clear()
        self._width = self._length = width
        self._guesses = self._proposed = self._accepted = 0
        self._read = False
        self._target, self._assisting = _Count(), _Count()
        full = layer_count(self.model)
        with ExitStack() as watching:
            watching.enter_context(whole_again(self.model))
            watching.enter_context(watched(self.model, lambda one: self._target_forward(one, full)))
            if self.assistant is not None:
                watching.enter_context(watched(self.assistant, self._assisted))
            self._start = self._synchronised()
            yield
            self._seconds = self._synchronised() - self._start

    def read(self, tokens: Sequence[int], *, search: bool = False) -> CallTimes:
        """The times of the call; `tokens` are the new tokens of each of its sequences.

        `search` says that it was a beam search.
        """
        times = tuple(tuple(self._times(count)) for count in tokens)
        ends = (self._seconds if search or not one else one[-1] for one in times)
        return CallTimes(
            seconds=self._seconds,
            tokens=tuple(tokens),
            token_times=times,
            latencies=tuple(ends),
            target_forwards=self._target.forwards,
            assistant_forwards=self._assisting.forwards,
            target_computed=self._target.computed,
            assistant_computed=self._assisting.computed,
            proposed=self._proposed,
            accepted=self._accepted,
            target_work=self._target.work,
            assistant_work=self._assisting.work,
        )

    def committed(self, length: int) -> None:
        """The sequences are `length` tokens long now, prompts included, if the target has read."""
        if not self._read:
            return
        self._read = False
        self._commits.append((self._synchronised() - self._start, length - self._width))
        # The last token of a window is the target's own, behind the last guess that it accepts.
        self._accepted += min(self._guesses, max(length - self._length - 1, 0))
        self._length, self._guesses = length, 0

    def _target_forward(self, forward: Forward, full: int | None) -> None:
        if forward.layers != full:
            self._assisted(forward)
            return
        self._read = True
        self._target.add(forward, self._width)
        # A prompt that is read in pieces is shorter than what is committed.
        self._guesses = max(forward.length - self._length, 0)
        self._proposed += self._guesses

    def _assisted(self, forward: Forward) -> None:
        self._assisting.add(forward, self._width)

    def _times(self, count: int) -> Iterator[float]:
        commits = iter(self._commits)
        seconds, length = 0.0, 0
        for token in range(count):
            while length <= token:
                seconds, length = next(commits, (self._seconds, count))
            yield seconds

    def _synchronised(self) -> float:
        if self.model.device.type != "cpu":
            torch.accelerator.synchronize(self.model.device)
        return self.now()


class _Commits(StoppingCriteria):  # type: ignore[misc]
    """Tells the clock how long the sequences are."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __call__(self, input_ids: Any, _scores: Any, **_named: Any) -> Any:
        self.clock.committed(input_ids.shape[1])
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
