"""How many problems and repeats a difference needs: the test's power under a stated model.

Problems have accuracies from a Beta distribution. A second run is as accurate at a problem as the
first with the chance `correlation`, else it draws an accuracy of its own. Then the whole difference
falls on few problems, which become always right, or always wrong where the second run is worse:
the case that needs the most problems.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.statistics.margin import ONE_SIDED_LEVEL, not_worse_t
from evaluators.statistics.metrics import GradedRun
from evaluators.statistics.power import POWER, ChangeLaw, drawn_studies, power
from evaluators.statistics.uncertainty import student_quantile

MAX_PROBLEMS = 1_000_000
"""More are not looked for."""
FINE = 1.01
"""Problems needed are found to this factor."""
FEWEST = 6
"""With fewer problems the sign-flip test finds nothing."""
NORMAL_ERRORS = 2.8
"""Standard errors from which a normal statistic finds a difference in 80 % of studies."""
EDGE = 1e-6
"""Shares between problems of 0 and 1 are taken as this far from them."""


class NotPlannable(ValueError):  # noqa: N818 - named for what it is
    """The assumptions contradict each other, or a run does not tell what is needed."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a study is planned on; shares of 1.

    `accuracy` is the first run's, `difference` the second's less that. `between` is the share of
    one attempt's variance that lies between problems: 0 where all problems are alike, 1 where each
    is always right or always wrong. `correlation` is that of the two runs' accuracies over
    problems, before the difference.
    """

    accuracy: float
    difference: float
    between: float
    correlation: float

    def __post_init__(self) -> None:
        if not 0 < self.accuracy < 1:
            raise NotPlannable(f"The accuracy must be above 0 and below 1, not {self.accuracy:g}.")
        if not 0 < self.accuracy + self.difference < 1:
            raise NotPlannable(
                f"From an accuracy of {self.accuracy:.1%} there is no room for a difference of "
                f"{self.difference * 100:+g} points."
            )
        if not (0 <= self.between <= 1 and 0 <= self.correlation <= 1):
            raise NotPlannable("The share between problems and the correlation are 0 to 1.")

    @property
    def changed(self) -> float:
        """The share of problems that carry the difference."""
        room = 1 - self.accuracy if self.difference > 0 else self.accuracy
        return abs(self.difference) / room


@dataclass(frozen=True, slots=True)
class ErrorSplit:
    """The standard error of a difference, and the share of its square that more repeats remove."""

    error: float
    samples: float


@dataclass(frozen=True, slots=True)
class Needed:
    """The fewest `problems` of so many `repeats` with which `POWER` of studies succeed, to 1 %.

    `split` is that of the difference's error there; both None where `MAX_PROBLEMS` are not enough.
    """

    repeats: int
    problems: int | None
    split: ErrorSplit | None


@dataclass(frozen=True, slots=True)
class StudyPower:
    """The share of studies of one size that succeed."""

    problems: int
    repeats: int
    power: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study needs, under what is assumed; to find the difference, or to show the margin."""

    assumed: Assumptions
    margin: float | None
    needed: tuple[Needed, ...]
    powers: tuple[StudyPower, ...]


def change_law(assumed: Assumptions, repeats: int) -> ChangeLaw:
    """How a problem's right attempts change, of `repeats` in each run: beta-binomial sums."""
    concentration = 1 / min(max(assumed.between, EDGE), 1 - EDGE) - 1
    right, wrong = assumed.accuracy * concentration, (1 - assumed.accuracy) * concentration
    ways = np.array([math.comb(repeats, count) for count in range(repeats + 1)], dtype=float)

    def beta_ratio(count: int, of: int) -> float:
        """The mean over problems of p^count (1-p)^(of-count)."""
        return math.exp(_rise(right, count) + _rise(wrong, of - count) - _rise(right + wrong, of))

    one = ways * [beta_ratio(count, repeats) for count in range(repeats + 1)]
    both = np.array([beta_ratio(count, 2 * repeats) for count in range(2 * repeats + 1)])
    counts = np.arange(repeats + 1)
    same = np.outer(ways, ways) * both[np.add.outer(counts, counts)]
    own = np.outer(one, one)
    joint = assumed.correlation * same + (1 - assumed.correlation) * own
    joint *= 1 - assumed.changed
    joint[:, repeats if assumed.difference > 0 else 0] += assumed.changed * one
    changes = range(-repeats, repeats + 1)
    return ChangeLaw(
        tuple(changes), tuple(float(np.trace(joint, offset=change)) for change in changes)
    )


def _rise(base: float, steps: int) -> float:
    """The logarithm of base (base + 1) ... (base + steps - 1)."""
    return math.lgamma(base + steps) - math.lgamma(base)


def error_split(assumed: Assumptions, problems: int, repeats: int) -> ErrorSplit:
    """The standard error of the difference: a variance between problems, and one within over k."""
    spread = assumed.accuracy * (1 - assumed.accuracy)
    between, within = spread * assumed.between, spread * (1 - assumed.between)
    kept, end = 1 - assumed.changed, float(assumed.difference > 0)
    moved = kept * (1 - assumed.correlation) * 2 * between
    moved += assumed.changed * (between + (end - assumed.accuracy) ** 2)
    samples = within * (1 + kept) / repeats
    total = moved - assumed.difference**2 + samples
    return ErrorSplit(math.sqrt(total / problems), samples / total)


