"""What a reasoner is: one call that turns an assignment into an outcome.

Reasoners know engines only by their protocol and know nothing of files.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.engines.protocol import Engine
from pipeline.experiment import Experiment
from pipeline.ledger import Ledger
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import Prompt, PromptSet
from pipeline.records import Selection, Track, Vote


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one attempt is given.

    `prompt` is the task without guidance; tracks with a role or a method render their own from
    `prompt_set`. Tokens spent are booked in `ledger` as they are spent. `others` are the engines
    of further models, by the roles that the reasoner's entry names.
    """

    experiment: Experiment
    problem: Problem
    prompt: Prompt
    prompt_set: PromptSet
    repeat_id: int
    target: Engine
    draft: Engine | None
    ledger: Ledger
    others: Mapping[str, Engine] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reasoner came to: its tracks, how they voted, and the chosen response and answer."""

    tracks: tuple[Track, ...]
    vote: Vote | None
    response: str | None
    answer: str | None
    selection: Selection | None = None


class Reasoner(Protocol):
    """One reasoning procedure."""

    def __call__(self, assignment: Assignment) -> Awaitable[Outcome]:
        """Reason about the problem; raises `EngineFailure` when an engine fails."""
        ...
