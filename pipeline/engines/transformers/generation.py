"""The transformers engine's sampling loop: one request, token by token, on a worker thread."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pipeline.engines.limits import SEED_RANGE
from pipeline.engines.protocol import FinishReason, SamplingRequest
from pipeline.engines.stopping import StopWatch
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.next_token import choose
from pipeline.engines.transformers.prefix_blocks import PrefixBlocks, restore


class Cancelled(Exception):  # noqa: N818 - an order from outside, not an error
    """The request was cancelled between two tokens."""


class Generated(NamedTuple):
    """What one request came to."""

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    stop_string: str | None
    cached_tokens: int
    logprobs: dict[int, float] | None


class _Prefilled(NamedTuple):
    """A prompt that has been read: the logits after it, its cache, and what was reused of it."""

    logits: Any
    cache: Any
    cached_tokens: int


@dataclass(slots=True)
class Generator:
    """A loaded model and its prefix blocks. Used by one thread only."""

    model: Any
    tokenizer: HFTokenizer
    blocks: PrefixBlocks = field(default_factory=PrefixBlocks)

    def generate(
        self,
        prompt: list[int],
        sampling: SamplingRequest,
        room: int,
        cancelled: threading.Event,
    ) -> Generated:
        """Continue `prompt` by at most `room` tokens; raises `Cancelled`."""
        with torch.inference_mode():
            return self._generate(prompt, sampling, room, cancelled)

    def _generate(
        self,
        prompt: list[int],
        sampling: SamplingRequest,
        room: int,
        cancelled: threading.Event,
    ) -> Generated:
        random = torch.Generator().manual_seed(sampling.seed % SEED_RANGE)
        watch = StopWatch(self.tokenizer, sampling.stop)
        logits, cache, cached_tokens = self._prefill(prompt, cancelled)
        logprobs = _logprobs(logits, sampling.logprobs_of)
        finish: FinishReason = "length"
        while True:
            token = choose(logits, sampling, random)
            if watch.append(token) or token in self.tokenizer.eos_ids:
                finish = "stop"
                break
            if len(watch.token_ids) >= room:
                break
            logits = self._forward([token], cache, cancelled)
        text, stop_string = watch.finish()
        token_ids = tuple(watch.token_ids)
        return Generated(text, token_ids, finish, stop_string, cached_tokens, logprobs)

    def _prefill(self, prompt: list[int], cancelled: threading.Event) -> _Prefilled:
        """Read the prompt block by block, from where kept blocks end."""
        cache = DynamicCache(config=self.model.config)
        # Layers that forget (sliding windows) cannot be cut into blocks and put together again.
        whole = all(type(layer) is DynamicLayer for layer in cache.layers)
        found = self.blocks.find(prompt) if whole else []
        if found:
            restore(found, cache)
        size = self.blocks.block_tokens
        start = reused = len(found) * size
        while start + size < len(prompt):
            end = start + size
            self._forward(prompt[start:end], cache, cancelled)
            if whole:
                self.blocks.keep(prompt[:end], cache)
            start = end
        self.blocks.used(prompt)
        return _Prefilled(self._forward(prompt[start:], cache, cancelled), cache, reused)

    def _forward(self, token_ids: list[int], cache: Any, cancelled: threading.Event) -> Any:
        """The logits after `token_ids`: one row, where and in the type in which they were made."""
        if cancelled.is_set():
            raise Cancelled
        inputs = torch.tensor([token_ids], device=self.model.device)
        output = self.model(input_ids=inputs, past_key_values=cache, logits_to_keep=1)
        return output.logits[0, -1]


def _logprobs(logits: Any, token_ids: Sequence[int]) -> dict[int, float] | None:
    if not token_ids:
        return None
    values = torch.log_softmax(logits.float().cpu().double(), dim=-1)
    return {token: float(values[token]) for token in token_ids}
