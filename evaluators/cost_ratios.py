"""What a run costs relative to another on the same problems, with intervals over problems."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.uncertainty import LEVEL, Interval, student_quantile
from evaluators.verdict_table import ProblemCosts

RESAMPLES = 2_000
"""Sets of problems drawn with replacement for the intervals of one comparison."""
SEED = 20_150_831
BLOCK = 2_000_000
"""Numbers in memory at a time."""


@dataclass(frozen=True, slots=True)
class CostRatio:
    """A ratio of mean costs, and its 95 % interval over the population of problems."""

    ratio: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class CostRatios:
    """Costs of an attempt, the second run's over the first's; None where one is unknown.

    `tokens` are generated ones, of both models.
    """

    tokens: CostRatio | None
    flops_decode: CostRatio | None
    flops_total: CostRatio | None
    seconds: CostRatio | None


def cost_ratios(
    first: Mapping[str, ProblemCosts], second: Mapping[str, ProblemCosts]
) -> CostRatios:
    """The second run's costs over the first's, at the problems where both recorded attempts."""
    pairs = [(costs, second[name]) for name, costs in first.items() if name in second]

    def ratio(cost: Callable[[ProblemCosts], float | None]) -> CostRatio | None:
        base = [known for one, _ in pairs if (known := cost(one)) is not None]
        costs = [known for _, one in pairs if (known := cost(one)) is not None]
        if len(base) < len(pairs) or len(costs) < len(pairs):
            return None  # the others alone are other problems
        return cost_ratio(base, costs)

    return CostRatios(
        tokens=ratio(lambda costs: costs.tokens),
        flops_decode=ratio(lambda costs: costs.flops_decode),
        flops_total=ratio(lambda costs: costs.flops_total),
        seconds=ratio(lambda costs: costs.seconds),
    )


def cost_ratio(base: Sequence[float], costs: Sequence[float]) -> CostRatio | None:
    """The sum of `costs` over that of `base`, which are of the same problems in the same order.

    Interval: the bootstrap over problems, in pairs (Efron & Tibshirani 1993, An Introduction to the
    Bootstrap, section 13.3), with the percentiles widened for few problems as Hesterberg 2015 does
    (American Statistician 69:371-386, section 5.2: Student's quantile and the divisor n). None for
    fewer than two problems, and where a resampled base costs nothing.
    """
    problems = len(base)
    if problems < 2 or not any(base):  # noqa: PLR2004 - a spread over problems needs two
        return None
    both = np.column_stack([np.array(base, float), np.array(costs, float)])
    chance = np.random.default_rng(SEED)
    even = np.full(problems, 1 / problems)
    rows = max(1, BLOCK // problems)
    sums = np.concatenate(
        [
            chance.multinomial(problems, even, size=min(rows, RESAMPLES - done)) @ both
            for done in range(0, RESAMPLES, rows)
        ]
    )
    if not sums[:, 0].all():
        return None
    widened = -student_quantile((1 + LEVEL) / 2, problems - 1) * math.sqrt(
        problems / (problems - 1)
    )
    outside = statistics.NormalDist().cdf(widened)
    low, high = np.quantile(sums[:, 1] / sums[:, 0], [outside, 1 - outside])
    return CostRatio(float(both[:, 1].sum() / both[:, 0].sum()), Interval(float(low), float(high)))
