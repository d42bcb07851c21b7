"""Two runs on the same problems, compared in pairs: is one better, and could we have seen it?"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from evaluators.metrics import GradedRun
from evaluators.uncertainty import Interval, difference_interval, minimum_detectable_effect

EXACT_SIGNS = 14
"""With up to this many discordant problems every one of their 2**n sign patterns is counted."""
DRAWN_SIGNS = 20_000
"""Sign patterns drawn beyond that: the p-value's own standard error is then below 0.002 at 0.05."""
DRAW_BLOCK = 1_000
"""Patterns in memory at a time."""
DRAW_SEED = 20_150_831
ROUNDING = 1e-9
"""Sums of differences closer than this are the same sum."""


class NotComparable(ValueError):  # noqa: N818 - named for what it is
    """Two runs differ in what a comparison must hold fixed."""


@dataclass(frozen=True, slots=True)
class Discordant:
    """A problem that the two runs did not solve equally often; shares of right attempts."""

    problem_id: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`second` minus `first` on their common problems, as shares of 1.

    `p` is two-sided; `adjusted_p` is Holm's, over all comparisons made together. `detectable` is
    the true difference that this design would find in four of five studies, None for one problem.
    """

    first: str
    second: str
    problems: int
    difference: float
    interval: Interval
    p: float
    adjusted_p: float
    wins: int
    ties: int
    losses: int
    detectable: float | None
    discordant: tuple[Discordant, ...]
    warnings: tuple[str, ...]


def compare_runs(runs: Sequence[GradedRun]) -> list[Comparison]:
    """Compare every later run with the first, on the problems both planned.

    Raises:
        NotComparable: a run has another dataset, revision, rows or grader, or no common problem.
    """
    first, *others = runs
    for other in others:
        _refuse(first, other)
    pairs = [_differences(first, other) for other in others]
    p_values = [sign_flip_p([d.second - d.first for d in pair]) for pair in pairs]
    adjusted = holm(p_values)
    return [
        _comparison(first, other, pair, p, adjusted_p)
        for other, pair, p, adjusted_p in zip(others, pairs, p_values, adjusted, strict=True)
    ]


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p of the mean paired difference when each problem's sign is a coin's.

    The paired permutation test (Fisher 1935, The Design of Experiments, section 21): exact for few
    discordant problems, else from drawn sign patterns, counting the observed one (Phipson & Smyth
    2010, arXiv 1603.05766), so that p is never 0.
    """
    moved = np.array([d for d in differences if d != 0])
    if not len(moved):
        return 1.0
    observed = abs(float(moved.sum())) - ROUNDING
    if len(moved) <= EXACT_SIGNS:
        signs = np.array(list(product((-1, 1), repeat=len(moved))))
        return float((np.abs(signs @ moved) >= observed).mean())
    generator = np.random.default_rng(DRAW_SEED)
    as_far = 0
    for _ in range(DRAWN_SIGNS // DRAW_BLOCK):
        signs = generator.integers(0, 2, size=(DRAW_BLOCK, len(moved))) * 2 - 1
        as_far += int((np.abs(signs @ moved) >= observed).sum())
    return (as_far + 1) / (DRAWN_SIGNS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm 1979 (Scandinavian J. Statistics 6:65-70): p-values adjusted for being several."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _comparison(
    first: GradedRun, second: GradedRun, pairs: Sequence[Discordant], p: float, adjusted_p: float
) -> Comparison:
    differences = [pair.second - pair.first for pair in pairs]
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    repeats = min(first.repeats, second.repeats)
    return Comparison(
        first=first.name,
        second=second.name,
        problems=len(pairs),
        difference=statistics.fmean(differences),
        interval=difference_interval(differences, repeats),
        p=p,
        adjusted_p=adjusted_p,
        wins=wins,
        ties=len(pairs) - wins - losses,
        losses=losses,
        detectable=_detectable(differences),
        discordant=tuple(pair for pair in pairs if pair.first != pair.second),
        warnings=tuple(_warnings(first, second, len(pairs))),
    )


def _detectable(differences: Sequence[float]) -> float | None:
    """None where the spread of differences is unknown: one problem, or none that differs."""
    if len(differences) < 2 or not any(differences):  # noqa: PLR2004 - a spread needs two
        return None
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    return minimum_detectable_effect(error, len(differences)) if error > 0 else None


def _differences(first: GradedRun, second: GradedRun) -> list[Discordant]:
    theirs = second.means
    common = [
        Discordant(name, mean, theirs[name]) for name, mean in first.means.items() if name in theirs
    ]
    if not common:
        raise NotComparable(
            f"{first.name} and {second.name} have no problem in common; "
            "run both with one --problem-id."
        )
    return common


def _refuse(first: GradedRun, second: GradedRun) -> None:
    fixed = {
        "dataset": (first.identity["dataset"], second.identity["dataset"]),
        "dataset revision": (first.dataset.get("revision"), second.dataset.get("revision")),
        "dataset rows": (first.dataset.get("fingerprint"), second.dataset.get("fingerprint")),
    }
    for name, (ours, theirs) in fixed.items():
        if ours != theirs:
            raise NotComparable(
                f"{first.name} and {second.name} differ in their {name} ({ours}, {theirs}); "
                "only runs on the same problems can be compared in pairs."
            )
    ours, theirs = first.totals.grader_version, second.totals.grader_version
    if ours != theirs or "," in ours:
        raise NotComparable(
            f"{first.name} and {second.name} were graded by different versions ({ours}, {theirs}); "
            "grade both again: speclrm grade RUN..."
        )


def _warnings(first: GradedRun, second: GradedRun, common: int) -> list[str]:
    said = [
        f"{name} differs: {first.identity.get(name)} and {second.identity.get(name)}"
        for name in ("token_budget", "temperature", "top_p", "seed", "thinking")
        if first.identity.get(name) != second.identity.get(name)
    ]
    if first.repeats != second.repeats:
        said.append(f"repeats differ: {first.repeats} and {second.repeats}")
    for run in (first, second):
        alone = len(run.problems) - common
        missing = len(run.problems) * run.repeats - run.totals.rows
        if alone:
            said.append(f"{run.name} has {alone} problems that the other run lacks; left out")
        if missing:
            said.append(f"{run.name} lacks {missing} attempts; they count as wrong")
    return said
