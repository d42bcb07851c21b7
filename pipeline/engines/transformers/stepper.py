"""Requests in flight, step by step: some pieces of prompts, then one token for every row."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.decoding.rows import ManyRows, OneRow, Rows
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.prefix_blocks import PrefixBlocks
from pipeline.engines.transformers.reading import Reading
from pipeline.engines.transformers.requests import Job, Text
from pipeline.errors import EngineFailure

PROMPT_TOKENS = 512
"""Read in one step at most, so that a long prompt does not hold up the rows."""
FULL = "the device's memory is full ({error}); lower --max-num-seqs or the lengths of texts"


@dataclass(slots=True)
class Stepper:
    """A loaded model, the blocks it keeps, and at most `most_rows` requests. For one thread."""

    model: Any
    tokenizer: HFTokenizer
    blocks: PrefixBlocks = field(default_factory=PrefixBlocks)
    most_rows: int = 1
    _waiting: deque[Job] = field(default_factory=deque)
    _reading: tuple[Job, Reading] | None = None
    _texts: list[Text] = field(default_factory=list)
    _rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        self._rows = self._no_rows()

    @property
    def busy(self) -> bool:
        """Whether there is a request that has no answer."""
        return bool(self._waiting or self._reading or self._texts)

    def add(self, job: Job) -> None:
        """Take a request; those before it go first."""
        self._waiting.append(job)

    def step(self) -> None:
        """Read some of the prompts that have a place, then let every row grow by one token."""
        with torch.inference_mode():
            self._drop_cancelled()
            self._read_prompts()
            self._grow_rows()

    def give_up(self, error: Exception) -> None:
        """Answer everybody with an error."""
        jobs = [*self._waiting, *(text.job for text in self._texts)]
        jobs += [self._reading[0]] if self._reading else []
        self._waiting.clear()
        self._reading, self._texts, self._rows = None, [], self._no_rows()
        for job in jobs:
            job.settle(error)

    def _no_rows(self) -> Rows:
        return OneRow(self.model) if self.most_rows == 1 else ManyRows(self.model)

    def _drop_cancelled(self) -> None:
        if self._reading and self._reading[0].answer.cancelled():
            self._reading = None
        for row in reversed(range(len(self._texts))):
            if self._texts[row].job.answer.cancelled():
                self._leave(row)

    def _read_prompts(self) -> None:
        for _ in range(max(1, PROMPT_TOKENS // self.blocks.block_tokens)):
            self._begin()
            if self._reading is None:
                return
            self._read_piece(*self._reading)

    def _begin(self) -> None:
        """Start with the next prompt, if none is being read and there is a place for it."""
        while self._reading is None and self._waiting and len(self._texts) < self.most_rows:
            job = self._waiting.popleft()
            if not job.answer.cancelled():
                self._reading = job, Reading.begin(self.model, self.blocks, job.prompt)

    def _read_piece(self, job: Job, reading: Reading) -> None:
        try:
            logits = reading.read_piece()
            if logits is None:
                return
            self._reading = None
            text = Text(job, self.tokenizer, reading.reused, logits)
            done = text.grow(logits)
            if done is not None:
                job.settle(done)
                return
            self._rows.join(reading.cache, len(job.prompt))
            self._texts.append(text)
        except torch.OutOfMemoryError as error:
            self._reading = None
            job.settle(EngineFailure(FULL.format(error=error)))

    def _grow_rows(self) -> None:
        if not self._texts:
            return
        try:
            logits = self._rows.forward([[text.last] for text in self._texts])
        except torch.OutOfMemoryError as error:
            # A forward that broke off has written some layers of every row.
            failed, self._texts, self._rows = self._texts, [], self._no_rows()
            for text in failed:
                text.job.settle(EngineFailure(FULL.format(error=error)))
            return
        # Many are moved at once; of one at temperature 0 only the number of the likeliest is.
        logits = logits[:, 0] if len(self._texts) == 1 else logits[:, 0].cpu()
        for row in reversed(range(len(self._texts))):
            self._rows.commit(row, 1)
            done = self._texts[row].grow(logits[row])
            if done is not None:
                self._texts[row].job.settle(done)
                self._leave(row)

    def _leave(self, row: int) -> None:
        self._rows.leave(row)
        self._texts[row] = self._texts[-1]
        self._texts.pop()
