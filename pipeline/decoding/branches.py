"""One sequence whose branches a model continues together; `pipeline.decoding.layout` has the rules.

Isolated branches come and go: what only one of them had is forgotten when it leaves. Of columnar
ones all that has been read stays in the sequence until its end, since others see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.decoding.beginnings import common
from pipeline.decoding.layout import COLUMNAR, ISOLATED, TRUNK, Layout, Token, in_order
from pipeline.decoding.rope2d import Rope2D
from pipeline.decoding.sequence_cache import sequence_cache
from pipeline.decoding.visibility import added_mask, columns_seen, own_seen

PIECE = 512
"""Tokens of prompts that are read at once, so that masks stay small."""


@dataclass(slots=True)
class _Branch:
    """A branch: its number, what it has been fed, and the time of its next token."""

    number: int
    token_ids: list[int]
    next: int


@dataclass(slots=True)
class Branches:
    """The branches of one sequence, from 0; the last one takes the place of one that leaves.

    Columnar ones begin together. `rope` has two dimensions where the model has been given such a
    module. After an error of the model the sequence is of no more use.
    """

    model: Any
    layout: Layout = field(default_factory=Layout)
    rope: Rope2D | None = None
    _cache: Any = None
    _times: Any = None
    """The time of every token in the sequence."""
    _own: Any = None
    """Which of them are in the text of each isolated branch: (branches, tokens)."""
    _live: list[_Branch] = field(default_factory=list)
    _has_trunk: bool = False

    @property
    def tokens(self) -> int:
        """How many the sequence holds."""
        return 0 if self._times is None else len(self._times)

    def begin(self, prompts: Sequence[Sequence[int]], trunk: Sequence[int] = ()) -> Any:
        """Read prompts that begin with `trunk`, which is read once; the logits after each.

        Raises:
            ValueError: a prompt does not go on behind the trunk, the layout cannot have so many
                branches, or the model's layers do not keep every token.
        """
        self._check(prompts, trunk)
        device = self.model.device
        self._cache = sequence_cache(self.model)
        self._times = torch.empty(0, dtype=torch.long, device=device)
        self._own = torch.empty((len(prompts), 0), dtype=torch.bool, device=device)
        self._has_trunk = bool(trunk)
        rests = [prompt[len(trunk) :] for prompt in prompts]
        starts = self.layout.starts(list(map(len, rests)), len(trunk))
        ends = [start + len(rest) for start, rest in zip(starts, rests, strict=True)]
        self._live = [
            _Branch(number, [*prompt], end)
            for number, (prompt, end) in enumerate(zip(prompts, ends, strict=True))
        ]
        for start in range(0, len(trunk), PIECE):
            piece = trunk[start : start + PIECE]
            self._feed([Token(TRUNK, start + at, 0, one) for at, one in enumerate(piece)], [])
        return self._read(rests, starts, ends)

    def join(self, prompt: Sequence[int]) -> tuple[Any, int]:
        """Read an isolated prompt beside those that are there; the logits after it.

        Also how many of its first tokens were not read, as another branch begins with them.

        Raises:
            ValueError: branches are columnar, or the layout cannot have one more.
        """
        if self.layout.mode == COLUMNAR:
            raise ValueError("columnar branches see each other, so they begin together")
        numbers = {one.number for one in self._live}
        number = min(set(range(len(numbers) + 1)) - numbers)
        self.layout.check(number + 1)
        alike = [common(one.token_ids, prompt) for one in self._live]
        # With a stride each branch has positions of its own.
        shared = 0 if self.layout.stride else min(max(alike, default=0), len(prompt) - 1)
        own = self._own.new_zeros((1, self.tokens))
        if shared:
            own = self._own[alike.index(max(alike))][None] & (self._times < shared)
        # Read apart, it is not compared with what it does not see.
        text = Branches(self.model, self.layout)
        text._begin_apart(self._cache, self._times, own[0], number)
        for start in range(shared, len(prompt), PIECE):
            piece = prompt[start : start + PIECE]
            tokens = [Token(number, start + at, 0, one) for at, one in enumerate(piece)]
            logits = text._feed(tokens, [len(piece) - 1])
        new = len(prompt) - shared
        for layer, read in zip(self._cache.layers, text._cache.layers, strict=True):
            layer.update(read.keys[:, :, shared:], read.values[:, :, shared:])
        self._times = torch.cat((self._times, text._times[shared:]))
        self._own = torch.nn.functional.pad(torch.cat((self._own, own)), (0, new))
        self._own[-1, -new:] = True
        self._live.append(_Branch(number, [*prompt], len(prompt)))
        return logits[0], shared

    def leave(self, row: int) -> None:
        """No more tokens of this branch; what was the last one has its place from then on."""
        self._live[row] = self._live[-1]
        self._live.pop()
        if self.layout.mode == ISOLATED:
            order = [*range(row), len(self._live), *range(row + 1, len(self._live))]
            self._own = self._own[order[: len(self._live)]]
            self._forget_unseen()

    def forward(self, fed: Sequence[Sequence[int]]) -> Any:
        """Feed every branch its tokens; the logits after each, (rows, most tokens, vocabulary)."""
        tokens, most = [], max(map(len, fed))
        for row, (branch, some) in enumerate(zip(self._live, fed, strict=True)):
            tokens += [
                Token(branch.number, branch.next + at, row, one) for at, one in enumerate(some)
            ]
            branch.next += len(some)
            branch.token_ids += some
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

    def _begin_apart(self, cache: Any, times: Any, own: Any, number: int) -> None:
        """A sequence of one branch, with the tokens of another sequence that are its own."""
        places = own.nonzero()[:, 0]
        self._cache = sequence_cache(self.model)
        if len(places):
            for layer, other in zip(self._cache.layers, cache.layers, strict=True):
                layer.update(
                    other.keys.index_select(2, places), other.values.index_select(2, places)
                )
        self._times = times[places]
        self._own = torch.ones((1, len(places)), dtype=torch.bool, device=times.device)
        self._live = [_Branch(number, [], 0)]

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
        self._times = torch.cat((self._times, times))
        # The trunk is a branch before the others.
        offset = layout.stride * (branches + self._has_trunk)
        if self.rope is not None:
            self.rope.place(offset[None], times[None])
        positions = times if self.rope is not None else times + offset
        if layout.flat_index:
            positions = torch.arange(before, before + len(tokens), device=device)
        if layout.mode == COLUMNAR:
            seen = columns_seen(self._times, len(tokens))
        else:
            rows = torch.tensor([one.row for one in tokens], device=device)
            every = torch.arange(len(self._live), device=device)[:, None]
            self._own = torch.cat((self._own, (rows == every) | (branches == TRUNK)), dim=1)
            seen = own_seen(self._own[rows], self._times)
        return self.model(
            input_ids=torch.tensor([[one.token_id for one in tokens]], device=device),
            position_ids=positions[None],
            attention_mask=added_mask(seen, self.model.dtype),
            past_key_values=self._cache,
            logits_to_keep=torch.tensor(wanted, dtype=torch.long, device=device),
        ).logits[0]

    def _forget_unseen(self) -> None:
        """Keep of the sequence what some branch has in its text."""
        kept = self._own.any(0).nonzero()[:, 0]
        if len(kept) == self.tokens:
            return
        self._times, self._own = self._times[kept], self._own[:, kept]
        for layer in self._cache.layers:
            layer.keep(kept)


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
