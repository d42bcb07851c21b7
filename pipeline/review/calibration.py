"""How well scores tell right steps from wrong ones: AUROC, reliability, suggested thresholds."""

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

MAX_SCORE = 9.0
RELIABLE = 0.95
"""The chance to be right that makes a step safe to keep: a wrong one loses the answer, while a
right one that is rejected costs one rewrite."""
CONFIDENCE = 0.95
"""How sure a reliable threshold is: one-sided, over problems like those of the run."""
BISECTIONS = 50
BINS = 10


@dataclass(frozen=True, slots=True)
class ScoredStep:
    """A score from 0 to 9, whether the step was right, and the problem it belongs to."""

    score: float
    right: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Bin:
    """Steps with scores in one tenth of the scale: how many, their mean score / 9, share right."""

    count: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class _Pool:
    """Steps next to each other in score, and how many of them are right."""

    from_score: float
    right: int
    steps: int

    @property
    def share_right(self) -> float:
        return self.right / self.steps


@dataclass(frozen=True, slots=True)
class Calibration:
    """What scores are worth; `auroc` and `suggested_threshold` are None with one class only.

    `reliable_from` is the threshold from which on a kept step is right with the chance `RELIABLE`,
    `reliable_steps` how many steps of the run it would keep; None when no score promises that.
    """

    right: int
    wrong: int
    auroc: float | None
    expected_calibration_error: float | None
    suggested_threshold: float | None
    reliable_from: float | None
    reliable_steps: int | None
    reliability: tuple[Bin, ...]


def calibration(steps: Sequence[ScoredStep]) -> Calibration:
    """Measure scores against the truth.

    The suggested threshold is the one with the largest sum of right steps kept and wrong steps
    rejected, each as a share of its class (Youden's J); the middle of the best stretch.
    """
    right = sorted(step.score for step in steps if step.right)
    wrong = sorted(step.score for step in steps if not step.right)
    bins = _reliability(steps)
    both = bool(right) and bool(wrong)
    reliable_from, reliable_steps = _reliable_from(steps) or (None, None)
    gaps = sum(one.count * abs(one.predicted - one.observed) for one in bins)
    return Calibration(
        right=len(right),
        wrong=len(wrong),
        auroc=auroc(right, wrong) if both else None,
        expected_calibration_error=gaps / len(steps) if steps else None,
        suggested_threshold=_best_threshold(right, wrong) if both else None,
        reliable_from=reliable_from,
        reliable_steps=reliable_steps,
        reliability=bins,
    )


def auroc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """The chance that a right step has the higher score, ties counting half; both sorted."""
    wins = sum((bisect_left(wrong, one) + bisect_right(wrong, one)) / 2 for one in right)
    return wins / (len(right) * len(wrong))


def _best_threshold(right: Sequence[float], wrong: Sequence[float]) -> float:
    """The middle between the best threshold and the next score below it."""
    scores = sorted({*right, *wrong})

    def gain(threshold: float) -> float:
        kept = 1 - bisect_left(right, threshold) / len(right)
        return kept + bisect_left(wrong, threshold) / len(wrong)

    return _middle_below(max(scores, key=gain), scores)


def _reliable_from(steps: Sequence[ScoredStep]) -> tuple[float, int] | None:
    """From where on a step is right with the chance `RELIABLE`, and how many steps lie there.

    Two things must hold: the chance at the threshold itself, fitted to rise with the score by
    isotonic regression, pooling adjacent violators (Barlow et al., Statistical Inference under
    Order Restrictions, 1972, section 1.2), and the lower bound of the share over all steps kept.
    """
    # Of equal scores the right ones first: then they end in one pool.
    ordered = sorted(steps, key=lambda step: (step.score, not step.right))
    pools: list[_Pool] = []
    for step in ordered:
        pools.append(_Pool(step.score, int(step.right), 1))
        while len(pools) > 1 and pools[-2].share_right >= pools[-1].share_right:
            higher, lower = pools.pop(), pools.pop()
            pools.append(
                _Pool(lower.from_score, lower.right + higher.right, lower.steps + higher.steps)
            )
    scores = [step.score for step in ordered]
    for pool in pools:
        kept = ordered[bisect_left(scores, pool.from_score) :]
        if pool.share_right >= RELIABLE and right_at_least(kept) >= RELIABLE:
            return _middle_below(pool.from_score, scores), len(kept)
    return None


def right_at_least(steps: Sequence[ScoredStep]) -> float:
    """The lower bound, with `CONFIDENCE`, of the share of right steps on other such problems.

    Hoeffding's bound for a mean of n independent 0s and 1s (1963, theorem 1, in its sharpest form:
    n times the relative entropy), with the effective number of steps for n, because the steps of
    one problem rise and fall together: steps / design effect (Kish 1965). The spread between
    problems is taken with one supposed problem more, of the usual size and all wrong; where no step
    is wrong, a problem then counts as one step.
    """
    if not steps:
        return 0.0
    wrong: dict[str, list[bool]] = {}
    for step in steps:
        wrong.setdefault(step.problem, []).append(not step.right)
    total = len(steps)
    supposed = sum(len(flags) ** 2 for flags in wrong.values()) / total
    missed = sum(sum(flags) for flags in wrong.values())
    rate = (missed + supposed) / (total + supposed)
    spread = sum((sum(flags) - rate * len(flags)) ** 2 for flags in wrong.values())
    spread += (supposed * (1 - rate)) ** 2
    independent = (total + supposed) * rate * (1 - rate)
    effective = total / max(1.0, spread / independent) if independent else 1.0
    entropy = -math.log(1 - CONFIDENCE) / effective
    share = 1 - missed / total
    low, high = 0.0, share
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _relative_entropy(share, middle) > entropy else (low, middle)
    return low


def _relative_entropy(share: float, chance: float) -> float:
    """Of a share of right steps to their chance, which is above 0 and at most the share."""
    right = share * math.log(share / chance) if share else 0.0
    return right + ((1 - share) * math.log((1 - share) / (1 - chance)) if share < 1 else 0.0)


def _middle_below(threshold: float, scores: Sequence[float]) -> float:
    """The middle between a threshold and the next score below it, if there is one."""
    below = bisect_left(scores, threshold)
    return (threshold + scores[below - 1]) / 2 if below else threshold


def _reliability(steps: Sequence[ScoredStep]) -> tuple[Bin, ...]:
    groups: list[list[ScoredStep]] = [[] for _ in range(BINS)]
    for step in steps:
        groups[min(int(step.score / MAX_SCORE * BINS), BINS - 1)].append(step)
    return tuple(
        Bin(
            len(group),
            statistics.fmean(step.score for step in group) / MAX_SCORE,
            statistics.fmean(step.right for step in group),
        )
        for group in groups
        if group
    )
