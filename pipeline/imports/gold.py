"""The gold answer of an imported attempt: ours, in the order in which its choices were shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.imports.fields import CorruptEntry
from pipeline.letters import LETTERS
from pipeline.problems.problem_set import Problem

BRACKETED = re.compile(r"\[[^\[\]]*\]")
"""What lm-evaluation-harness takes out of GPQA's choices."""


@dataclass(frozen=True, slots=True)
class Gold:
    """The answer to compare with, and the choices' order: shown place -> stored place."""

    answer: str
    choice_order: tuple[int, ...]


def gold_of(problem: Problem, shown: Sequence[str] | None) -> Gold:
    """The gold answer of `problem` for an attempt that saw the choices `shown`.

    None stands for the stored order, in which SpecReason and SSR show GPQA's choices.

    Raises:
        CorruptEntry: the shown choices are not the problem's.
    """
    if not problem.choices:
        return Gold(problem.answer, ())
    count = len(problem.choices)
    stored = [problem.choices[problem.choice_order.index(place)] for place in range(count)]
    correct = problem.choice_order[LETTERS.index(problem.answer)]
    order = tuple(range(count)) if shown is None else _order(shown, stored)
    return Gold(LETTERS[order.index(correct)], order)


def _order(shown: Sequence[str], stored: Sequence[str]) -> tuple[int, ...]:
    for key in (_exactly, _loosely):
        places = {key(text): place for place, text in enumerate(stored)}
        found = [places.get(key(text)) for text in shown]
        order = tuple(place for place in found if place is not None)
        if len(places) == len(stored) and sorted(order) == list(range(len(stored))):
            return order
    raise CorruptEntry("the choices in the file are not those of the problem in our dataset")


def _exactly(text: str) -> str:
    return " ".join(text.split())


def _loosely(text: str) -> str:
    """What the harness's own cleaning of choices leaves alone."""
    return "".join(character for character in BRACKETED.sub("", text) if character.isalnum())
