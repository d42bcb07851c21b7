"""Several texts as branches of one sequence: their order in it, their times, who sees whom.

A token has a branch and a time, its place in the text. Tokens of the trunk, a beginning that all
branches have in common, come first. Isolated branches see the trunk and themselves. Columnar ones
see whatever has an earlier time, whosoever it is, and themselves: ParallelMind's columns, whose
models have learned to keep branches apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ISOLATED, COLUMNAR = "isolated", "columnar"
LEFT, RIGHT = "left", "right"
TRUNK = -1
"""The number of the trunk, where branches count from 0."""
MOST_OFFSET = 4096
"""Angles of so large positions are off by their last digits: 4096 moves logits by 0.0002, a million
by 0.09 in float32."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How texts lie in one sequence, and what they see of each other.

    Interleaved, the tokens of one time stand together, else those of one branch, as far as they are
    fed at once. `stride` times the number of a branch is added to the positions of its tokens, or,
    where a rotary module has two dimensions, is the branch's own coordinate. `align` says whether
    columnar prompts of different lengths begin or end in the same column; each is continued from
    its own end. With `flat_index` the position of a columnar token is its place in the sequence, as
    in the original, instead of its time.
    """

    mode: str = ISOLATED
    interleaved: bool = True
    stride: int = 0
    align: str = LEFT
    flat_index: bool = False

    def check(self, branches: int) -> None:
        """Raise `ValueError` for what would write wrong texts with so many branches."""
        if self.mode not in {ISOLATED, COLUMNAR} or self.align not in {LEFT, RIGHT}:
            raise ValueError(f"there is no mode {self.mode!r} aligned {self.align!r}")
        if self.stride < 0:
            raise ValueError(f"the stride is {self.stride}; it must be 0 or more")
        if self.mode == ISOLATED and (self.align != LEFT or self.flat_index):
            raise ValueError("isolated branches have positions of their own: nothing to align")
        if self.stride * (branches - 1) > MOST_OFFSET:
            raise ValueError(
                f"a stride of {self.stride} puts the last of {branches} branches at "
                f"{self.stride * (branches - 1)}, where rotary angles lose digits; at most "
                f"{MOST_OFFSET} is good"
            )

    def starts(self, lengths: Sequence[int], trunk: int) -> list[int]:
        """The times of the first tokens of texts that are so long behind the trunk."""
        ends = max(lengths) if self.align == RIGHT else 0
        return [trunk + max(0, ends - length) for length in lengths]


class Token(NamedTuple):
    """A token that is fed: `row` is the place of its branch among those that are fed."""

    branch: int
    time: int
    row: int
    token_id: int


def in_order(tokens: Sequence[Token], *, interleaved: bool) -> list[Token]:
    """As they stand in the sequence."""
    if interleaved:
        return sorted(tokens, key=lambda token: (token.time, token.branch))
    return sorted(tokens, key=lambda token: (token.branch, token.time))
