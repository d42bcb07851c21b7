"""Requests in flight, step by step: some pieces of prompts, then a forward for all rows."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.proposer import Proposer
from pipeline.decoding.reading import Reading
from pipeline.decoding.refining import Refining
from pipeline.decoding.rows import ManyRows, OneRow, Rows
from pipeline.decoding.windows import Counts, guesses_for, step
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.requests import Job, Text
from pipeline.errors import EngineFailure

PROMPT_TOKENS = 512
"""Read in one step at most, so that a long prompt does not hold up the rows."""
FULL = "the device's memory is full ({error}); lower --max-num-seqs or the lengths of texts"


@dataclass(slots=True)
class _Coming:
    """A request whose prompt is being read: by the model, and once it has a text by its helper."""

    job: Job
    reading: Reading | None = None
    text: Text | None = None
    joining: Iterator[None] = field(default_factory=lambda: iter(()))


@dataclass(slots=True)
class Stepper:
    """A loaded model, the blocks it keeps, and at most `most_rows` requests. For one thread.

    `helper_blocks` are those that an assistant keeps, where there is one.

    Every forward gives a row one token, unless windows are used or blocks are refined. `new_rows`
    makes the place for the requests before there are any; without it the model's own forward is
    called for them.
    """

    model: Any
    tokenizer: HFTokenizer
    blocks: PrefixBlocks = field(default_factory=PrefixBlocks)
    most_rows: int = 1
    new_rows: Callable[[], Rows] | None = None
    counts: Counts = field(default_factory=Counts)
    helper_blocks: PrefixBlocks = field(default_factory=PrefixBlocks)
    proposer: Proposer | None = field(init=False)
    _waiting: deque[Job] = field(default_factory=deque)
    _coming: _Coming | None = None
    _spared: Job | None = None
    _texts: list[Text] = field(default_factory=list)
    _window: int = 1
    _forwards: int = 0
    _make_proposer: Callable[[], Proposer] | None = None
    _rows: Rows = field(init=False)
    _refining: Refining | None = field(init=False)
    _make_refining: Callable[[], Refining] | None = None

    def __post_init__(self) -> None:
        self._forget_rows()

    def use_windows(self, window: int, make_proposer: Callable[[], Proposer]) -> None:
        """From now on feed rows at most `window` tokens: their last, and guesses of a proposer."""
        self._window, self._make_proposer = window, make_proposer
        self._forget_rows()

    def use_refining(self, make_refining: Callable[[], Refining]) -> None:
        """From now on write texts by blocks that are kept unchecked."""
        self._make_refining = make_refining
        self._forget_rows()

    @property
    def busy(self) -> bool:
        """Whether there is a request that has no answer."""
        return bool(self._waiting or self._coming or self._texts)

    def add(self, job: Job) -> None:
        """Take a request; those before it go first."""
        self._waiting.append(job)

    def step(self) -> None:
        """Read some of the prompts that have a place, then let every row grow."""
        with torch.inference_mode():
            self._drop_cancelled()
            self._read_prompts()
            self._grow_rows()

    def give_up(self, error: Exception) -> None:
        """Answer everybody with an error."""
        jobs = [*self._waiting, *(text.job for text in self._texts)]
        jobs += [self._coming.job] if self._coming else []
        self._waiting.clear()
        self._coming = None
        self._forget_rows()
        for job in jobs:
            job.settle(error)

    def _forget_rows(self) -> None:
        self._texts = []
        if self.new_rows is not None:
            self._rows = self.new_rows()
        else:
            self._rows = OneRow(self.model) if self.most_rows == 1 else ManyRows(self.model)
        self.proposer = self._make_proposer() if self._make_proposer else None
        self._refining = self._make_refining() if self._make_refining else None

    def _drop_cancelled(self) -> None:
        if self._coming and self._coming.job.answer.cancelled():
            self._coming = None
        for row in reversed(range(len(self._texts))):
            if self._texts[row].job.answer.cancelled():
                self._leave(row)

    def _read_prompts(self) -> None:
        for _ in range(max(1, PROMPT_TOKENS // self.blocks.block_tokens)):
            self._begin()
            if self._coming is None:
                return
            try:
                self._read_piece(self._coming)
            except torch.OutOfMemoryError as error:
                if self._coming.text is None:
                    self._read_later(self._coming.job, error)
                else:
                    # What has joined of rows and helper is not known.
                    self._make_room(error)

    def _begin(self) -> None:
        """Start with the next prompt, if none is being read and there is a place for it."""
        while self._coming is None and self._waiting and len(self._texts) < self.most_rows:
            job = self._waiting.popleft()
            if not job.answer.cancelled():
                self._coming = _Coming(job)

    def _read_piece(self, coming: _Coming) -> None:
        job = coming.job
        if coming.text is None:
            if coming.reading is None:
                coming.reading = Reading.begin(self.model, self.blocks, job.prompt)
            logits = coming.reading.read_piece()
            if logits is None:
                return
            self._forwards += 1
            text = coming.text = Text(
                job, self.tokenizer, coming.reading.reused, logits, self._forwards
            )
            if text.done is not None:
                self._coming = None
                job.settle(text.done)
                return
            if self.proposer is not None:
                coming.joining = self.proposer.join(text)
        if next(coming.joining, True) is None:
            return
        assert coming.reading is not None  # noqa: S101 - it has come to a text
        self._rows.join(coming.reading.cache, job.prompt)
        if self._refining is not None:
            self._refining.join(coming.text)
        self._texts.append(coming.text)
        self._coming = None

    def _read_later(self, job: Job, error: Exception) -> None:
        """Read a prompt anew: without kept ones in the memory, or when one of the rows has ended.

        Those that are there stay, and no more are taken from then on. Alone in the memory it fails.
        """
        self._coming = None
        if not self._gave_back(job):
            if not self._texts:
                job.settle(EngineFailure(FULL.format(error=error)))
                return
            self.most_rows = len(self._texts)
        self._waiting.appendleft(job)

    def _gave_back(self, job: Job) -> bool:
        """Give back what is kept for later; whether that is some, and the first time for `job`."""
        again, self._spared = self._spared is job, job
        gave = [one.give_back() for one in (self.blocks, self.helper_blocks, self._rows)]
        return any(gave) and not again

    def _grow_rows(self) -> None:
        if not self._texts:
            return
        self._forwards += 1
        for text in self._texts:
            text.read_in(self._forwards)
        try:
            if self._refining is not None:
                self._refining.step(self._rows, self._texts, self.counts)
            else:
                step(self._rows, self._texts, self._guesses(), self.counts, self.proposer)
        except torch.OutOfMemoryError as error:
            self._make_room(error)
            return
        for row in reversed(range(len(self._texts))):
            done = self._texts[row].done
            if done is not None:
                self._texts[row].job.settle(done)
                self._leave(row)

    def _make_room(self, error: Exception) -> None:
        """Go on with half of the requests and of what is kept of prompts, for good.

        A forward that broke off has written some layers of every row, so all begin again. What was
        asked with a seed has the same tokens then. A request alone has another try where prompts
        were kept, and then fails.
        """
        jobs = [text.job for text in self._texts]
        jobs += [self._coming.job] if self._coming else []
        self._coming = None
        self._forget_rows()
        if not self._gave_back(jobs[0]) and len(jobs) == 1:
            jobs[0].settle(EngineFailure(FULL.format(error=error)))
            return
        self.most_rows = max(1, len(jobs) // 2)
        self._waiting.extendleft(reversed(jobs))

    def _guesses(self) -> list[list[int]]:
        guesses = guesses_for(self._window, len(self._texts), self.blocks.block_tokens)
        most = [min(guesses, text.room - 1) for text in self._texts]
        if self.proposer is None or not any(most):
            return [[] for _ in self._texts]
        return self.proposer.propose(self._texts, most)

    def _leave(self, row: int) -> None:
        self._rows.leave(row)
        if self.proposer is not None:
            self.proposer.leave(row)
        if self._refining is not None:
            self._refining.leave(row)
        self._texts[row] = self._texts[-1]
        self._texts.pop()
