"""Every judged draft of a run, with whether it was right where that can be known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import evaluators
from pipeline.pocket.step_checker import Question, check_step
from pipeline.records import Attempt, Step, Stop, Track
from pipeline.review.step_labels import pocket_questions, question_of
from pipeline.runs.directory import read_attempts

Label = Literal["pocket step check", "track verdict"]
Checker = Callable[[Attempt, Track, int], bool | None]


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
    check = _by_verdict if questions is None else _by_pocket(questions)
    steps: list[JudgedStep] = []
    number = 0
    for attempt in read_attempts(run):
        for track in attempt.tracks:
            steps += _of_track(attempt, track, number, check)
            number += 1
    return Judged(steps, "track verdict" if questions is None else "pocket step check")


def _of_track(attempt: Attempt, track: Track, number: int, check: Checker) -> Iterator[JudgedStep]:
    for index, step in enumerate(track.steps):
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
            right=check(attempt, track, index),
        )


def drafted_text(step: Step) -> str:
    """What the draft wrote: the step itself, or what was rejected."""
    return step.text if step.draft_text is None else step.draft_text


def _by_verdict(attempt: Attempt, track: Track, index: int) -> bool | None:
    if track.steps[index].draft_text is not None:
        return None  # the track went on from the target's rewrite
    if track.stop in {Stop.CANCELLED, Stop.ERROR}:
        return None  # whatever its drafts were worth, it could not come to an answer
    text = "".join(step.text for step in track.steps)
    return evaluators.grade(text, attempt.gold, attempt.kind).correct


def _by_pocket(questions: dict[str, Question]) -> Checker:
    def check(attempt: Attempt, track: Track, index: int) -> bool:
        earlier = [step.text for step in track.steps[:index]]
        question = question_of(questions, attempt.problem_id)
        return check_step(question, earlier, drafted_text(track.steps[index]))

    return check