def not_worse_power(law: ChangeLaw, problems: int, repeats: int, margin: float) -> float:
    """The share of studies that show the second run not worse by more than the margin."""
    drawn = drawn_studies(law, problems)
    changes = np.array(law.changes) / repeats
    needed = student_quantile(1 - ONE_SIDED_LEVEL, problems - 1)
    sums = zip(*((drawn @ changes**exponent).tolist() for exponent in (1, 2, 3)), strict=True)
    return statistics.fmean(
        not_worse_t(problems, total, squares, cubes, margin) >= needed
        for total, squares, cubes in sums
    )


def study_plan(
    assumed: Assumptions, margin: float | None, problems: Sequence[int], repeats: Sequence[int]
) -> Plan:
    """What a difference needs, or a margin, a share of 1; and the power of the sizes asked for.

    Raises:
        NotPlannable: there is nothing to find: no difference, or one beyond the margin.
    """
    if margin is None and assumed.difference == 0:
        raise NotPlannable("A difference of 0 cannot be found; plan for a --margin instead.")
    if margin is not None and assumed.difference <= -margin:
        raise NotPlannable(
            f"A run that is worse by {-assumed.difference * 100:g} points cannot be shown to be "
            f"not worse by more than {margin * 100:g}."
        )
    needed, powers = [], []
    for count in repeats:
        found = _power_by_problems(assumed, count, margin)
        most = _problems_needed(assumed, count, margin, found)
        split = None if most is None else error_split(assumed, most, count)
        needed.append(Needed(count, most, split))
        powers += [StudyPower(size, count, found(size)) for size in problems]
    return Plan(assumed, margin, tuple(needed), tuple(powers))


def _power_by_problems(
    assumed: Assumptions, repeats: int, margin: float | None
) -> Callable[[int], float]:
    law = change_law(assumed, repeats)
    if margin is None:
        return lambda problems: power(law, problems)
    return lambda problems: not_worse_power(law, problems, repeats, margin)


def _problems_needed(
    assumed: Assumptions, repeats: int, margin: float | None, found: Callable[[int], float]
) -> int | None:
    """By bisection, from where a normal statistic would do (Bloom 1995, Evaluation Review 19)."""
    aim = assumed.difference + (margin or 0.0)
    normal = (NORMAL_ERRORS * error_split(assumed, 1, repeats).error / aim) ** 2
    high = min(max(FEWEST, int(normal)), MAX_PROBLEMS)
    while found(high) < POWER:
        if high == MAX_PROBLEMS:
            return None
        high = min(2 * high, MAX_PROBLEMS)
    low = high // 2
    while low >= FEWEST and found(low) >= POWER:
        high, low = low, low // 2
    while high > low + 1 and high > low * FINE:
        middle = (low + high) // 2
        low, high = (middle, high) if found(middle) < POWER else (low, middle)
    return high


def between_problems(run: GradedRun) -> float:
    """The share of one attempt's variance that lies between problems, from a run's repeats.

    1 - W / (m (1 - m)), where W is the mean over problems of the unbiased variance within, and m
    the accuracy.

    Raises:
        NotPlannable: the run has one repeat, or is all right or all wrong.
    """
    if run.repeats < 2:  # noqa: PLR2004 - a variance within problems needs two
        raise NotPlannable(
            f"{run.name} has one repeat, which cannot separate problems from samples; "
            "give --between, a share from 0 to 1, or run more repeats."
        )
    means = list(run.means.values())
    spread = _attempt_variance(run)
    within = statistics.fmean(mean * (1 - mean) for mean in means)
    within *= run.repeats / (run.repeats - 1)
    return min(1.0, max(0.0, 1 - within / spread))


def correlation_over_problems(
    first: GradedRun, second: GradedRun, between: Sequence[float]
) -> float:
    """The correlation of two runs' true accuracies over their common problems.

    The covariance of the observed means, which sampling noise does not change, over the standard
    deviations between problems that `between` gives for each run.

    Raises:
        NotPlannable: there are fewer than two common problems, or a run's problems are all alike.
    """
    common = [name for name in first.means if name in second.means]
    spreads = [
        _attempt_variance(run) * share for run, share in zip((first, second), between, strict=True)
    ]
    if len(common) < 2 or not all(spreads):  # noqa: PLR2004 - a covariance needs two
        raise NotPlannable(
            f"{first.name} and {second.name} do not show how their problems correlate; "
            "give --correlation."
        )
    means = [[run.means[name] for name in common] for run in (first, second)]
    together = statistics.covariance(*means) / math.sqrt(spreads[0] * spreads[1])
    return min(1.0, max(0.0, together))


def _attempt_variance(run: GradedRun) -> float:
    accuracy = statistics.fmean(run.means.values())
    if accuracy in {0.0, 1.0}:
        raise NotPlannable(
            f"All attempts of {run.name} came out alike, which does not show how problems differ; "
            "give --accuracy, --between and --correlation instead of runs."
        )
    return accuracy * (1 - accuracy)
