"""Reading a prompt piece by piece, from where kept blocks end."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from pipeline.decoding.prefix_blocks import PrefixBlocks, restore
from pipeline.decoding.rows import is_plain


def can_be_a_row(model: Any) -> bool:
    """Whether the model's prompts can be rows beside others."""
    return is_plain(DynamicCache(config=model.config))


@dataclass(slots=True)
class Reading:
    """A prompt that is being read: alone, so that its numbers are those of any other time."""

    model: Any
    blocks: PrefixBlocks
    prompt: list[int]
    cache: Any
    reused: int
    _start: int

    @classmethod
    def begin(cls, model: Any, blocks: PrefixBlocks, prompt: list[int]) -> "Reading":
        """Nothing is computed yet; blocks that were kept are taken over."""
        cache = DynamicCache(config=model.config)
        # Layers that forget (sliding windows) cannot be cut into blocks and put together again.
        found = blocks.find(prompt) if is_plain(cache) else []
        if found:
            restore(found, cache)
        reused = len(found) * blocks.block_tokens
        return cls(model, blocks, prompt, cache, reused, reused)

    def read_piece(self) -> Any:
        """Read one block more; the logits after the prompt once it has been read, else None."""
        end = self._start + self.blocks.block_tokens
        if end >= len(self.prompt):
            self.blocks.used(self.prompt)
            return self._forward(self.prompt[self._start :])
        self._forward(self.prompt[self._start : end])
        if is_plain(self.cache):
            self.blocks.keep(self.prompt[:end], self.cache)
        self._start = end
        return None

    def _forward(self, token_ids: list[int]) -> Any:
        """The logits after `token_ids`: one row, where and in the type in which they were made."""
        inputs = torch.tensor([token_ids], device=self.model.device)
        output = self.model(input_ids=inputs, past_key_values=self.cache, logits_to_keep=1)
        return output.logits[0, -1]
