"""Tracks side by side, and the end of those that no longer matter.

`exact` ends an attempt as soon as the tracks that still run cannot change the winning answer; `1`
and `2` (an answer at all, two that agree) end it sooner and may change it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from pipeline.errors import EngineDead, EngineFailure
from pipeline.reasoners.answer_classes import answer_classes, tokens_of
from pipeline.reasoners.settings import Fast, TrackSettings
from pipeline.reasoners.vote import why_excluded
from pipeline.reasoners.vote_rules import VoteRule, standing_by, vote_rule
from pipeline.records import Stop, Track

AGREEING = 2
ROUNDING = 1e-6
"""A lead of less may be one of floating point, in sums of scores."""


class TrackRun(Protocol):
    """One track on its way."""

    async def run(self) -> Track:
        """Reason to the end; raises `EngineFailure` when an engine fails."""
        ...

    def so_far(self, stop: Stop, note: str) -> Track:
        """The track as it is now, ended from outside."""
        ...


def is_decided(ended: Sequence[Track], left: int, kind: str, settings: TrackSettings) -> bool:
    """Whether the attempt may end although `left` tracks still run."""
    if settings.fast is None:
        return False
    rule = vote_rule(settings.vote)
    voters = [track for track in ended if why_excluded(track, rule) is None]
    if settings.fast == "exact":
        return _cannot_change(voters, left, kind, rule)
    needed: dict[Fast, int] = {"1": 1, "2": AGREEING}
    sizes = (one.size for one in answer_classes(voters, kind))
    return max(sizes, default=0) >= needed[settings.fast]


def _cannot_change(voters: Sequence[Track], left: int, kind: str, rule: VoteRule) -> bool:
    """Whether the winning answer is the same text whatever the tracks that are left will say.

    Every answer's class is its own property, so later answers neither join nor part the classes
    that are there: each track that is left adds at most `most` to one class, be it new, and to one
    spelling in it. A lead of more than that, among the classes and then among the spellings of the
    leading one, is a lead at the end, and cannot be tied. So the answer that wins is the one of
    now, to the letter, and its verdict too, since that is a function of the answer's text. Where a
    single track can win, nothing is decided before the last one.
    """
    if rule.most is None:
        return False
    classes = answer_classes(voters, kind)
    if max((one.size for one in classes), default=0) < rule.decided_from:
        return False
    leader = max(classes, key=lambda one: standing_by(rule, one))
    return all(
        _lead([standing_by(rule, one) for one in groups]) > left * rule.most + ROUNDING
        for groups in (classes, leader.spellings)
    )


def _lead(standings: list[float]) -> float:
    """How much the first has over the second."""
    first, second = (*sorted(standings, reverse=True), 0.0)[:2]
    return first - second


async def run_tracks(
    runs: Sequence[TrackRun], is_over: Callable[[Sequence[Track], int], bool]
) -> tuple[Track, ...]:
    """All tracks, in their order; those that run when `is_over` says so are cancelled.

    A failed track is recorded as such and does not sink the others.

    Raises:
        EngineDead: an engine is gone.
        EngineFailure: every track failed; the first one's failure.
    """
    tasks = [asyncio.create_task(run.run()) for run in runs]
    waiting = set(tasks)
    try:
        while waiting:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            ended = [task.result() for task in tasks if _has_track(task)]
            if is_over(ended, len(waiting)):
                break
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return _recorded(runs, tasks)


def _has_track(task: asyncio.Task[Track]) -> bool:
    """Whether the task ended with a track; raises what must end the whole attempt."""
    if not task.done():
        return False
    failure = task.exception()
    if failure is None:
        return True
    if isinstance(failure, EngineDead) or not isinstance(failure, EngineFailure):
        raise failure
    return False


def _recorded(runs: Sequence[TrackRun], tasks: Sequence[asyncio.Task[Track]]) -> tuple[Track, ...]:
    failures = [task.exception() for task in tasks if not task.cancelled()]
    failed = [failure for failure in failures if failure is not None]
    if failed and len(failed) == len(tasks):
        raise failed[0]
    tracks = []
    for run, task in zip(runs, tasks, strict=True):
        if task.cancelled():
            tracks.append(run.so_far(Stop.CANCELLED, "cancelled: the vote was decided"))
        elif (failure := task.exception()) is not None:
            tracks.append(run.so_far(Stop.ERROR, f"{type(failure).__name__}: {failure}"))
        else:
            tracks.append(task.result())
    return tuple(_with_saving(track, tracks) for track in tracks)


def _with_saving(track: Track, tracks: Sequence[Track]) -> Track:
    """A cancelled track with the note how much its end saved, as far as that can be known."""
    whole = [tokens_of(one) for one in tracks if one.stop not in {Stop.CANCELLED, Stop.ERROR}]
    if track.stop is not Stop.CANCELLED or not whole:
        return track
    saved = max(0, round(sum(whole) / len(whole)) - tokens_of(track))
    note = f"saved about {saved} tokens, had it become as long as the tracks that ended"
    return replace(track, notes=(*track.notes, note))
