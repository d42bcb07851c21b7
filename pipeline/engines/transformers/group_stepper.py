"""Requests as branches of one sequence: they come and go, or a group is written to its end."""

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
from pipeline.errors import EngineFailure, UserMistake

FULL_ALONE = (
    "the device's memory is full ({error}) with this prompt alone in it; shorten it, or lower what "
    "its answer may have"
)
FULL_GROUP = (
    "the device's memory is full ({error}) with {held} tokens of a group in it; a branch may come "
    "to {most}, so {fit} fit: lower --branches or --max-new-tokens, or give --max-total-tokens "
    "below {held}"
)


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
class _Asked:
    """A request that has no place in the sequence: a new one, or one that had to leave it."""

    job: Job
    text: Text | None = None

    @property
    def token_ids(self) -> list[int]:
        """What is to be read: the last token that was written is fed with the next forward."""
        return self.job.prompt if self.text is None else self.text.token_ids[:-1]


@dataclass(slots=True)
class GroupStepper:
    """A loaded model and its requests as branches of one sequence. For one thread.

    Isolated requests come as soon as there is a place for them and leave when they end. Columnar
    ones that are of one group are written together, to their end, group after group.
    """

    model: Any
    tokenizer: HFTokenizer
    branching: Branching
    counts: Counts = field(default_factory=Counts)
    _places: int = field(init=False)
    _forwards: int = 0
    _waiting: deque[_Asked] = field(default_factory=deque)
    _entering: list[_Asked] = field(default_factory=list)
    """Those that are being read."""
    _texts: list[Text] = field(default_factory=list)
    _branches: Branches | None = None
    """None where there are no texts, or they have to be read again."""
    _patched: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self._places = self.branching.branches

    @property
    def busy(self) -> bool:
        """Whether there is a request that has no answer."""
        return bool(self._waiting or self._texts)

    @property
    def _going(self) -> list[Job]:
        """Those that are in the sequence, and those that are being read."""
        return [*(text.job for text in self._texts), *(one.job for one in self._entering)]

    def add(self, job: Job) -> None:
        """Take a request; those before it go first."""
        self._waiting.append(_Asked(job))

    def step(self) -> None:
        """Read what has a place, then let every branch grow."""
        try:
            with torch.inference_mode():
                self._drop_cancelled()
                self._enter()
                self._grow()
        except torch.OutOfMemoryError as error:
            if self.branching.is_lossy:
                self._fail_group(error)
            else:
                self._make_room(error)

    def give_up(self, error: Exception) -> None:
        """Answer everybody with an error."""
        jobs = [*self._going, *(one.job for one in self._waiting)]
        self._waiting.clear()
        self._texts, self._entering = [], []
        self._end()
        for job in jobs:
            job.settle(error)

    def _end(self) -> None:
        """Forget the sequence: the model is as before."""
        self._branches = None
        self._patched.close()

    def _enter(self) -> None:
        """Read those that have a place."""
        if self._branches is None and self._texts:
            self._begin([_Asked(text.job, text) for text in self._texts])
        elif not self._texts:
            self._call_group()
            if self._entering:
                self._texts = self._begin(self._entering)
                self._entering = []
        while self._texts and not self.branching.is_lossy and self._has_place():
            self._entering = [self._waiting.popleft()]
            self._texts.append(self._join(self._entering[0]))
            self._entering = []
        self._settle_done()

    def _call_group(self) -> None:
        """Let those enter that begin a sequence."""
        while self._waiting and (
            self._goes_with(self._entering[0].job)
            if self._entering and self.branching.is_lossy
            else self._has_place()
        ):
            self._entering.append(self._waiting.popleft())

    def _has_place(self) -> bool:
        """Whether the next that waits may be a branch too, as `_places` and the bound allow it."""
        going, bound = self._going, self.branching.total_tokens
        if not going or not self._waiting:
            return bool(self._waiting)
        fits = bound is None or sum(one.most for one in going) + self._waiting[0].job.most <= bound
        return fits and len(going) < self._places

    def _goes_with(self, job: Job) -> bool:
        """Whether the next that waits is of the group of a columnar one."""
        return job.group is not None and self._waiting[0].job.group == job.group

    def _begin(self, asked: Sequence[_Asked]) -> list[Text]:
        """A sequence of those that are asked."""
        prompts = [one.token_ids for one in asked]
        shared = common_of(prompts) if self.branching.reads_common_once else []
        rope = None
        if self.branching.two_dimensions:
            rope = self._patched.enter_context(
                two_dimensions(self.model, self.branching.rope_2d_ratio)
            )
        self._branches = Branches(self.model, self.branching.layout, rope)
        after = self._branches.begin(prompts, shared)
        self._forwards += 1
        return [
            self._text(one, logits, len(shared) if number else 0)
            for number, (one, logits) in enumerate(zip(asked, after, strict=True))
        ]

    def _join(self, asked: _Asked) -> Text:
        """One branch more."""
        assert self._branches is not None  # noqa: S101 - there are texts
        logits, shared = self._branches.join(asked.token_ids)
        self._forwards += 1
        return self._text(asked, logits, shared)

    def _text(self, asked: _Asked, logits: Any, shared: int) -> Text:
        """What is written behind what has been read, the first token of which `logits` give."""
        if asked.text is not None:
            return asked.text
        return Text(asked.job, self.tokenizer, shared, logits, self._forwards)

    def _grow(self) -> None:
        if self._branches is None:
            return
        self._forwards += 1
        for text in self._texts:
            text.read_in(self._forwards)
        step(self._branches, self._texts, [[] for _ in self._texts], self.counts)
        self._settle_done()

    def _make_room(self, error: Exception) -> None:
        """Go on with fewer branches, for good: the youngest wait, and what stays is read again.

        What was written stays too, so that nothing is drawn again. Alone in the memory one fails.
        """
        self._end()
        going, entering = self._going, self._entering
        self._entering = []
        if len(going) == 1:
            self._texts = []
            going[0].settle(EngineFailure(FULL_ALONE.format(error=error)))
            return
        joined = entering and self._texts
        self._places = len(self._texts) if joined else len(going) - -(-len(going) // 4)
        self._waiting.extendleft(reversed(entering))
        while len(self._texts) > self._places:
            youngest = min(self._texts, key=lambda text: len(text.token_ids) - len(text.job.prompt))
            self._texts.remove(youngest)
            self._waiting.appendleft(_Asked(youngest.job, youngest))

    def _fail_group(self, error: Exception) -> None:
        """Columns that others have seen cannot be left out: the group has no answer."""
        jobs = self._going
        held = 0 if self._branches is None else self._branches.tokens
        most = max(job.most for job in jobs)
        failure = EngineFailure(
            FULL_GROUP.format(error=error, held=held, most=most, fit=held // most)
        )
        self._texts, self._entering = [], []
        self._end()
        for job in jobs:
            job.settle(failure)

    def _settle_done(self) -> None:
        for row in reversed(range(len(self._texts))):
            done = self._texts[row].done
            if done is not None:
                self._texts[row].job.settle(done)
                self._leave(row)

    def _drop_cancelled(self) -> None:
        self._waiting = deque(one for one in self._waiting if not one.job.answer.cancelled())
        for row in reversed(range(len(self._texts))):
            if self._texts[row].job.answer.cancelled():
                self._leave(row)

    def _leave(self, row: int) -> None:
        self._texts[row] = self._texts[-1]
        self._texts.pop()
        if not self._texts:
            self._end()
        elif self._branches is not None:
            try:
                self._branches.leave(row)
            except torch.OutOfMemoryError:
                # To forget it takes room for a moment; those that stay are read again.
                self._end()
