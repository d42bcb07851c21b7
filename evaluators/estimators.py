"""What k attempts at one problem are worth: pass@k and maj@k from n recorded attempts."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_SUBSETS = 5_000
"""Up to this many subsets are voted on one by one; beyond it, this many are drawn."""
DRAW_SEED = 20_150_831
"""Seed of the drawn subsets: the same verdicts give the same number."""


Votes = npt.NDArray[np.int64]
"""Votes for each class of answers, a row for each subset."""


class TooFewAttempts(ValueError):  # noqa: N818 - named for what it is
    """An estimator for k attempts was asked of fewer."""


class AnswerClass(NamedTuple):
    """Attempts at one problem whose answers are the same: how many, and how many count as right."""

    size: int
    correct: int


def pass_at_k(attempts: int, correct: int, k: int) -> float:
    """The chance that one of k attempts is right: 1 - C(n-c, k) / C(n, k), unbiased.

    Chen et al. 2021 (arXiv 2107.03374, section 2.1).

    Raises:
        TooFewAttempts: there are fewer than k attempts, or k is below 1.
    """
    _check(attempts, k)
    return 1 - math.comb(attempts - correct, k) / math.comb(attempts, k)


def maj_at_k(attempts: int, classes: Sequence[AnswerClass], k: int) -> float:
    """The chance that a majority vote of k attempts is right, averaged over subsets of k.

    Wang et al. 2022 (arXiv 2203.11171) with the grader's classes of equal answers. Attempts outside
    all classes gave no answer and do not vote; tied classes share the credit. Over all subsets
    where there are few of them, else over `MAX_SUBSETS` drawn with a fixed seed.

    Raises:
        TooFewAttempts: there are fewer than k attempts, or k is below 1.
    """
    _check(attempts, k)
    if not classes:
        return 0.0
    votes = _votes(attempts, classes, k)
    credit = np.array([one.correct / one.size for one in classes])
    most = votes.max(axis=1, keepdims=True)
    winners = (votes == most) & (most > 0)
    shares = (winners * credit).sum(axis=1) / np.maximum(winners.sum(axis=1), 1)
    return float(shares.mean())


def _votes(attempts: int, classes: Sequence[AnswerClass], k: int) -> Votes:
    """Votes for each class, a row for each subset of k attempts."""
    sizes = [one.size for one in classes]
    if math.comb(attempts, k) > MAX_SUBSETS:
        silent = attempts - sum(sizes)
        drawn = np.random.default_rng(DRAW_SEED).multivariate_hypergeometric(
            [*sizes, silent], k, size=MAX_SUBSETS
        )
        ballots_drawn: Votes = drawn[:, :-1]
        return ballots_drawn
    voter = np.repeat(np.arange(len(sizes)), sizes)
    ballots = np.zeros((attempts, len(sizes)), dtype=np.int64)
    ballots[np.arange(len(voter)), voter] = 1
    chosen = np.array(list(combinations(range(attempts), k)))
    votes: Votes = ballots[chosen].sum(axis=1)
    return votes


def _check(attempts: int, k: int) -> None:
    if not 1 <= k <= attempts:
        raise TooFewAttempts(
            f"k is {k}, but there are {attempts} attempts a problem; k must be 1 to {attempts}, "
            "or run more repeats."
        )
