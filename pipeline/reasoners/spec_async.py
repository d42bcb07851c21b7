"""Spec-async: the same decisions as spec, without waiting for scores.

While the target scores a step, the draft already writes the next ones on top of it, and they are
scored as they come. A rejection cancels and drops everything that was built on the rejected step.
With `rewrite_ahead` the target also begins its own step together with the score, and drops it when
the draft is kept. A request's prompt and seed depend on its place in the chain only, never on when
it is made: so the accepted steps are those of spec.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.reasoners.chain import Chain
from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import StepSettings, TrackSettings
from pipeline.reasoners.spec import solve_by
from pipeline.reasoners.spec_track import SpecTrack
from pipeline.reasoners.speculation import Unwritten
from pipeline.reasoners.step_ends import Written
from pipeline.reasoners.step_score import Score
from pipeline.reasoners.step_section import (
    AHEAD_OPTIONS,
    SPECULATIVE_MODELS,
    STEP_OPTIONS,
    StepSection,
)
from pipeline.reasoners.track_plans import GUIDANCE_PROMPTS
from pipeline.reasoners.track_section import any_tracks

NOTHING_TO_BUILD_ON = Unwritten("the step before it ends the track")


@dataclass(frozen=True, slots=True)
class Built:
    """A draft and the supposed chain it continues."""

    chain: Chain
    draft: Written | Unwritten


@dataclass(frozen=True, slots=True)
class Pending:
    """A step that is being drafted, scored and perhaps rewritten.

    `own` is the target's own step, begun in case it is needed. Without a draft neither it nor the
    score is there.
    """

    built: asyncio.Task[Built]
    scored: asyncio.Task[Score | None]
    own: asyncio.Task[Written | None] | None


async def ahead_of_scores(track: SpecTrack) -> None:
    """Keep drafts ahead of the score that is awaited; decide in the order of the steps."""
    pending: deque[Pending] = deque()
    try:
        while track.stop is None:
            if track.is_targets_turn:
                await track.target_alone()
                continue
            while len(pending) <= track.settings.lookahead:
                pending.append(_begin(track, pending[-1] if pending else None))
            head = pending[0]
            score, draft = await head.scored, (await head.built).draft
            if isinstance(draft, Unwritten) or score is None:
                await _cancel(pending)
                await track.target_alone(draft if isinstance(draft, Unwritten) else None)
            elif track.is_good(score):
                pending.popleft()
                await _end([head.own])
                track.keep(draft, score)
            else:
                await _cancel(pending, kept=1)
                own = await head.own if head.own is not None else None
                track.rewrite(draft, score, own or await track.own_step(track.chain))
                pending.clear()
    finally:
        await _cancel(pending)


def _begin(track: SpecTrack, before: Pending | None) -> Pending:
    """Draft a step after the accepted ones, or after a pending one; score it when it is there."""
    built = asyncio.create_task(_build(track, track.chain, before))
    scored = asyncio.create_task(_score(track, built))
    ahead = track.settings.rewrite_ahead
    return Pending(built, scored, asyncio.create_task(_own(track, built)) if ahead else None)


async def _build(track: SpecTrack, chain: Chain, before: Pending | None) -> Built:
    if before is not None:
        below = await before.built
        if isinstance(below.draft, Unwritten) or track.ends_with(below.chain, below.draft):
            return Built(below.chain, NOTHING_TO_BUILD_ON)
        chain = track.extended(below.chain, below.draft)
    return Built(chain, await track.draft(chain))


async def _score(track: SpecTrack, built: asyncio.Task[Built]) -> Score | None:
    chain, draft = (done := await built).chain, done.draft
    return None if isinstance(draft, Unwritten) else await track.score(chain, draft)


async def _own(track: SpecTrack, built: asyncio.Task[Built]) -> Written | None:
    done = await built
    return None if isinstance(done.draft, Unwritten) else await track.own_step(done.chain)


async def _cancel(pending: deque[Pending], kept: int = 0) -> None:
    """Cancel everything that is pending but the first `kept`."""
    dropped = [pending.pop() for _ in range(len(pending) - kept)]
    await _end([task for one in dropped for task in (one.built, one.scored, one.own)])


async def _end(tasks: Sequence[asyncio.Task[Any] | None]) -> None:
    """Cancel tasks, in the engines too, and wait until they are over."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)


async def solve(assignment: Assignment) -> Outcome:
    """Every track on its own, drafting ahead of its scores."""
    return await solve_by(assignment, ahead_of_scores)


SPEC_ASYNC = ReasonerEntry(
    "spec-async",
    "The decisions of spec, with drafts written ahead of their scores.",
    solve,
    models=SPECULATIVE_MODELS,
    prompts=(*GUIDANCE_PROMPTS, "score"),
    sections=(
        any_tracks(TrackSettings()),
        StepSection(StepSettings(lookahead=1), (*STEP_OPTIONS, *AHEAD_OPTIONS)),
    ),
)
