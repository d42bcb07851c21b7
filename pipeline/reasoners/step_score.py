"""The target's 0-9 judgement of the last step: one call, one token, the digits' distribution."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.engines.protocol import Tokenizer
from pipeline.errors import UserMistake
from pipeline.reasoners.settings import ScoreMethod

DIGITS = "0123456789"
MIN_DIGIT_MASS = 0.5
"""Below this share of the next token's probability on digits the target was about to write
something else, and its digits say nothing: the step is rejected and flagged."""
DECIMALS = 6
"""Recorded probabilities are rounded first and judged then: a replay decides as the run did."""
WHOLE = 10**15
"""Probabilities are added in this part of one: as fine as floating point is."""


@dataclass(frozen=True, slots=True)
class Score:
    """A judged step: `digits` are raw probabilities of '0' to '9', `value` is 0 to 9."""

    digits: tuple[float, ...]
    value: float
    seconds: float


def digit_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids of '0' to '9'.

    Raises:
        UserMistake: a digit is more than one token, or two are the same.
    """
    encoded = [tokenizer.encode(digit) for digit in DIGITS]
    split = [digit for digit, ids in zip(DIGITS, encoded, strict=True) if len(ids) != 1]
    ids = tuple(one[0] for one in encoded if len(one) == 1)
    if split or len(set(ids)) != len(DIGITS):
        raise UserMistake(
            f"The target's tokenizer does not have a token for each digit (got more or less than "
            f"one for: {', '.join(split) or 'some'}), so steps cannot be scored; "
            "use another target, or the reasoners baseline and parallel."
        )
    return ids


def score_of(
    logprobs: Mapping[int, float], ids: tuple[int, ...], method: ScoreMethod, seconds: float
) -> Score:
    """The score that log-probabilities of the digits' `ids` stand for; NaN and none are zero."""
    known = (logprobs.get(token, -math.inf) for token in ids)
    digits = tuple(round(probability(one), DECIMALS) for one in known)
    return Score(digits, value_of(digits, method), seconds)


def value_of(digits: tuple[float, ...], method: ScoreMethod) -> float:
    """`greedy`: the most likely digit, the smaller of two; `average`: the expected digit, 0-9."""
    # As whole numbers, which recorded decimals are: an expected digit of exactly 7 is 7, no less.
    shares = [round(share * WHOLE) for share in digits]
    if not any(shares):
        return 0.0
    if method == "greedy":
        return float(digits.index(max(digits)))
    return sum(digit * share for digit, share in enumerate(shares)) / sum(shares)


def is_parsed(digits: tuple[float, ...]) -> bool:
    """Whether the target was about to write a digit at all."""
    return math.fsum(digits) >= MIN_DIGIT_MASS


def is_kept(digits: tuple[float, ...], method: ScoreMethod, threshold: float) -> bool:
    """The decision on a step by its digits: at the threshold is enough, where they are a score."""
    return is_parsed(digits) and value_of(digits, method) >= threshold


def probability(logprob: float) -> float:
    """The probability of a token; what is no number counts nothing."""
    return 0.0 if math.isnan(logprob) else math.exp(min(logprob, 0.0))
