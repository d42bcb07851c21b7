"""Spec: the draft writes each step, the target scores it and rewrites the bad ones.

SpecReason (Pan et al. 2025, arXiv 2504.07891); with several tracks, roles or methods SSR (Chu et
al. 2025, arXiv 2505.15340).
"""

from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.outcome import outcome_of
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import StepSettings, TrackSettings
from pipeline.reasoners.spec_track import Procedure, SpecTrack
from pipeline.reasoners.speculation import Unwritten
from pipeline.reasoners.step_section import SPECULATIVE_MODELS, StepSection
from pipeline.reasoners.track_plans import GUIDANCE_PROMPTS, plan_tracks
from pipeline.reasoners.track_section import any_tracks


async def one_after_another(track: SpecTrack) -> None:
    """Draft a step, score it, keep it or let the target write it; then the next."""
    while track.stop is None:
        if track.is_targets_turn:
            await track.target_alone()
            continue
        draft = await track.draft(track.chain)
        if isinstance(draft, Unwritten):
            await track.target_alone(draft)
            continue
        score = await track.score(track.chain, draft)
        if track.is_good(score):
            track.keep(draft, score)
        else:
            track.rewrite(draft, score, await track.own_step(track.chain))


async def solve(assignment: Assignment) -> Outcome:
    """Every track on its own, one move after another."""
    return await solve_by(assignment, one_after_another)


async def solve_by(assignment: Assignment, procedure: Procedure) -> Outcome:
    """The attempt with all its tracks under one procedure."""
    if assignment.draft is None:
        raise ValueError("speculative reasoning needs a draft engine")
    settings = assignment.experiment.section(TrackSettings)
    planned = await plan_tracks(assignment, settings)
    tracks = [SpecTrack(assignment, plan, assignment.draft, procedure) for plan in planned.plans]
    return await outcome_of(assignment, settings, tracks, planned.selection)


SPEC = ReasonerEntry(
    "spec",
    "The draft writes each step, the target scores it, and rewrites the bad ones.",
    solve,
    models=SPECULATIVE_MODELS,
    prompts=(*GUIDANCE_PROMPTS, "score"),
    sections=(any_tracks(TrackSettings()), StepSection(StepSettings())),
)
