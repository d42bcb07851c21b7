"""How well scores tell right steps from wrong ones: AUROC, reliability, suggested thresholds."""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

MAX_SCORE = 9.0
RELIABLE = 0.95
"""The chance to be right that makes a step safe to keep: a wrong one loses the answer, while a
right one that is rejected costs one rewrite."""
BINS = 10


@dataclass(frozen=True, slots=True)
class ScoredStep:
    """A score from 0 to 9, and whether the step was right."""

    score: float
    right: bool


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

    `reliable_from` is the threshold from which on every kept step is right with the chance
    `RELIABLE`; None when no score promises that.
    """

    right: int
    wrong: int
    auroc: float | None
    expected_calibration_error: float | None
    suggested_threshold: float | None
    reliable_from: float | None
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
    gaps = sum(one.count * abs(one.predicted - one.observed) for one in bins)
    return Calibration(
        right=len(right),
        wrong=len(wrong),
        auroc=auroc(right, wrong) if both else None,
        expected_calibration_error=gaps / len(steps) if steps else None,
        suggested_threshold=_best_threshold(right, wrong) if both else None,
        reliable_from=_reliable_from(steps),
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


def _reliable_from(steps: Sequence[ScoredStep]) -> float | None:
    """Where the chance to be right, as it rises with the score, reaches `RELIABLE`.

    The chance is fitted by isotonic regression, pooling adjacent violators (Barlow et al.,
    Statistical Inference under Order Restrictions, 1972, section 1.2).
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
    reliable = [pool.from_score for pool in pools if pool.share_right >= RELIABLE]
    return _middle_below(reliable[0], [step.score for step in ordered]) if reliable else None


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
