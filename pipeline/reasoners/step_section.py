"""The settings of judged steps as options, and what they ask of a run."""

from dataclasses import dataclass
from typing import get_args

from pipeline.engines.protocol import Ability, Tokenizer
from pipeline.experiment import Experiment
from pipeline.reasoners.entry import Option, Section, refuse_presence_penalty
from pipeline.reasoners.settings import MAX_SCORE, ScoreMethod, StepSettings, ThinkClose
from pipeline.reasoners.step_score import digit_ids

SPECULATIVE_MODELS = {
    "target": frozenset({Ability.TOKEN_PROMPTS, Ability.DIGIT_LOGPROBS}),
    "draft": frozenset({Ability.TOKEN_PROMPTS, Ability.STOP_STRING}),
}
"""What the engines of a target that scores and of a draft that writes steps must be able to do."""

STEP_OPTIONS = (
    Option("score_threshold", "A step with this score is kept.", float, least=0, most=MAX_SCORE),
    Option(
        "score_method", "The likeliest digit, or the expected one.", choices=get_args(ScoreMethod)
    ),
    Option("first_n_steps_base_model", "First steps the target writes alone.", int),
    Option(
        "think_close",
        "A </think> begins the answer, or is removed as by the SSR scripts.",
        choices=get_args(ThinkClose),
    ),
)
AHEAD_OPTIONS = (
    Option("lookahead", "Steps drafted ahead of their score.", int),
    Option(
        "rewrite_ahead",
        "The target begins to rewrite a step while it scores it: faster, for more tokens.",
        bool,
    ),
)


@dataclass(frozen=True, slots=True)
class StepSection(Section[StepSettings]):
    """Judged steps."""

    options: tuple[Option, ...] = STEP_OPTIONS
    drops: bool = True

    def check_experiment(self, settings: StepSettings, experiment: Experiment) -> None:  # noqa: ARG002
        """Refuse penalties that forget the steps before."""
        refuse_presence_penalty(experiment)

    def check_target(self, settings: StepSettings, tokenizer: Tokenizer) -> None:  # noqa: ARG002
        """Refuse a target that cannot score by digits."""
        digit_ids(tokenizer)

    def on_top(self, settings: StepSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Drafts that are dropped, and what the target says of drafts."""
        return "dropped drafts and rewrites", "a token for each score"
