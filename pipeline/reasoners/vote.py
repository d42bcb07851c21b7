"""How tracks' answers become the attempt's answer.

A pure function of recorded tracks: every rule can be computed again from any run.
"""

from collections.abc import Sequence

from pipeline.reasoners.answer_classes import answer_classes, tokens_of
from pipeline.reasoners.vote_rules import VoteRule, decide_by, vote_rule
from pipeline.records import Excluded, Stop, Track, Vote


def vote(tracks: Sequence[Track], kind: str, rule: str) -> Vote:
    """The vote of `tracks` under the rule of that name.

    Raises:
        UserMistake: there is no such rule, or it fails.
    """
    known = vote_rule(rule)
    excluded = tuple(
        Excluded(track.id, reason)
        for track in tracks
        if (reason := why_excluded(track, known)) is not None
    )
    barred = {one.track for one in excluded}
    classes = answer_classes([track for track in tracks if track.id not in barred], kind)
    if not classes:
        chosen = max(tracks, key=tokens_of, default=None)
        return Vote(
            rule=rule,
            classes=(),
            winner=None,
            reason="no track has a vote; the longest one is shown",
            chosen=chosen.id if chosen is not None else None,
            excluded=excluded,
        )
    decision = decide_by(known, classes)
    return Vote(
        rule=rule,
        classes=tuple(tuple(track.id for track in one.tracks) for one in classes),
        winner=decision.chosen.answer,
        reason=decision.reason,
        answers=tuple(one.answer for one in classes),
        standings=decision.standings,
        chosen=decision.chosen.id,
        excluded=excluded,
    )


def why_excluded(track: Track, rule: VoteRule) -> str | None:
    """Why a track has no vote; None where it has one."""
    if track.stop in {Stop.CANCELLED, Stop.ERROR}:
        return track.stop.value
    if track.answer is None:
        return "no answer"
    if rule.finished_only and track.stop is not Stop.FINISHED:
        return f"stopped by {track.stop.value if track.stop is not None else 'unknown'}"
    return None
