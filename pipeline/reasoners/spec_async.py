"""Spec-async: the same decisions as spec, with the waiting taken out.

While the target scores a step, the draft already writes the next ones on top of it, and they are
scored as they come. A rejection cancels and drops everything that was built on the rejected step.
A request's prompt and seed depend on its place in the chain only, never on when it is made: so
the accepted steps are those of spec.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from pipeline.reasoners.chain import Chain
from pipeline.reasoners.moves import Unwritten
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.spec import solve_by
from pipeline.reasoners.spec_track import SpecTrack
from pipeline.reasoners.step_score import Score
from pipeline.reasoners.steps import Written

NOTHING_TO_BUILD_ON = Unwritten("the step before it ends the track")


@dataclass(frozen=True, slots=True)
class Built:
    """A draft and the supposed chain it continues."""

    chain: Chain
    draft: Written | Unwritten


@dataclass(frozen=True, slots=True)
class Pending:
    """A step that is being drafted or scored; its score is None where there is no draft."""

    built: asyncio.Task[Built]
    scored: asyncio.Task[Score | None]


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
            score = await pending[0].scored
            draft = (await pending[0].built).draft
            pending.popleft()
            if isinstance(draft, Unwritten) or score is None:
                await _cancel(pending)
                reason = draft.reason if isinstance(draft, Unwritten) else None
                await track.target_alone(reason)
            elif track.is_good(score):
                track.keep(draft, score)
            else:
                await _cancel(pending)
                await track.rewrite(draft, score)
    finally:
        await _cancel(pending)


def _begin(track: SpecTrack, before: Pending | None) -> Pending:
    """Draft a step after the accepted ones, or after a pending one; score it when it is there."""
    built = asyncio.create_task(_build(track, track.chain, before))
    return Pending(built, asyncio.create_task(_score(track, built)))


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


async def _cancel(pending: deque[Pending]) -> None:
    """Cancel everything that is pending, in the engines too, and wait until it is over."""
    tasks = [task for one in pending for task in (one.built, one.scored)]
    pending.clear()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def solve(assignment: Assignment) -> Outcome:
    """Every track on its own, drafting ahead of its scores."""
    return await solve_by(assignment, ahead_of_scores)
