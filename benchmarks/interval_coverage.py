"""How often the intervals hold the truth, by simulation over kinds of problem sets.

Spread: problems have accuracies from Beta(m·s, (1-m)·s): mean m, and s from 0.5 (nearly every
problem all right or all wrong) to 1,000 (all alike); the second run of a pair is right 0.9 times as
often. Rare: few problems are of another kind: impossible while the rest is nearly always right, or
the mirror image; the second run of a pair breaks some of the solved problems, or solves some of the
others. Lost: the second run of a pair breaks a share of the problems for good, each of a thousand
shares up to a third; with one repeat, and not simulated but summed over the binomial distribution,
because coverage falls in narrow notches that a few scenarios miss. The population's truth is the
mean accuracy over the kind, that of the samples is the mean of the drawn problems, that of a
difference is the gap between two means over the kind.

Margin: pairs of runs of which the second is worse by exactly the margin, in problems broken for
good, also while others are won; in a little at every problem, near 1 and far from it; or in
problems from Beta(m·s, (1-m)·s). Counted are the studies that call it not worse by more than that.

Costs: log-normal over problems, alike in the two runs or less so; a quarter of the studies.
The last line printed is one JSON object.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from report import print_result

from evaluators.statistics.cost_ratios import cost_ratio
from evaluators.statistics.margin import ONE_SIDED_LEVEL, not_worse_p
from evaluators.statistics.uncertainty import (
    Interval,
    difference_interval,
    population_interval,
    samples_interval,
)

MEANS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
CONCENTRATIONS = (0.5, 1.0, 3.0, 10.0, 1_000.0)
REPEATS = (1, 4, 16)
PROBLEMS = (30, 60, 90, 120, 200, 500)
GAP = 0.1
"""How much less accurate the second run of a pair is, relative to the first."""
EASY = (0.99, 1.0)
"""How often a problem is right that is not impossible; mirrored, wrong that is not always right."""
BROKEN = (0.01, 0.02, 0.05)
"""Problems that only one run of a pair can solve."""
LOST = tuple(step / 3_000 for step in range(1, 1_001))
"""Shares of problems that the second run breaks, where coverage is summed and not simulated."""
BASES = (1.0, 0.99, 0.9)
"""How often the run that can is right at each problem."""
COST_SPREADS = (0.5, 1.0)
"""Standard deviation of the logarithm of a problem's cost."""
COST_CORRELATIONS = (0.3, 0.9)
"""Of the logarithms under the two runs."""
MARGINS = (0.01, 0.02, 0.05)
MARGIN_PROBLEMS = (30, 90, 200, 500)
MENDED = (0.0, 0.5, 3.0)
"""Problems that only the second run can solve, as a multiple of the margin."""

Skills = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of problem set: how to draw it, and what is true of the whole kind.

    `draw` gives each problem's accuracy under the first run and under the second; `mean` is the
    first's true accuracy (None: this kind is about differences), `difference` the second's less
    that (None: it is about one run).
    """

    case: str
    kind: str
    draw: Callable[[np.random.Generator, int], tuple[Skills, Skills]]
    mean: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of intervals that held the truth, over one interval's scenarios of one kind."""

    interval: str
    kind: str
    problems: int
    scenarios: int
    mean: float
    worst: float
    worst_case: str
    mean_width: float


@dataclass(frozen=True, slots=True)
class MarginError:
    """How often a run worse by the margin was called not worse by more than it."""

    problems: int
    scenarios: int
    mean: float
    worst: float
    worst_case: str


