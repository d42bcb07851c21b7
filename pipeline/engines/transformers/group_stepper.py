"""Requests as branches of one sequence: a group begins together and is written to its end."""

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.decoding.beginnings import common_of
from pipeline.decoding.branches import Branches, deviation
from pipeline.decoding.layout import ISOLATED
from pipeline.decoding.rope2d import two_dimensions
from pipeline.decoding.trials import most_rounded
from pipeline.decoding.windows import Counts, step
from pipeline.engines.branching import Branching
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.loading import check_continues, check_keeps_tokens, check_rows
from pipeline.engines.transformers.requests import Job, Text
from pipeline.engines.transformers.stepper import FULL
from pipeline.errors import EngineFailure, UserMistake


def check_branching(model: Any, name: str, branching: Branching) -> None:
    """Raise `UserMistake` for a model that cannot have such branches."""
    check_continues(model, name)
    check_keeps_tokens(model, name)
    check_rows(model, name, asked="--decoding branches")
    if branching.mode == ISOLATED:
        _check_isolated(model, name, branching)
    if not branching.two_dimensions:
        return
    try:
        with two_dimensions(model, branching.rope_2d_ratio):
            pass
    except ValueError as error:
        raise UserMistake(
            f"{name!r} cannot have columnar branches: {error}; use --no-patch-rope or "
            "--branch-mode isolated"
        ) from error


def _check_isolated(model: Any, name: str, branching: Branching) -> None:
    """Raise `UserMistake` for a model whose branches have other logits than their prompts alone."""
    advice = "drop --branch-stride" if branching.layout.stride else "drop --decoding branches"
    try:
        strayed = deviation(model, branching.layout, branching.branches)
    # What a model's code says to positions that it does not have is up to each.
    except (IndexError, RuntimeError) as error:
        raise UserMistake(f"{name!r} cannot have such branches ({error}); {advice}") from error
    # Also where it is not a number.
    if not strayed <= most_rounded(model.dtype):
        raise UserMistake(
            f"branches of {name!r} would not have the logits that their prompts have alone (they "
            f"differ by {strayed:.1%}); {advice}"
        )


@dataclass(slots=True)
class GroupStepper:
    """A loaded model and its groups of requests, one after another. For one thread.

    Requests of one group are asked together; others are grouped as they come.
    """

    model: Any
    tokenizer: HFTokenizer
    branching: Branching
    counts: Counts = field(default_factory=Counts)
    _forwards: int = 0
    _waiting: deque[Job] = field(default_factory=deque)
    _texts: list[Text] = field(default_factory=list)
    _branches: Branches | None = None
    _patched: ExitStack = field(default_factory=ExitStack)

    @property
    def busy(self) -> bool:
        """Whether there is a request that has no answer."""
        return bool(self._waiting or self._texts)

    def add(self, job: Job) -> None:
        """Take a request; those before it go first."""
        self._waiting.append(job)

    def step(self) -> None:
        """Read the next group's prompts, or let every branch grow."""
        try:
            with torch.inference_mode():
                self._drop_cancelled()
                if self._texts:
                    self._grow()
                elif self._waiting:
                    self._begin(self._next_group())
        except torch.OutOfMemoryError as error:
            self._fail(EngineFailure(FULL.format(error=error)))

    def give_up(self, error: Exception) -> None:
        """Answer everybody with an error."""
        jobs = [*self._waiting]
        self._waiting.clear()
        self._fail(error)
        for job in jobs:
            job.settle(error)

    def _fail(self, error: Exception) -> None:
        failed, self._texts = self._texts, []
        self._end()
        for text in failed:
            text.job.settle(error)

    def _end(self) -> None:
        """The group is written: the model is as before."""
        self._branches = None
        self._patched.close()

    def _next_group(self) -> list[Job]:
        first = self._waiting.popleft()
        group = [first]
        while self._waiting and (
            self._waiting[0].group == first.group
            if first.group is not None
            else self._may_join(self._waiting[0], len(group))
        ):
            group.append(self._waiting.popleft())
        return [job for job in group if not job.answer.cancelled()]

    def _may_join(self, job: Job, size: int) -> bool:
        """Whether a request may be in the group of others by chance, which must change nothing."""
        by_chance = job.group is None and not self.branching.is_lossy
        return by_chance and size < self.branching.branches

    def _begin(self, group: Sequence[Job]) -> None:
        if not group:
            return
        prompts = [job.prompt for job in group]
        shared = common_of(prompts) if self.branching.reads_common_once else []
        rope = None
        if self.branching.two_dimensions:
            rope = self._patched.enter_context(
                two_dimensions(self.model, self.branching.rope_2d_ratio)
            )
        self._branches = Branches(self.model, self.branching.layout, rope)
        try:
            after = self._branches.begin(prompts, shared)
        except torch.OutOfMemoryError as error:
            self._end()
            for job in group:
                job.settle(EngineFailure(FULL.format(error=error)))
            return
        self._forwards += 1
        self._texts = [
            Text(job, self.tokenizer, len(shared) if number else 0, logits, self._forwards)
            for number, (job, logits) in enumerate(zip(group, after, strict=True))
        ]
        self._settle_done()

    def _grow(self) -> None:
        assert self._branches is not None  # noqa: S101 - there are texts
        self._forwards += 1
        for text in self._texts:
            text.read_in(self._forwards)
        step(self._branches, self._texts, [[] for _ in self._texts], self.counts)
        self._settle_done()

    def _settle_done(self) -> None:
        for row in reversed(range(len(self._texts))):
            done = self._texts[row].done
            if done is not None:
                self._texts[row].job.settle(done)
                self._leave(row)

    def _drop_cancelled(self) -> None:
        for row in reversed(range(len(self._texts))):
            if self._texts[row].job.answer.cancelled():
                self._leave(row)

    def _leave(self, row: int) -> None:
        assert self._branches is not None  # noqa: S101 - there is a text
        self._branches.leave(row)
        self._texts[row] = self._texts[-1]
        self._texts.pop()
        if not self._texts:
            self._end()
