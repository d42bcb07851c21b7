"""Every judged draft of a run, with whether it was right where that can be known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import evaluators
from evaluators.reports.traces import labels_by_answer
from pipeline.pocket.step_checker import Question
from pipeline.records import Attempt, Track
from pipeline.review.step_labels import checked_drafts, pocket_questions, question_of
from pipeline.runs.directory import read_attempts

Label = Literal["pocket step check", "track verdict"]
Labels = Callable[[Attempt, Track], list[bool | None]]
"""Whether each judged draft of a track is right; None if unknown."""


@dataclass(frozen=True, slots=True)
class JudgedStep:
    """A draft that the target scored.

    `track` numbers the tracks of the run, `index` the steps of a track. `target_tokens` were spent
    on a rewrite, 0 where the draft was kept. `right` is what the label says, None where it says
    nothing.
    """

    problem: str
    track: int
    index: int
    guidance: str
    digits: tuple[float, ...]
    kept: bool
    draft_tokens: int
    target_tokens: int
    right: bool | None


class Judged(NamedTuple):
    """The judged steps of a run, and what decides whether one is right."""

    steps: list[JudgedStep]
    label: Label


def judged_steps(run: Path) -> Judged:
    """All drafts of a run that have a digit distribution.

    On pocket a draft is right when the generator's own check says so; elsewhere a kept one is when
    its track's answer is correct, which says less; of a rejected one nothing is known, nor of those
    in a track that was cancelled or failed before it could answer.

    Raises:
        UserMistake: there is no run, or a line of it is unreadable.
    """
    questions = pocket_questions(run)
    labels = _by_verdict if questions is None else _by_pocket(questions)
    steps: list[JudgedStep] = []
    number = 0
    for attempt in read_attempts(run):
        for track in attempt.tracks:
            steps += _of_track(attempt, track, number, labels)
            number += 1
    return Judged(steps, "track verdict" if questions is None else "pocket step check")


def _of_track(attempt: Attempt, track: Track, number: int, labels: Labels) -> Iterator[JudgedStep]:
    if all(step.digits is None for step in track.steps):
        return
    for index, (step, right) in enumerate(zip(track.steps, labels(attempt, track), strict=True)):
        if step.digits is None:
            continue
        kept = step.draft_text is None
        yield JudgedStep(
            problem=attempt.problem_id,
            track=number,
            index=index,
            guidance=track.role or track.method or "none",
            digits=step.digits,
            kept=kept,
            draft_tokens=(step.tokens if kept else step.draft_tokens) or 0,
            target_tokens=0 if kept else step.tokens or 0,
            right=right,
        )


def _by_verdict(attempt: Attempt, track: Track) -> list[bool | None]:
    right = evaluators.grade(track.text, attempt.gold, attempt.kind).correct
    return labels_by_answer(track, right=right)


def _by_pocket(questions: dict[str, Question]) -> Labels:
    return lambda attempt, track: checked_drafts(
        question_of(questions, attempt.problem_id), track.steps
    )
