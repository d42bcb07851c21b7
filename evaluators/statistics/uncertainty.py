"""How far a measured accuracy can be trusted: standard errors and intervals, each for its question.

Two questions, two answers. Over the population of problems: how would other problems of this kind
come out (the spread of per-problem means, which already holds the noise of sampling)? Over new
samples of the same problems: how would this very set come out if it were sampled again?
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

LEVEL = 0.95
"""The share of intervals that hold the true value."""
BISECTIONS = 60
"""Halvings of the bracket of a t quantile: more than a double can tell apart."""
LARGE_FREEDOM = 1_000
"""Degrees of freedom from which Student's t is expanded around the normal."""


class Interval(NamedTuple):
    """A range of plausible values."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The two standard errors of an accuracy and their intervals, as shares of 1.

    None where they cannot be known: the population's for one problem, the samples' for one repeat.
    """

    population_error: float | None
    population: Interval | None
    samples_error: float | None
    samples: Interval | None


def uncertainty(correct: Sequence[int], repeats: int) -> Uncertainty:
    """Standard errors and intervals of the mean of `correct / repeats`.

    `correct` are the right attempts of each problem, out of `repeats` each.
    """
    means = [count / repeats for count in correct]
    population = population_error(means)
    samples = samples_error(correct, repeats)
    return Uncertainty(
        population,
        None if population is None else population_interval(means, repeats),
        samples,
        None if samples is None else samples_interval(correct, repeats),
    )


def population_error(means: Sequence[float]) -> float | None:
    """Standard error of the mean over the population of problems: sd / sqrt(n).

    Miller 2024 (arXiv 2411.00640). `means` are per-problem means, so that repeats of one problem
    are one cluster. None for fewer than two problems.
    """
    return statistics.stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None


def samples_error(correct: Sequence[int], repeats: int) -> float | None:
    """Standard error over new samples of the same problems: sqrt(sum p(1-p)/(k-1)) / n.

    p(1-p)·k/(k-1) is the unbiased estimate of a problem's variance, divided by k for its mean
    (Miller 2024). None for fewer than two repeats.
    """
    if repeats < 2 or not correct:  # noqa: PLR2004 - a variance needs two
        return None
    within = sum(c / repeats * (1 - c / repeats) / (repeats - 1) for c in correct)
    return math.sqrt(within) / len(correct)


def population_interval(means: Sequence[float], repeats: int) -> Interval:
    """Interval for the accuracy over the population of problems; never leaves 0 to 1.

    Wilson's score interval at an effective sample size, with Student's quantile for n-1 degrees of
    freedom: the modified Wilson interval for clustered samples (Franco, Little, Louis & Slud 2019,
    J. Survey Statistics and Methodology 7:334-364). The size is n times the spread of one attempt
    over that of a problem's mean, at most n·k: for k = 1 it is n. Both spreads are taken with one
    problem more that came out all right and one all wrong, because n problems say little of a rare
    kind that none of them is (as Agresti & Coull 1998, American Statistician 52:119-126). Bowyer et
    al. 2025 (arXiv 2503.01747) show why the plain normal interval is too narrow on small sets.
    """
    problems = len(means)
    mean = (sum(means) + 1) / (problems + 2)
    spread = (sum(one * one for one in means) + 1) / (problems + 2) - mean * mean
    gain = min(mean * (1 - mean) / spread, repeats)
    quantile = student_quantile((1 + LEVEL) / 2, problems - 1)
    return _wilson(statistics.fmean(means), problems * gain, quantile)


def samples_interval(correct: Sequence[int], repeats: int) -> Interval:
    """Interval for the accuracy of the same problems sampled again; never leaves 0 to 1.

    The same score interval; its error is known from n(k-1) degrees of freedom, and is taken with
    one attempt more that came out otherwise, because a set in which few attempts did so says little
    of how many could have.
    """
    problems = len(correct)
    attempts = problems * repeats
    mean = sum(correct) / attempts
    error = math.hypot(samples_error(correct, repeats) or 0.0, 1 / attempts)
    size = max(mean * (1 - mean) / error**2, attempts)
    return _wilson(mean, size, student_quantile((1 + LEVEL) / 2, problems * (repeats - 1)))