def main() -> None:
    """Simulate, print a table, and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000, help="per scenario")
    parser.add_argument("--quick", action="store_true", help="100 studies per scenario")
    arguments = parser.parse_args()
    studies = 100 if arguments.quick else arguments.studies
    results = [result for problems in PROBLEMS for result in coverages(problems, studies)]
    results += [lost_coverage(problems) for problems in PROBLEMS]
    results += [cost_coverage(problems, studies // 4) for problems in PROBLEMS]
    for one in results:
        print(
            f"{one.interval:<11} {one.kind:<7} n={one.problems:<4} covers {one.mean:.1%} on "
            f"average, {one.worst:.1%} at worst ({one.worst_case}), {one.mean_width:.1%} wide"
        )
    errors = [margin_error(problems, studies) for problems in MARGIN_PROBLEMS]
    for error in errors:
        print(
            f"not worse   margin  n={error.problems:<4} wrong in {error.mean:.1%} on average, "
            f"{error.worst:.1%} at worst ({error.worst_case})"
        )
    values = {"studies_per_scenario": studies, "coverage": [asdict(one) for one in results]}
    values["margin_errors"] = [asdict(error) for error in errors]
    print_result("interval_coverage", values)


def scenarios(problems: int) -> Iterator[Scenario]:
    """All kinds of problem sets, for sets of this many problems."""
    for mean in MEANS:
        for concentration in CONCENTRATIONS:
            yield _spread(mean, concentration)
    for easy in EASY:
        for name, rare in (("2%", 0.02), ("1/n", 1 / problems)):
            yield _rare(f"{name} impossible, rest {easy:.0%}", rare, 0.0, easy)
            yield _rare(f"{name} always right, rest {1 - easy:.0%}", rare, 1.0, 1 - easy)
    for broken in BROKEN:
        for base in BASES:
            yield _broken(f"second breaks {broken:.0%} of {base:.0%}", broken, base, 0.0)
            yield _broken(f"second solves {broken:.0%} of {1 - base:.0%}", broken, 1 - base, 1.0)


def _spread(mean: float, concentration: float) -> Scenario:
    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:
        skill = chance.beta(mean * concentration, (1 - mean) * concentration, problems)
        return skill, skill * (1 - GAP)

    case = f"mean {mean:.0%}, concentration {concentration:g}"
    return Scenario(case, "spread", draw, mean, -GAP * mean)


def _rare(case: str, share: float, rare: float, rest: float) -> Scenario:
    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:
        skill = np.where(chance.random(problems) < share, rare, rest)
        return skill, skill

    return Scenario(case, "rare", draw, share * rare + (1 - share) * rest, None)


def _broken(case: str, share: float, base: float, changed: float) -> Scenario:
    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:
        second = np.where(chance.random(problems) < share, changed, base)
        return np.full(problems, base), second

    return Scenario(case, "rare", draw, None, share * (changed - base))


def lost_coverage(problems: int) -> Coverage:
    """The exact coverage of the interval of a difference where problems are lost for good."""
    lost = range(problems + 1)
    intervals = [difference_interval([-1.0] * b + [0.0] * (problems - b)) for b in lost]
    low, high = np.array(intervals).T
    ways = np.array([math.log(math.comb(problems, b)) for b in lost])
    found: dict[str, tuple[float, float]] = {}
    for share in LOST:
        logs = ways + np.multiply(lost, math.log(share / (1 - share)))
        chances = np.exp(logs + problems * math.log(1 - share))
        held = chances[(low <= -share) & (-share <= high)].sum()
        found[f"second breaks {share:.2%}"] = (float(held), float(chances @ (high - low)))
    return _coverage("difference", "lost", problems, found)


def cost_coverage(problems: int, studies: int) -> Coverage:
    """The coverage of the interval of a ratio of costs whose truth is 1, and its width."""
    found: dict[str, tuple[float, float]] = {}
    for spread in COST_SPREADS:
        for correlation in COST_CORRELATIONS:
            case = f"log sd {spread:g}, correlation {correlation:g}"
            chance = np.random.default_rng([problems, *case.encode()])
            hits, widths = [], []
            for _ in range(studies):
                base, own = chance.normal(size=(2, problems))
                other = correlation * base + (1 - correlation**2) ** 0.5 * own
                ratio = cost_ratio(np.exp(spread * base).tolist(), np.exp(spread * other).tolist())
                assert ratio is not None  # noqa: S101 - every cost is above 0
                hits.append(ratio.interval.low <= 1 <= ratio.interval.high)
                widths.append(ratio.interval.high - ratio.interval.low)
            found[case] = (float(np.mean(hits)), float(np.mean(widths)))
    return _coverage("cost ratio", "costs", problems, found)


def worse(margin: float) -> Iterator[Scenario]:
    """Kinds of pairs whose second run is worse by the margin."""
    for base in BASES:
        for times in MENDED:
            yield _lost(margin, base, times * margin)
    for base in (1.0, 0.99, 0.7):
        yield _shifted(margin, base)
    for mean in (0.5, 0.8, 0.95):
        for concentration in (0.5, 3.0):
            yield _scaled(margin, mean, concentration)
            yield _struck(margin, mean, concentration)


def _lost(margin: float, base: float, mended: float) -> Scenario:
    lost = mended + margin / base

    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:
        place = chance.random(problems)
        first = np.where(place < mended, 0.0, base)
        return first, np.where((place >= mended) & (place < mended + lost), 0.0, base)

    case = f"{lost:.1%} of {base:.0%} lost, {mended:.1%} won"
    return Scenario(case, "margin", draw, None, -margin)


def _shifted(margin: float, base: float) -> Scenario:
    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:  # noqa: ARG001 - a scenario's signature
        first = np.full(problems, base)
        return first, first - margin

    return Scenario(f"{base:.0%} less {margin:.0%}", "margin", draw, None, -margin)


def _scaled(margin: float, mean: float, concentration: float) -> Scenario:
    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:
        skill = chance.beta(mean * concentration, (1 - mean) * concentration, problems)
        return skill, skill * (1 - margin / mean)

    case = f"mean {mean:.0%}, concentration {concentration:g}, scaled"
    return Scenario(case, "margin", draw, None, -margin)


def _struck(margin: float, mean: float, concentration: float) -> Scenario:
    def draw(chance: np.random.Generator, problems: int) -> tuple[Skills, Skills]:
        skill = chance.beta(mean * concentration, (1 - mean) * concentration, problems)
        return skill, np.where(chance.random(problems) < margin / mean, 0.0, skill)

    case = f"mean {mean:.0%}, concentration {concentration:g}, some lost"
    return Scenario(case, "margin", draw, None, -margin)


def margin_error(problems: int, studies: int) -> MarginError:
    """How often a run worse by the margin is called not worse, at this number of problems."""
    rates: dict[str, float] = {}
    for margin in MARGINS:
        for scenario in worse(margin):
            for repeats in REPEATS:
                case = f"margin {margin:.0%}, {scenario.case}, k={repeats}"
                chance = np.random.default_rng([problems, *case.encode()])
                called = 0
                for _ in range(studies):
                    first, second = scenario.draw(chance, problems)
                    gap = chance.binomial(repeats, second) - chance.binomial(repeats, first)
                    p = not_worse_p((gap / repeats).tolist(), margin)
                    called += p <= ONE_SIDED_LEVEL
                rates[case] = called / studies
    worst = max(rates, key=lambda case: rates[case])
    return MarginError(
        problems, len(rates), float(np.mean(list(rates.values()))), rates[worst], worst
    )


def coverages(problems: int, studies: int) -> Iterator[Coverage]:
    """The coverage of each interval at this number of problems, by kind of scenario."""
    found: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for scenario in scenarios(problems):
        for repeats in REPEATS:
            for name, held in study(problems, scenario, repeats, studies).items():
                case = f"{scenario.case}, k={repeats}"
                found.setdefault((name, scenario.kind), {})[case] = held
    for (name, kind), cases in found.items():
        yield _coverage(name, kind, problems, cases)


def _coverage(
    name: str, kind: str, problems: int, cases: dict[str, tuple[float, float]]
) -> Coverage:
    worst = min(cases, key=lambda case: cases[case][0])
    return Coverage(
        interval=name,
        kind=kind,
        problems=problems,
        scenarios=len(cases),
        mean=float(np.mean([share for share, _ in cases.values()])),
        worst=cases[worst][0],
        worst_case=worst,
        mean_width=float(np.mean([width for _, width in cases.values()])),
    )


def study(
    problems: int, scenario: Scenario, repeats: int, studies: int
) -> dict[str, tuple[float, float]]:
    """For each interval the scenario is about: the share that held the truth, and mean width."""
    chance = np.random.default_rng([problems, repeats, *scenario.case.encode()])
    hits: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}

    def note(name: str, interval: Interval, truth: float) -> None:
        hits.setdefault(name, []).append(interval.low <= truth <= interval.high)
        widths.setdefault(name, []).append(interval.high - interval.low)

    for _ in range(studies):
        first, second = scenario.draw(chance, problems)
        correct, other = chance.binomial(repeats, first), chance.binomial(repeats, second)
        if scenario.mean is not None:
            means = (correct / repeats).tolist()
            note("population", population_interval(means, repeats), scenario.mean)
            if repeats > 1:
                truth = float(first.mean())
                note("samples", samples_interval(correct.tolist(), repeats), truth)
        if scenario.difference is not None:
            gaps = ((other - correct) / repeats).tolist()
            note("difference", difference_interval(gaps), scenario.difference)
    return {name: (float(np.mean(hits[name])), float(np.mean(widths[name]))) for name in hits}


if __name__ == "__main__":
    main()
