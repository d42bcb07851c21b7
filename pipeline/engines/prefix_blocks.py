"""Reuse of prompt prefixes that leaves every number as it would be without it.

Prompts are read in blocks of one fixed size from the start. So a block's keys and values come
from the same operations on the same shapes whether they were computed now or kept from another
request, and what is in flight beside a request cannot change its tokens.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

BLOCK_TOKENS = 64
# Bytes of keys and values that are kept; the blocks that were used longest ago go first.
CACHE_BYTES = 512 * 2**20


class Layer(NamedTuple):
    """One layer's keys and values of one block, each (1, heads, BLOCK_TOKENS, width)."""

    keys: Any
    values: Any


Block = tuple[Layer, ...]


@dataclass(slots=True)
class PrefixBlocks:
    """Blocks by everything that came before them; not thread-safe."""

    limit: int = CACHE_BYTES
    _blocks: OrderedDict[tuple[int, ...], Block] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def find(self, token_ids: list[int]) -> list[Block]:
        """The kept blocks that `token_ids` begin with, in order.

        The last token is never among them: its logits are what the caller needs.
        """
        found: list[Block] = []
        for end in range(BLOCK_TOKENS, len(token_ids), BLOCK_TOKENS):
            block = self._blocks.get(tuple(token_ids[:end]))
            if block is None:
                break
            self._blocks.move_to_end(tuple(token_ids[:end]))
            found.append(block)
        return found

    def keep(self, token_ids: list[int], cache: Any) -> None:
        """Keep the last block of `cache`, which has just been computed for `token_ids`."""
        start = len(token_ids) - BLOCK_TOKENS
        block = tuple(
            Layer(layer.keys[:, :, start:].clone(), layer.values[:, :, start:].clone())
            for layer in cache.layers
        )
        self._blocks[tuple(token_ids)] = block
        self._bytes += _size(block)
        while self._bytes > self.limit:
            _, oldest = self._blocks.popitem(last=False)
            self._bytes -= _size(oldest)


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
