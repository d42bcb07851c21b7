"""What k attempts at one problem are worth: pass@k and maj@k from n recorded attempts."""

import math
import statistics
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_WORK = 65_536
"""Attempts times k up to which maj@k is worked out: about a second a problem at most."""


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


def votes_are_countable(attempts: int, k: int) -> bool:
    """Whether `maj_at_k` is worked out: for all attempts, and for a part of not too many."""
    return k == attempts or attempts * k <= MAX_WORK


@lru_cache(maxsize=4_096)
def maj_at_k(attempts: int, classes: tuple[AnswerClass, ...], k: int) -> float:
    """The chance that a majority vote of k attempts is right, averaged over all subsets of k.

    Wang et al. 2022 (arXiv 2203.11171) with the grader's classes of equal answers. Attempts outside
    all classes gave no answer and do not vote; tied classes share the credit. Exact: over the most
    votes that a class may get, the subsets are counted class by class, so that the work grows with
    attempts · k² and not with the number of subsets. A way to choose v of a class's attempts counts
    as its chance where each attempt is chosen with the chance k / attempts: no count overflows, and
    given that k are chosen all subsets are as likely.

    Raises:
        TooFewAttempts: there are fewer than k attempts, or k is below 1.
    """
    _check(attempts, k)
    most = max((one.size for one in classes), default=0)
    if k == attempts:  # one subset
        leaders = [one.correct / one.size for one in classes if one.size == most]
        return statistics.fmean(leaders) if leaders else 0.0
    share = sum(_credit_at(attempts, classes, k, votes) for votes in range(1, min(most, k) + 1))
    return min(1.0, share / float(_chances(attempts, attempts, k)[k]))


@lru_cache(maxsize=1_024)
def _chances(size: int, attempts: int, k: int) -> npt.NDArray[np.float64]:
    """The chances to choose 0 to k of `size` attempts, each chosen with the chance k / attempts."""
    chosen = np.arange(k + 1)
    ways = [math.comb(size, count) for count in range(k + 1)]
    logs = np.array([math.log(count) if count else -math.inf for count in ways])
    logs += chosen * math.log(k / attempts) + (size - chosen) * math.log1p(-k / attempts)
    chances: npt.NDArray[np.float64] = np.exp(logs)
    return chances


def _credit_at(attempts: int, classes: tuple[AnswerClass, ...], k: int, most: int) -> float:
    """The chance of k attempts whose leading classes get `most` votes, times their credit.

    Both arrays hold, for [leaders so far, votes so far], the chance to choose them so among
    the classes seen; in `credited` one leader is marked, and it counts as much as that leader is
    worth. Classes too small to lead vote like attempts without an answer: as they like.
    """
    able = [one for one in classes if one.size >= most]
    others = attempts - sum(one.size for one in able)
    ways = np.zeros((k // most + 1, k + 1))
    credited = np.zeros_like(ways)
    ways[0, 0] = 1.0
    for one in able:
        chances = _chances(one.size, attempts, k)
        lead = chances[most]
        led_ways, led_credited = np.zeros_like(ways), np.zeros_like(ways)
        for votes in range(min(most, k + 1)):
            led_ways[:, votes:] += chances[votes] * ways[:, : k + 1 - votes]
            led_credited[:, votes:] += chances[votes] * credited[:, : k + 1 - votes]
        led_ways[1:, most:] += lead * ways[:-1, : k + 1 - most]
        led_credited[1:, most:] += lead * credited[:-1, : k + 1 - most]
        led_credited[1:, most:] += lead * one.correct / one.size * ways[:-1, : k + 1 - most]
        ways, credited = led_ways, led_credited
    rest = _chances(others, attempts, k)[::-1]
    leaders = np.arange(1, len(ways))
    return float((credited[1:] @ rest / leaders).sum())


def _check(attempts: int, k: int) -> None:
    if not 1 <= k <= attempts:
        raise TooFewAttempts(
            f"k is {k}, but there are {attempts} attempts per problem; k must be 1 to {attempts}, "
            "or run more repeats."
        )
