"""Settings of the reasoners that have tracks, judge steps or limit thinking; sections of an
`Experiment`.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Literal

from pipeline.errors import UserMistake
from pipeline.experiment import FIELD_WHERE_SET

TrackPrompts = Literal["same", "roles", "methods"]
SelectedBy = Literal["model", "random", "same"]
Fast = Literal["1", "2", "exact"]
ScoreMethod = Literal["greedy", "average"]
ThinkClose = Literal["answer", "removed"]

METHOD_POOLS = (6, 9, 12, 15)
MAX_SCORE = 9
MAX_TRACKS = 64
"""More tracks than this in one attempt are a slip of the hand."""


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How many tracks an attempt has, what tells them apart, and how they vote.

    `selection` (who chooses the methods) and `method_pool` (how many there are to choose from,
    the unknown one not counted) matter for the prompts `methods` only. `vote` names a rule of
    `pipeline.reasoners.vote_rules`. `fast` ends the attempt
    early: `1` at the first answer, `2` when two tracks agree, `exact` when the vote cannot change.
    """

    SECTION: ClassVar[str] = "tracks"

    tracks: int = 1
    prompts: TrackPrompts = "same"
    selection: SelectedBy = "model"
    method_pool: int = 12
    vote: str = "majority"
    fast: Fast | None = None

    def __post_init__(self) -> None:
        """Refuse values that no run can have."""
        if not 1 <= self.tracks <= MAX_TRACKS:
            raise UserMistake(f"--tracks is {self.tracks}; it must be 1 to {MAX_TRACKS}.")
        if self.method_pool not in METHOD_POOLS:
            allowed = ", ".join(map(str, METHOD_POOLS))
            raise UserMistake(f"--method-pool is {self.method_pool}; it must be one of {allowed}.")


@dataclass(frozen=True, slots=True)
class StepSettings:
    """How drafted steps are judged.

    A step is kept when its score (0 to 9) is at least `score_threshold`. The first
    `first_n_steps_base_model` steps are the target's own, unscored. `think_close` says what a
    `</think>` does: `answer` lets its author write on to the end of the text, `removed` takes the
    tag out and goes on thinking. `lookahead` is how many steps are drafted beyond the one whose
    score is awaited; with `rewrite_ahead` the target begins its own step then too.
    """

    SECTION: ClassVar[str] = "steps"

    score_threshold: float = 7.0
    score_method: ScoreMethod = "greedy"
    first_n_steps_base_model: int = 0
    think_close: ThinkClose = "answer"
    lookahead: int = 0
    rewrite_ahead: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no run can have."""
        if not 0 <= self.score_threshold <= MAX_SCORE:
            raise UserMistake(f"--score-threshold is {self.score_threshold}; it must be 0 to 9.")
        if self.first_n_steps_base_model < 0:
            raise UserMistake(
                f"--first-n-steps-base-model is {self.first_n_steps_base_model}; "
                "it must be 0 or more."
            )
        if self.lookahead < 0:
            raise UserMistake(f"--lookahead is {self.lookahead}; it must be 0 or more.")


@dataclass(frozen=True, slots=True)
class ThinkingLimit:
    """After how many tokens of thinking the model must answer; None: whenever it wants to.

    A model that stops thinking earlier is sent back at most `waits` times. `early` are smaller
    budgets, rising, at which its answers are recorded too.
    """

    SECTION: ClassVar[str] = "think_budget"
    WHERE_SET: ClassVar[bool] = True

    tokens: int | None = None
    waits: int = 0
    early: tuple[int, ...] = field(default=(), metadata=FIELD_WHERE_SET)

    def __post_init__(self) -> None:
        """Refuse values that no run can have."""
        if self.tokens is None:
            if self.waits or self.early:
                name = "--wait has" if self.waits else "Answers at smaller budgets have"
                raise UserMistake(f"{name} an effect with --thinking-budget only.")
            return
        budgets = (0, *self.early, self.tokens)
        if any(one >= other for one, other in pairwise(budgets)):
            given = ",".join(map(str, budgets[1:]))
            raise UserMistake(
                f"--thinking-budget is {given}; it must be at least 1, and of several each must "
                "be larger than the one before it."
            )
