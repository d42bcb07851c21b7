"""Reuse of prompt prefixes that leaves every number as it would be without it.

Prompts are read in blocks of one fixed size from the start. So a block's keys and values come
from the same operations on the same shapes whether they were computed now or kept from another
request, and what is in flight beside a request cannot change its tokens.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

CPU_BLOCK_TOKENS = 64
GPU_BLOCK_TOKENS = 512
"""A GPU reads so many tokens in the time of one: launching a pass costs more than computing it."""
CPU_BYTES = 512 * 2**20
GPU_SHARE = 0.1
"""Of the memory that is free once the weights are loaded."""


class Layer(NamedTuple):
    """One layer's keys and values of one block, each (1, heads, tokens of a block, width)."""

    keys: Any
    values: Any


Block = tuple[Layer, ...]


def bytes_to_keep(device: torch.device) -> int:
    """How many bytes of keys and values may be kept on a device that holds the model already."""
    if device.type != "cuda":
        return CPU_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * GPU_SHARE)


@dataclass(slots=True)
class PrefixBlocks:
    """Blocks by everything that came before them; not thread-safe.

    At the limit of `limit` bytes those go that were used longest ago, of a prompt its last first:
    a block is of no use without all before it.
    """

    limit: int = CPU_BYTES
    block_tokens: int = CPU_BLOCK_TOKENS
    _blocks: OrderedDict[tuple[int, ...], Block] = field(default_factory=OrderedDict)
    _bytes: int = 0

    @classmethod
    def on(cls, device: torch.device) -> "PrefixBlocks":
        """As large and as many as suit a device that holds the model already."""
        size = GPU_BLOCK_TOKENS if device.type == "cuda" else CPU_BLOCK_TOKENS
        return cls(bytes_to_keep(device), size)

    def find(self, token_ids: list[int]) -> list[Block]:
        """The kept blocks that `token_ids` begin with, in order.

        The last token is never among them: its logits are what the caller needs.
        """
        found: list[Block] = []
        for end in range(self.block_tokens, len(token_ids), self.block_tokens):
            block = self._blocks.get(tuple(token_ids[:end]))
            if block is None:
                break
            found.append(block)
        return found

    def keep(self, token_ids: list[int], cache: Any) -> None:
        """Keep the last block of `cache`, which has just been computed for `token_ids`.

        It is not kept where room for it could only be had from a block before it.
        """
        start, name = len(token_ids) - self.block_tokens, tuple(token_ids)
        if name in self._blocks or not self.limit:
            return
        block = tuple(
            Layer(layer.keys[:, :, start:].clone(), layer.values[:, :, start:].clone())
            for layer in cache.layers
        )
        while self._bytes + _size(block) > self.limit:
            oldest = next(iter(self._blocks), name)
            if oldest == name[: len(oldest)]:
                return
            self._bytes -= _size(self._blocks.pop(oldest))
        self._blocks[name] = block
        self._bytes += _size(block)

    def give_back(self) -> bool:
        """Keep nothing of what is kept, and half as much from now on; whether anything was."""
        some = bool(self._blocks)
        self._blocks.clear()
        self._bytes, self.limit = 0, self.limit // 2
        return some

    def used(self, token_ids: list[int]) -> None:
        """Note that the blocks of `token_ids` were used just now."""
        for end in reversed(range(self.block_tokens, len(token_ids), self.block_tokens)):
            name = tuple(token_ids[:end])
            if name in self._blocks:
                self._blocks.move_to_end(name)


def _size(block: Block) -> int:
    return sum(
        part.numel() * part.element_size() for layer in block for part in (layer.keys, layer.values)
    )


def restore(blocks: list[Block], cache: Any) -> None:
    """Put kept blocks into an empty cache."""
    for index, layers in enumerate(zip(*blocks, strict=True)):
        keys = torch.cat([layer.keys for layer in layers], dim=2)
        values = torch.cat([layer.values for layer in layers], dim=2)
        cache.update(keys, values, index)
