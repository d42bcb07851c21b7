"""How prompts become branches of one sequence: what `--decoding branches` is told."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.decoding.layout import COLUMNAR, ISOLATED, LEFT, Layout
from pipeline.errors import UserMistake

STRIDE = 128
"""Between the branches' own coordinates, as ParallelMind has it."""


@dataclass(frozen=True, slots=True)
class Branching:
    """Groups of `branches` prompts, each a sequence; `pipeline.decoding.layout` says what it is.

    With `least` a group has from so many to `branches` prompts, as it is drawn for each. The
    prompts of a group and what their answers may have are at most `total_tokens`.
    With `patch_rope` columnar branches have rotary positions of two dimensions, on a share
    `rope_2d_ratio` of the pairs. A `stride` of None is STRIDE there, else 0.
    """

    branches: int = 4
    mode: str = ISOLATED
    interleaved: bool = True
    stride: int | None = None
    patch_rope: bool = True
    rope_2d_ratio: float = 0.5
    align: str = LEFT
    flat_index: bool = False
    least: int | None = None
    total_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.least is not None and not 1 <= self.least <= self.branches:
            raise UserMistake(
                f"--min-branches is {self.least}; it must be from 1 to --branches, {self.branches}."
            )
        if self.total_tokens is not None and self.total_tokens < 1:
            raise UserMistake(f"--max-total-tokens is {self.total_tokens}; it must be 1 or more.")
        try:
            self.layout.check(self.branches)
        except ValueError as error:
            raise UserMistake(f"Branches cannot lie like this: {error}.") from error

    @property
    def two_dimensions(self) -> bool:
        """Whether the model gets rotary positions of two dimensions."""
        return self.mode == COLUMNAR and self.patch_rope

    @property
    def layout(self) -> Layout:
        """How the sequence is laid out."""
        stride = STRIDE if self.two_dimensions else 0
        return Layout(
            mode=self.mode,
            interleaved=self.interleaved,
            stride=stride if self.stride is None else self.stride,
            align=self.align,
            flat_index=self.flat_index,
        )

    @property
    def reads_common_once(self) -> bool:
        """Whether what prompts have in common is read once: it has one position, and no branch."""
        return self.mode == ISOLATED and not self.stride

    @property
    def is_lossy(self) -> bool:
        """Whether a branch's text depends on the others."""
        return self.mode == COLUMNAR

    @property
    def identity(self) -> dict[str, Any]:
        """What differs from the defaults."""
        usual = asdict(Branching())
        return {name: one for name, one in asdict(self).items() if one != usual[name]}
