"""Two runs on the same problems, compared in pairs: is one better, and could it have been found?"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.statistics.cost_ratios import CostRatios, cost_ratios
from evaluators.statistics.margin import ONE_SIDED_LEVEL, not_worse_p
from evaluators.statistics.metrics import GradedRun
from evaluators.statistics.power import detectable
from evaluators.statistics.setting_differences import setting_differences
from evaluators.statistics.sign_flips import is_exact, sign_flip_p
from evaluators.statistics.uncertainty import Interval, difference_interval


class NotComparable(ValueError):  # noqa: N818 - named for what it is
    """Two runs differ in what a comparison must hold fixed."""


@dataclass(frozen=True, slots=True)
class Discordant:
    """A problem that the two runs did not solve equally often; shares of right attempts."""

    problem_id: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class NotWorse:
    """Whether the second run is not worse than the first by more than `margin`, a share of 1.

    `p` is one-sided, see `evaluators.statistics.margin`; `holds` goes by `adjusted_p`, which is
    Holm's.
    """

    margin: float
    p: float
    adjusted_p: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """`second` minus `first` on their common problems, as shares of 1.

    `p` is two-sided; `adjusted_p` is Holm's, over all comparisons made together. `detectable` is
    the true difference that four of five studies like this one would find, None where none would
    be found or no problem differs (see `evaluators.statistics.power`). `not_worse` is None
    without a margin.
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
    not_worse: NotWorse | None
    costs: CostRatios
    discordant: tuple[Discordant, ...]
    warnings: tuple[str, ...]


def compare_runs(runs: Sequence[GradedRun], margin: float | None = None) -> list[Comparison]:
    """Compare every later run with the first, on the problems both planned.

    With a `margin`, a share of 1, also say whether the later run is not worse by more than that.

    Raises:
        NotComparable: a run has another dataset, revision, rows or grader, or no common problem.
    """
    first, *others = runs
    for other in others:
        refuse_incomparable(first, other)
    changes = [_changes(first, other) for other in others]
    p_values = [sign_flip_p(change.whole) for change in changes]
    adjusted = holm(p_values)
    not_worse = _not_worse(changes, margin)
    return [
        _comparison(first, other, change, p=p, adjusted_p=adjusted_p, not_worse=verdict)
        for other, change, p, adjusted_p, verdict in zip(
            others, changes, p_values, adjusted, not_worse, strict=True
        )
    ]


def _not_worse(changes: Sequence["_Changes"], margin: float | None) -> Sequence[NotWorse | None]:
    """One verdict for each comparison, adjusted together."""
    if margin is None:
        return [None] * len(changes)
    p_values = [not_worse_p(change.shares, margin) for change in changes]
    return [
        NotWorse(margin, p, adjusted, adjusted <= ONE_SIDED_LEVEL)
        for p, adjusted in zip(p_values, holm(p_values), strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm 1979 (Scandinavian J. Statistics 6:65-70): p-values adjusted for being several."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


@dataclass(frozen=True, slots=True)
class _Changes:
    """Each common problem's change from run to run: `whole` times 1 / `unit`, exactly."""

    problem_ids: tuple[str, ...]
    whole: tuple[int, ...]
    unit: int

    @property
    def shares(self) -> list[float]:
        return [change / self.unit for change in self.whole]


def _changes(first: GradedRun, second: GradedRun) -> _Changes:
    """Counts of right attempts, brought to the least common multiple of the two repeats."""
    common = tuple(name for name in first.problems if name in second.problems)
    unit = math.lcm(first.repeats, second.repeats)
    ours, theirs = unit // first.repeats, unit // second.repeats
    whole = (
        second.problems[name].correct * theirs - first.problems[name].correct * ours
        for name in common
    )
    return _Changes(common, tuple(whole), unit)


def _comparison(
    first: GradedRun,
    second: GradedRun,
    changes: _Changes,
    *,
    p: float,
    adjusted_p: float,
    not_worse: NotWorse | None,
) -> Comparison:
    wins = sum(change > 0 for change in changes.whole)
    losses = sum(change < 0 for change in changes.whole)
    before, after = first.means, second.means
    found = detectable(changes.whole)
    return Comparison(
        first=first.name,
        second=second.name,
        problems=len(changes.whole),
        difference=statistics.fmean(changes.shares),
        interval=difference_interval(changes.shares),
        p=p,
        adjusted_p=adjusted_p,
        wins=wins,
        ties=len(changes.whole) - wins - losses,
        losses=losses,
        detectable=None if found is None else found / changes.unit,
        not_worse=not_worse,
        costs=cost_ratios(first.costs, second.costs),
        discordant=tuple(
            Discordant(name, before[name], after[name])
            for name, change in zip(changes.problem_ids, changes.whole, strict=True)
            if change
        ),
        warnings=tuple(_warnings(first, second, changes)),
    )


def refuse_itself(runs: Sequence[Path]) -> None:
    """Do nothing where every run's folder is named once.

    Raises:
        NotComparable: a folder is named again, by this or another spelling of its path.
    """
    seen: set[Path] = set()
    for run in runs:
        folder = run.resolve()
        if folder in seen:
            raise NotComparable(f"{run} is named twice; name each run once.")
        seen.add(folder)


def refuse_incomparable(first: GradedRun, second: GradedRun) -> None:
    """Do nothing for two runs that can be compared in pairs.

    Raises:
        NotComparable: they differ in dataset, revision, rows or grader, or have no common problem.
    """
    rows, others = first.manifest.dataset, second.manifest.dataset
    fixed = {
        "dataset": (first.identity.dataset, second.identity.dataset),
        "dataset revision": (rows.revision, others.revision),
        "dataset rows": (rows.fingerprint, others.fingerprint),
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
    if not first.problems.keys() & second.problems.keys():
        raise NotComparable(
            f"{first.name} and {second.name} have no problem in common; "
            "run both with one --problem-id."
        )


def _warnings(first: GradedRun, second: GradedRun, changes: _Changes) -> list[str]:
    said = [*setting_differences(first.manifest, second.manifest)]
    if first.repeats != second.repeats:
        said.append(f"repeats differ: {first.repeats} and {second.repeats}")
    if not is_exact(changes.whole):
        said.append("p is an upper bound: the exact one would take too long; use equal repeats")
    for run in (first, second):
        alone = len(run.problems) - len(changes.whole)
        missing = len(run.problems) * run.repeats - run.totals.rows
        if alone:
            said.append(f"{run.name} has {alone} problems that the other run lacks; left out")
        if missing:
            said.append(f"{run.name} lacks {missing} attempts; they count as wrong")
    return said
