"""What a run would have decided at other thresholds, from its recorded digit distributions.

Up to a track's first divergence the replay is exact. After it the run would have gone another
way; there the recorded steps stand in for those that would have been written, so costs are
estimates, the better the later a track diverges.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pipeline.errors import UserMistake
from pipeline.reasoners import REASONERS
from pipeline.reasoners.settings import ScoreMethod, StepSettings
from pipeline.reasoners.step_score import is_kept, value_of
from pipeline.review.calibration import Calibration, ScoredStep, calibration
from pipeline.review.judged_steps import JudgedStep, Label, judged_steps

THRESHOLDS = tuple(float(threshold) for threshold in range(10))


@dataclass(frozen=True, slots=True)
class Setting:
    """One threshold and score method.

    `diverged` is the share of tracks with another decision than recorded, `first_divergence` the
    mean index of its step, None where no track diverged. `target_tokens` estimates what the target
    decodes in rewrites, per judged step; a kept draft rejected now counts its own length.
    `wrong_kept` and `right_rejected` are shares of the steps that have a label, None without any.
    """

    method: ScoreMethod
    threshold: float
    acceptance: float
    diverged: float
    first_divergence: float | None
    target_tokens: float
    wrong_kept: float | None
    right_rejected: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Recorded acceptance of some of the steps."""

    name: str
    steps: int
    acceptance: float


@dataclass(frozen=True, slots=True)
class Replay:
    """All that a run's scores say; `label` is what right and wrong are measured against.

    `unanswered` kept drafts have no label, because their tracks were cancelled or failed.
    """

    run: Path
    judged: int
    tracks: int
    label: Label
    unanswered: int
    settings: tuple[Setting, ...]
    calibration: Calibration
    by_index: tuple[Group, ...]
    by_guidance: tuple[Group, ...]
    histogram: tuple[int, ...]


def replay(run: Path) -> Replay:
    """Replay a run of a reasoner that judges steps. No engine is needed.

    Raises:
        UserMistake: there is no run, or no step of it has a digit distribution.
    """
    steps, label = judged_steps(run)
    if not steps:
        judging = " or ".join(
            name
            for name, known in REASONERS.usable().items()
            if any(isinstance(section.defaults, StepSettings) for section in known.sections)
        )
        raise UserMistake(f"{run} has no scored steps; replay needs a run of {judging}.")
    scored = [
        ScoredStep(value_of(step.digits, "average"), step.right, step.problem)
        for step in steps
        if step.right is not None
    ]
    digits = Counter(int(value_of(step.digits, "greedy")) for step in steps)
    return Replay(
        run=run,
        judged=len(steps),
        tracks=len({step.track for step in steps}),
        label=label,
        unanswered=sum(step.kept and step.right is None for step in steps),
        settings=tuple(
            _setting(steps, method, threshold)
            for method in get_args(ScoreMethod)
            for threshold in THRESHOLDS
        ),
        calibration=calibration(scored),
        by_index=_groups(steps, lambda step: f"{step.index:02}"),
        by_guidance=_groups(steps, lambda step: step.guidance),
        histogram=tuple(digits[digit] for digit in range(10)),
    )


def _setting(steps: Sequence[JudgedStep], method: ScoreMethod, threshold: float) -> Setting:
    kept = [is_kept(step.digits, method, threshold) for step in steps]
    first: dict[int, int] = {}
    rewritten = 0
    for step, keep in zip(steps, kept, strict=True):
        if keep != step.kept:
            first.setdefault(step.track, step.index)
        if not keep:
            rewritten += step.target_tokens or step.draft_tokens
    labelled = [
        (keep, step.right) for step, keep in zip(steps, kept, strict=True) if step.right is not None
    ]
    return Setting(
        method=method,
        threshold=threshold,
        acceptance=_share(kept),
        diverged=len(first) / len({step.track for step in steps}),
        first_divergence=statistics.fmean(first.values()) if first else None,
        target_tokens=rewritten / len(steps),
        wrong_kept=_share(keep and not right for keep, right in labelled) if labelled else None,
        right_rejected=_share(not keep and right for keep, right in labelled) if labelled else None,
    )


def _groups(steps: Sequence[JudgedStep], key: Callable[[JudgedStep], str]) -> tuple[Group, ...]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for step in steps:
        groups[key(step)].append(step.kept)
    return tuple(Group(name, len(kept), _share(kept)) for name, kept in sorted(groups.items()))


def _share(flags: Iterable[bool]) -> float:
    found = list(flags)
    return sum(found) / len(found)
