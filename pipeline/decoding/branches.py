"""One sequence whose branches a model continues together; `pipeline.decoding.layout` has the rules.

What has been read stays in the sequence until its end, that of branches that have ended too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from pipeline.decoding.layout import ISOLATED, TRUNK, Layout, Token, in_order
from pipeline.decoding.rope2d import Rope2D
from pipeline.decoding.rows import is_plain
from pipeline.decoding.visibility import added_mask, visible

PIECE = 512
"""Tokens of prompts that are read at once, so that masks stay small."""


@dataclass(slots=True)
class Branches:
    """The branches of one sequence, from 0; the last one takes the number of one that leaves.

    They begin together. `rope` has two dimensions
    where the model has been given such a module.
    """

    model: Any
    layout: Layout = field(default_factory=Layout)
    rope: Rope2D | None = None
    _cache: Any = None
    _branches: Any = None
    """The branch of every token in the sequence, and its time."""
    _times: Any = None
    _live: list[int] = field(default_factory=list)
    """The branch of each row, and the time of its next token."""
    _next: list[int] = field(default_factory=list)

    def begin(self, prompts: Sequence[Sequence[int]], trunk: Sequence[int] = ()) -> Any:
        """Read prompts that begin with `trunk`, which is read once; the logits after each.

        Raises:
            ValueError: a prompt does not go on behind the trunk, the layout cannot have so many
                branches, or the model's layers do not keep every token.
        """
        self._check(prompts, trunk)
        device = self.model.device
        self._cache = DynamicCache(config=self.model.config)
        if not is_plain(self._cache):
            raise ValueError("the model's layers do not keep every token, as branches need")
        self._branches = torch.empty(0, dtype=torch.long, device=device)
        self._times = torch.empty(0, dtype=torch.long, device=device)
        for start in range(0, len(trunk), PIECE):
            piece = trunk[start : start + PIECE]
            self._feed([Token(TRUNK, start + at, 0, one) for at, one in enumerate(piece)], [])
        rests = [prompt[len(trunk) :] for prompt in prompts]
        starts = self.layout.starts(list(map(len, rests)), len(trunk))
        self._live = list(range(len(prompts)))
        ends = [start + len(rest) for start, rest in zip(starts, rests, strict=True)]
        self._next = [*ends]
        return self._read(rests, starts, ends)

    def leave(self, row: int) -> None:
        """No more tokens of this branch; what was the last row has its number from then on."""
        for numbers in (self._live, self._next):
            numbers[row] = numbers[-1]
            numbers.pop()

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every row its tokens; the logits after each, (rows, most tokens, vocabulary)."""
        tokens, most = [], max(map(len, fed))
        for row, (branch, time, some) in enumerate(zip(self._live, self._next, fed, strict=True)):
            tokens += [Token(branch, time + at, row, one) for at, one in enumerate(some)]
            self._next[row] = time + len(some)
        ordered = in_order(tokens, interleaved=self.layout.interleaved)
        logits = self._feed(ordered, list(range(len(ordered))))
        places: list[list[int]] = [[] for _ in fed]
        for place, token in enumerate(ordered):
            places[token.row].append(place)
        filled = [mine + mine[-1:] * (most - len(mine)) for mine in places]
        return logits[torch.tensor(filled, device=logits.device)]

    def forget(self, row: int, tokens: int) -> None:
        """Nothing is fed that is not kept; raises `ValueError` where something should go."""
        if tokens:
            raise ValueError(f"row {row} keeps what it was fed: branches have no windows")

    def _check(self, prompts: Sequence[Sequence[int]], trunk: Sequence[int]) -> None:
        self.layout.check(len(prompts))
        for number, prompt in enumerate(prompts):
            if len(prompt) <= len(trunk) or list(prompt[: len(trunk)]) != list(trunk):
                raise ValueError(f"prompt {number} does not go on behind the common beginning")
        if trunk and self.layout.mode == ISOLATED and self.layout.stride:
            raise ValueError("what is read once has one position, so it goes with no stride")

    def _read(
        self, rests: Sequence[Sequence[int]], starts: Sequence[int], ends: Sequence[int]
    ) -> Any:
        """Read what follows the trunk, some columns at a time."""
        first, last = min(starts), max(ends)
        # Branch by branch, what is seen may lie behind: then all is read at once.
        columns = max(1, PIECE // len(rests)) if self.layout.interleaved else last - first
        after: dict[int, Any] = {}
        for time in range(first, last, columns):
            tokens = [
                Token(row, at, row, rest[at - start])
                for row, (rest, start) in enumerate(zip(rests, starts, strict=True))
                for at in range(max(time, start), min(time + columns, ends[row]))
            ]
            ordered = in_order(tokens, interleaved=self.layout.interleaved)
            lasts = [at for at, one in enumerate(ordered) if one.time == ends[one.row] - 1]
            for at, logits in zip(lasts, self._feed(ordered, lasts), strict=True):
                after[ordered[at].row] = logits
        return torch.stack([after[row] for row in range(len(rests))])

    def _feed(self, tokens: Sequence[Token], wanted: Sequence[int]) -> Any:
        """Append tokens to the sequence; the logits after those at the places `wanted`."""
        device, layout = self.model.device, self.layout
        branches = torch.tensor([one.branch for one in tokens], device=device)
        times = torch.tensor([one.time for one in tokens], device=device)
        before = len(self._times)
        self._branches = torch.cat((self._branches, branches))
        self._times = torch.cat((self._times, times))
        # The trunk is a branch before the others.
        offset = layout.stride * (branches + bool((self._branches == TRUNK).any()))
        offset = torch.zeros_like(offset) if layout.stride == 0 else offset
        if self.rope is not None:
            self.rope.place(offset[None], times[None])
        positions = times if self.rope is not None else times + offset
        if layout.flat_index:
            positions = torch.arange(before, before + len(tokens), device=device)
        seen = visible(layout, self._branches, self._times, len(tokens))
        return self.model(
            input_ids=torch.tensor([[one.token_id for one in tokens]], device=device),
            position_ids=positions[None],
            attention_mask=added_mask(seen, self.model.dtype),
            past_key_values=self._cache,
            logits_to_keep=torch.tensor(wanted, dtype=torch.long, device=device),
        ).logits[0]


def deviation(model: Any, layout: Layout, branches: int) -> float:
    """How far logits of isolated branches are from those that prompts have alone.

    As a share of their spread: rounding gives far below 0.001 in float32, a model whose positions
    are not rotary, or change with the length of a text, far more with a stride.
    """
    prompts = [[1 + number % 5, 2, 3 + number % 3][: 2 + number % 2] for number in range(branches)]
    together, worst = Branches(model, layout), 0.0
    with torch.inference_mode():
        together.begin(prompts)
        after = together.forward([[4]] * branches)[:, 0].float()
        for number in {0, branches - 1}:
            whole = torch.tensor([[*prompts[number], 4]], device=model.device)
            alone = model(input_ids=whole).logits[0, -1].float()
            spread = float(alone.max() - alone.min())
            worst = max(worst, float((after[number] - alone).abs().max()) / spread)
    return worst
