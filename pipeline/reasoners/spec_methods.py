"""Spec-methods: the target chooses solution methods, and each has a speculative track.

SSR (Chu et al. 2025, arXiv 2505.15340); `--selection random` and `same` are its controls.
"""

from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.spec import one_after_another, solve_by


async def solve(assignment: Assignment) -> Outcome:
    """Spec, with a method for each track: the track settings say which and how many."""
    return await solve_by(assignment, one_after_another)
