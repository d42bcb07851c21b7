"""How often the intervals hold the truth, by simulation over a spread of problem accuracies.

Problems have accuracies from Beta(m·s, (1-m)·s): mean m, and s from 0.5 (nearly every problem all
right or all wrong) to 1,000 (all alike). The population's truth is m, that of the samples is the
mean of the drawn problems, that of a difference is the gap between two such means. The last line
printed is one JSON object.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from report import print_result

from evaluators.uncertainty import (
    Interval,
    difference_interval,
    population_interval,
    samples_interval,
)

MEANS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
CONCENTRATIONS = (0.5, 1.0, 3.0, 10.0, 1_000.0)
REPEATS = (1, 4, 16)
PROBLEMS = (30, 500)
GAP = 0.1
"""How much less accurate the second run of a pair is, relative to the first."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of intervals that held the truth, over one interval's scenarios."""

    interval: str
    problems: int
    mean: float
    worst: float
    worst_case: str
    mean_width: float


def main() -> None:
    """Simulate, print a table, and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000, help="per scenario")
    parser.add_argument("--quick", action="store_true", help="100 studies per scenario")
    arguments = parser.parse_args()
    studies = 100 if arguments.quick else arguments.studies
    results = [result for problems in PROBLEMS for result in coverages(problems, studies)]
    for one in results:
        print(
            f"{one.interval:<11} n={one.problems:<4} covers {one.mean:.1%} on average, "
            f"{one.worst:.1%} at worst ({one.worst_case}), {one.mean_width:.1%} wide"
        )
    values = {
        "studies_per_scenario": studies,
        "scenarios": len(MEANS) * len(CONCENTRATIONS) * len(REPEATS),
        "coverage": [asdict(one) for one in results],
    }
    print_result("interval_coverage", values)


def coverages(problems: int, studies: int) -> Iterator[Coverage]:
    """The coverage of each interval at this number of problems."""
    held: dict[str, dict[str, float]] = {"population": {}, "samples": {}, "difference": {}}
    widths: dict[str, list[float]] = {name: [] for name in held}
    for mean in MEANS:
        for concentration in CONCENTRATIONS:
            for repeats in REPEATS:
                case = f"mean {mean:.0%}, concentration {concentration:g}, k={repeats}"
                found = study(problems, mean, concentration, repeats, studies)
                for name, (share, width) in found.items():
                    held[name][case] = share
                    widths[name].append(width)
    for name, cases in held.items():
        worst = min(cases, key=lambda case: cases[case])
        yield Coverage(
            interval=name,
            problems=problems,
            mean=float(np.mean(list(cases.values()))),
            worst=cases[worst],
            worst_case=worst,
            mean_width=float(np.mean(widths[name])),
        )


def study(
    problems: int, mean: float, concentration: float, repeats: int, studies: int
) -> dict[str, tuple[float, float]]:
    """For each interval: the share that held the truth, and the mean width."""
    chance = np.random.default_rng(round(1_000 * mean) + problems + repeats)
    hits: dict[str, list[bool]] = {"population": [], "difference": []}
    widths: dict[str, list[float]] = {"population": [], "difference": []}
    if repeats > 1:
        hits["samples"], widths["samples"] = [], []

    def note(name: str, interval: Interval, truth: float) -> None:
        hits[name].append(interval.low <= truth <= interval.high)
        widths[name].append(interval.high - interval.low)

    for _ in range(studies):
        skill = chance.beta(mean * concentration, (1 - mean) * concentration, problems)
        correct = chance.binomial(repeats, skill)
        other = chance.binomial(repeats, skill * (1 - GAP))
        note("population", population_interval((correct / repeats).tolist(), repeats), mean)
        gaps = ((other - correct) / repeats).tolist()
        note("difference", difference_interval(gaps, repeats), -GAP * mean)
        if repeats > 1:
            note("samples", samples_interval(correct.tolist(), repeats), float(skill.mean()))
    return {name: (float(np.mean(hits[name])), float(np.mean(widths[name]))) for name in hits}


if __name__ == "__main__":
    main()
