"""Baseline: the target reasons alone, in one completion, or to a limit and then to an answer."""

from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.thinking_section import THINKING
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.reasoners.whole_chain import reason_alone

TRACK = "0"


async def solve(assignment: Assignment) -> Outcome:
    """One track to the end of the text, at most the token budget."""
    track = await reason_alone(assignment, TrackPlan(TRACK, assignment.prompt))
    return Outcome((track,), vote=None, response=track.text, answer=track.answer)


BASELINE = ReasonerEntry(
    "baseline",
    "The target alone, in one completion.",
    solve,
    models={"target": frozenset()},
    sections=(THINKING,),
)
