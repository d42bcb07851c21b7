"""Parallel: several independent tracks of the target at once; their answers vote.

Self-consistency (Wang et al. 2022, arXiv 2203.11171) with the SSR scripts' roles or methods.
"""

from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.outcome import outcome_of
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import TrackSettings
from pipeline.reasoners.thinking_section import THINKING
from pipeline.reasoners.track_plans import GUIDANCE_PROMPTS, TrackPlan, plan_tracks
from pipeline.reasoners.track_section import any_tracks
from pipeline.reasoners.whole_chain import reason_alone
from pipeline.records import Stop, Track


class PlainTrack:
    """A track of one completion."""

    def __init__(self, assignment: Assignment, plan: TrackPlan) -> None:
        self._assignment = assignment
        self._plan = plan

    async def run(self) -> Track:
        """The whole chain."""
        return await reason_alone(self._assignment, self._plan)

    def so_far(self, stop: Stop, note: str) -> Track:
        """Nothing: an engine tells of a completion only when it ends."""
        plan = self._plan
        return Track(plan.track_id, (), stop, None, plan.role, plan.method, (note,))


async def solve(assignment: Assignment) -> Outcome:
    """Every track is one independent request; none waits for another."""
    settings = assignment.experiment.section(TrackSettings)
    planned = await plan_tracks(assignment, settings)
    runs = [PlainTrack(assignment, plan) for plan in planned.plans]
    return await outcome_of(assignment, settings, runs, planned.selection)


PARALLEL = ReasonerEntry(
    "parallel",
    "Several tracks of the target at once; their answers vote.",
    solve,
    models={"target": frozenset()},
    prompts=GUIDANCE_PROMPTS,
    sections=(any_tracks(TrackSettings(tracks=3)), THINKING),
)
