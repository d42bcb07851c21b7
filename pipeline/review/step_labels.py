"""Which judged drafts of a pocket run are right, by the check of the problems' own generator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from evaluators.reports.traces import StepLabels
from evaluators.run_files.attempt_lines import as_written
from pipeline.errors import UserMistake
from pipeline.pocket.step_checker import Question, check_step
from pipeline.problems.problem_set import load_problems
from pipeline.runs.directory import read_manifest

POCKET = ("pocket", "pocket-long", "pocket-hard")


def pocket_labels(run: Path) -> StepLabels | None:
    """The labels of a pocket run; None for other runs, and where its problems have changed since.

    Raises:
        UserMistake: there is no run.
    """
    questions = pocket_questions(run)
    if questions is None:
        return None
    return lambda line: [
        checked_drafts(question_of(questions, line.problem_id), track.steps)
        for track in line.tracks
    ]


def pocket_questions(run: Path) -> dict[str, Question] | None:
    """The questions of a pocket run by problem id, as the step check takes them; None as above.

    Raises:
        UserMistake: there is no run.
    """
    identity = read_manifest(run)["identity"]
    if identity["dataset"] not in POCKET:
        return None
    loaded = load_problems(identity["dataset"], None, seed=identity["seed"])
    if loaded.fingerprint != identity["dataset_fingerprint"]:
        return None
    return {
        problem.problem_id: Question(problem.problem, problem.choices)
        for problem in loaded.problems
    }


def question_of(questions: Mapping[str, Question], problem_id: str) -> Question:
    """The question of a problem.

    Raises:
        UserMistake: the dataset has no such problem.
    """
    if problem_id not in questions:
        raise UserMistake(
            f"The run holds an attempt at problem {as_written(problem_id)}, which its dataset "
            "lacks; move that problem's file out of the run, and its id out of run.json."
        )
    return questions[problem_id]


class Drafted(Protocol):
    """A step as a record has it and as a report reads it."""

    @property
    def text(self) -> str:
        """What was accepted."""
        ...

    @property
    def drafted(self) -> str:
        """What the draft wrote."""
        ...

    @property
    def is_judged(self) -> bool:
        """Whether a draft was judged here."""
        ...


def checked_drafts(question: Question, steps: Sequence[Drafted]) -> list[bool | None]:
    """Whether each judged draft was a right next step after the steps that stand before it."""
    texts = [step.text for step in steps]
    return [
        check_step(question, texts[:place], step.drafted) if step.is_judged else None
        for place, step in enumerate(steps)
    ]
