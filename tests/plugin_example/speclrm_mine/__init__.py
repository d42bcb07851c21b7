"""One of everything that a package can add to SpecLRM: a reasoner, an engine, a vote rule, a
dataset and a prompt set.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pipeline.engines.declaration import EngineEntry, EngineOption
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Script, default_continuation
from pipeline.engines.settings import EngineSettings
from pipeline.reasoners.answer_classes import AnswerClass
from pipeline.reasoners.entry import Option, ReasonerEntry, Section
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import TrackSettings
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.reasoners.track_section import any_tracks
from pipeline.reasoners.vote import vote
from pipeline.reasoners.vote_rules import Decision, VoteRule, by_standing
from pipeline.reasoners.whole_chain import reason_alone


@dataclass(frozen=True, slots=True)
class Persuasion:
    """What the model is told before the problem."""

    SECTION: ClassVar[str] = "persuasion"

    plea: str = "Please."


async def persuade(assignment: Assignment) -> Outcome:
    """One track after the other, each with the plea before its task; they vote."""
    tracks, plea = (
        assignment.experiment.section(TrackSettings),
        assignment.experiment.section(Persuasion).plea,
    )
    prompt = replace(assignment.prompt, text=f"{plea} {assignment.prompt.text}")
    plans = [TrackPlan(str(number), prompt) for number in range(tracks.tracks)]
    made = [await reason_alone(assignment, plan) for plan in plans]
    voted = vote(made, assignment.problem.kind, tracks.vote)
    response = next((track.text for track in made if track.id == voted.chosen), None)
    return Outcome(tuple(made), voted, response, voted.winner)


PERSUADED = ReasonerEntry(
    "persuaded",
    "The target alone, asked politely and more than once.",
    persuade,
    models={"target": frozenset()},
    sections=(
        any_tracks(TrackSettings(tracks=2, vote="last-word")),
        Section(Persuasion(), (Option("plea", "What stands before the problem."),)),
    ),
)


class Abacus(ScriptedEngine):
    """An engine that adds two numbers."""

    def __init__(self, settings: EngineSettings) -> None:
        """Have as many beads as the settings say, which is the context."""
        super().__init__(settings, Script(continuation=count, context=beads(settings)))


def count(prompt: str, seed: int) -> str:
    """The sum that the prompt asks for; the way there depends on the seed."""
    asked = re.search(r"(\d+)\+(\d+)", prompt)
    if asked is None:
        return default_continuation(prompt, seed)
    way = ("I move the beads.", "I count.", "Bead by bead.")[seed % 3]
    return f"{way}</think>\n\n\\boxed{{{int(asked[1]) + int(asked[2])}}}"


def beads(settings: EngineSettings) -> int:
    """The context of the abacus."""
    return int(str(settings.own.get("beads", 10_000)))


ABACUS = EngineEntry(
    name="abacus",
    path="speclrm_mine:Abacus",
    options=(
        EngineOption(name="beads", type=int, help="Beads of the abacus.", default=10_000, least=1),
    ),
    model="abacus",
    tokenizer="pipeline.engines.scripted.declaration:byte_tokenizer",
    context="speclrm_mine:beads",
)


def last(group: AnswerClass) -> float:
    """The number of the last track of a class."""
    return max(float(track.id) for track in group.tracks)


def decide(classes: Sequence[AnswerClass]) -> Decision:
    """The class of the last track."""
    return by_standing(classes, last, lambda track: float(track.id), "it came last")


LAST_WORD = VoteRule("last-word", decide, last)
