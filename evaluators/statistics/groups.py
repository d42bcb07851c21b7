"""Accuracy by level or by subject: the problems of a run in groups, each with its uncertainty."""

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluators.statistics.metrics import GradedRun
from evaluators.statistics.uncertainty import Uncertainty, uncertainty

KINDS = ("level", "subject")
"""What problems are grouped by."""
NO_GROUP = "none stated"
_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a run's problems: kind, then problem id, to the group's name.

    `missing` says why there are none, where that is known.
    """

    by_kind: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class GroupAccuracy:
    """The accuracy in one group, a share of 1; the repeats of a problem are one cluster."""

    name: str
    problems: int
    accuracy: float
    uncertainty: Uncertainty


def accuracy_by(run: GradedRun, group_of: Mapping[str, str]) -> tuple[GroupAccuracy, ...]:
    """The accuracy of each group of the run's problems, in the natural order of their names.

    Errors and intervals are those of the whole accuracy, over the group's problems alone. Problems
    that `group_of` lacks are a group of their own. Empty where it has none of them.
    """
    if not group_of.keys() & run.problems.keys():
        return ()
    correct: dict[str, list[int]] = {}
    for problem, counts in run.problems.items():
        correct.setdefault(group_of.get(problem, NO_GROUP), []).append(counts.correct)
    return tuple(
        GroupAccuracy(
            name,
            len(correct[name]),
            statistics.fmean(correct[name]) / run.repeats,
            uncertainty(correct[name], run.repeats),
        )
        for name in sorted(correct, key=natural_order)
    )


def natural_order(name: str) -> tuple[bool, list[tuple[int, int | str]]]:
    """A key that sorts `level 2` before `level 10`, and what has no group last."""
    parts = [part for part in _DIGITS.split(name) if part]
    return name == NO_GROUP, [
        (0, int(part)) if _DIGITS.fullmatch(part) else (1, part.casefold()) for part in parts
    ]
