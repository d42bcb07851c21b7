"""Spec-methods: the target chooses solution methods, and each has a speculative track.

SSR (Chu et al. 2025, arXiv 2505.15340); `--selection random` and `same` are its controls.
"""

from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import StepSettings, TrackSettings
from pipeline.reasoners.spec import one_after_another, solve_by
from pipeline.reasoners.step_section import SPECULATIVE_MODELS, StepSection
from pipeline.reasoners.track_section import tracks_by_method


async def solve(assignment: Assignment) -> Outcome:
    """Spec, with a method for each track: the track settings say which and how many."""
    return await solve_by(assignment, one_after_another)


SPEC_METHODS = ReasonerEntry(
    "spec-methods",
    "The target chooses solution methods, and each has a speculative track.",
    solve,
    models=SPECULATIVE_MODELS,
    prompts=("task/", "methods/", "choose-methods", "score"),
    sections=(
        tracks_by_method(TrackSettings(tracks=3, prompts="methods")),
        StepSection(StepSettings()),
    ),
)
