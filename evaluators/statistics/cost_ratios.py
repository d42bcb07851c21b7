"""What a run costs relative to another on the same problems, with intervals over problems."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from evaluators.statistics.uncertainty import LEVEL, Interval, student_quantile
from evaluators.statistics.verdict_table import ProblemCosts

RESAMPLES = 2_000
"""Sets of problems drawn with replacement for the intervals of one comparison."""
SEED = 20_150_831
FEWEST_PROBLEMS = 5
"""With fewer the resampled ratios cannot leave the observed ones far enough: of nominal 95 %
intervals only half held the truth at two problems, and three quarters at three."""
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

    `tokens` are generated ones, of all models.
    """

    tokens: CostRatio | None
    flops_decode: CostRatio | None
    flops_total: CostRatio | None
    seconds: CostRatio | None


def cost_ratios(
    first: Mapping[str, ProblemCosts], second: Mapping[str, ProblemCosts]
) -> CostRatios:
    """The second run's costs over the first's, at the problems where both recorded attempts."""
    both = [name for name in first if name in second]
    known = {}
    for cost in fields(ProblemCosts):
        columns = [[getattr(run[name], cost.name) for name in both] for run in (first, second)]
        if all(None not in column for column in columns):  # the others alone are other problems
            known[cost.name] = columns
    ratios = _ratios([base for base, _ in known.values()], [costs for _, costs in known.values()])
    by_name = dict(zip(known, ratios, strict=True))
    return CostRatios(*(by_name.get(cost.name) for cost in fields(CostRatios)))


def cost_ratio(base: Sequence[float], costs: Sequence[float]) -> CostRatio | None:
    """The sum of `costs` over that of `base`, which are of the same problems in the same order.

    Interval: the bootstrap over problems, in pairs (Efron & Tibshirani 1993, An Introduction to the
    Bootstrap, section 13.3), with the percentiles widened for few problems as Hesterberg 2015 does
    (American Statistician 69:371-386, section 5.2: Student's quantile and the divisor n). None for
    fewer than `FEWEST_PROBLEMS`, and where a resampled base costs nothing.
    """
    [ratio] = _ratios([base], [costs])
    return ratio


def _ratios(
    bases: Sequence[Sequence[float]], costs: Sequence[Sequence[float]]
) -> list[CostRatio | None]:
    """See `cost_ratio`; several costs of the same problems share the resampled sets."""
    problems = len(bases[0]) if bases else 0
    if problems < FEWEST_PROBLEMS:
        return [None] * len(bases)
    columns = np.array([*bases, *costs], dtype=float).T
    chance = np.random.default_rng(SEED)
    even = np.full(problems, 1 / problems)
    rows = max(1, BLOCK // problems)
    blocks = [
        chance.multinomial(problems, even, size=min(rows, RESAMPLES - done)) @ columns
        for done in range(0, RESAMPLES, rows)
    ]
    below, above = np.split(np.concatenate([*blocks, columns.sum(axis=0)[None]]), 2, axis=1)
    few = math.sqrt(problems / (problems - 1))
    widened = few * student_quantile((1 + LEVEL) / 2, problems - 1)
    outside = statistics.NormalDist().cdf(-widened)
    made: list[CostRatio | None] = []
    for base, cost in zip(below.T, above.T, strict=True):
        if not base.all():
            made.append(None)
            continue
        *resampled, ratio = (cost / base).tolist()
        low, high = np.quantile(resampled, [outside, 1 - outside])
        made.append(CostRatio(ratio, Interval(float(low), float(high))))
    return made
