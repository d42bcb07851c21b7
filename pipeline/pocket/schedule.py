# ruff: noqa: PLR2004 - the stages of a schedule read best in one place
"""The training schedule by share of the steps: learning rate, problem range, kinds of question."""

from pipeline.pocket.problems import Difficulty

RATE = 3e-3
WARM_UP_STEPS = 100
DECAY_FROM, DECAY_TO = 0.6, 0.03
# The hardest skill, to look a value up by its name, is met far more often than in the test.
BACK_REFERENCES = 0.50
LONG = Difficulty(shortest=10, longest=14, back_references=0.20, chains_only=True)


def difficulty_at(progress: float) -> Difficulty:
    """Give the range of ordinary problems at a share of the training."""
    if progress < 0.06:
        return Difficulty(2, 4, back_references=BACK_REFERENCES, two_digit_operands=0.0)
    if progress < 0.15:
        return Difficulty(2, 6, back_references=BACK_REFERENCES)
    return Difficulty(2, 8, back_references=BACK_REFERENCES)


def score_share_at(progress: float) -> float:
    """Give the share of steps that carry a score question: few before solving is learned."""
    return 0.15 if progress < 0.08 else 0.4 if progress < 0.2 else 0.6


def method_share_at(progress: float) -> float:
    """Give the share of method questions: most at the end, when the rest is learned."""
    return 0.08 if progress < 0.85 else 0.25


def rate_at(step: int, progress: float) -> float:
    """Give the learning rate."""
    decay = 1 - (1 - DECAY_TO) * max(0.0, progress - DECAY_FROM) / (1 - DECAY_FROM)
    return RATE * min(1.0, (step + 1) / WARM_UP_STEPS) * max(DECAY_TO, decay)