def clustered_interval(clusters: Sequence[tuple[int, int]]) -> Interval | None:
    """Interval for a share of right ones that come in clusters, as the steps of a problem do.

    `clusters` are sizes and how many of each are right. Wilson's interval at an effective number:
    theirs divided by the design effect (Kish 1965), the variance of right ones in a cluster over
    that of independent ones, with Student's quantile. It is taken with two supposed clusters of the
    usual size, one all right and one all wrong, so that where all agree a cluster counts as one.
    None for fewer than two clusters.
    """
    if len(clusters) < 2:  # noqa: PLR2004 - a spread needs two
        return None
    number = sum(size for size, _ in clusters)
    share = sum(right for _, right in clusters) / number
    usual = number / len(clusters)
    supposed = [*clusters, (usual, usual), (usual, 0)]
    mean = sum(right for _, right in supposed) / (number + 2 * usual)
    spread = sum((right - mean * size) ** 2 for size, right in supposed)
    effect = max(1.0, spread / (mean * (1 - mean) * (number + 2 * usual)))
    quantile = student_quantile((1 + LEVEL) / 2, len(clusters) - 1)
    return _wilson(share, number / effect, quantile)


def _wilson(mean: float, size: float, quantile: float) -> Interval:
    """Wilson 1927: the accuracies that a mean of `size` attempts does not reject."""
    squared = quantile * quantile
    centre = (mean + squared / (2 * size)) / (1 + squared / size)
    half = quantile * math.sqrt(mean * (1 - mean) / size + squared / (4 * size * size))
    half /= 1 + squared / size
    # The mean itself is always inside; rounding must not say otherwise.
    return Interval(min(max(0.0, centre - half), mean), max(min(1.0, centre + half), mean))


def difference_interval(differences: Sequence[float]) -> Interval:
    """Interval for the mean paired difference over the population of problems, within -1 to 1.

    Bonett & Price 2012 (J. Educational and Behavioral Statistics 37:479-488) with Student's
    quantile: two supposed problems more, one wholly won and one wholly lost. That holds for any
    number of repeats: a second run may break a whole problem however often the problem is repeated,
    and of n problems that all stayed the same up to 2.8 / n may be lost.
    """
    supposed = len(differences) + 2
    mean = sum(differences) / supposed
    squares = (sum(d * d for d in differences) + 2) / supposed
    error = math.sqrt(max(0.0, squares - mean * mean) / supposed)
    half = student_quantile((1 + LEVEL) / 2, max(1, len(differences) - 1)) * error
    return Interval(max(-1.0, mean - half), min(1.0, mean + half))


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Interval for the mean of values without bounds, such as seconds: Student's.

    None for fewer than two values.
    """
    error = population_error(values)
    if error is None:
        return None
    mean = statistics.fmean(values)
    half = student_quantile((1 + LEVEL) / 2, len(values) - 1) * error
    return Interval(mean - half, mean + half)


@lru_cache(maxsize=256)
def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t, for probabilities of at least one half.

    By bisection of its distribution; beyond `LARGE_FREEDOM` by its expansion around the normal
    (Abramowitz & Stegun 26.7.5), which is then exact to ten digits.
    """
    normal = statistics.NormalDist().inv_cdf(probability)
    if freedom > LARGE_FREEDOM:
        first = (normal**3 + normal) / 4
        second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96
        return normal + first / freedom + second / freedom**2
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = student_cdf(middle, freedom) < probability
        low, high = (middle, high) if below else (low, middle)
    return high


def student_cdf(value: float, freedom: int) -> float:
    """The distribution of Student's t, by finite sums for whole degrees of freedom.

    Abramowitz & Stegun 26.7.3 and 26.7.4.
    """
    angle = math.atan(value / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 + odd, freedom, 2):
        term *= (step - 1) / step * cosine * cosine
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return (1 + inside) / 2
