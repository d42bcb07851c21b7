"""How tracks' answers become the attempt's answer: classes of equal answers, and rules over them.

A pure function of recorded tracks: every rule can be computed again from any run. The classes are a
function of the answers alone, not of their order; ties go to what comes first among the tracks.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evaluators import class_key
from pipeline.reasoners.settings import VoteRule
from pipeline.records import Excluded, Step, Stop, Track, Vote

SSR_REWRITTEN_SCORE = 9.0
"""What a rewritten step counts in the SSR scripts' mean, whatever its draft scored."""
NEEDS_SCORES: tuple[VoteRule, ...] = ("mean-score", "score-weighted", "ssr-v2")


@dataclass(frozen=True, slots=True)
class AnswerClass:
    """Tracks whose answers are the same, in the order of the tracks."""

    tracks: tuple[Track, ...]

    @property
    def answer(self) -> str:
        """The answer as most of its tracks wrote it."""
        return max(self.spellings, key=lambda one: len(one.tracks)).tracks[0].answer or ""

    @property
    def size(self) -> int:
        """How many tracks say so."""
        return len(self.tracks)

    @property
    def spellings(self) -> list["AnswerClass"]:
        """Its tracks by the very text of their answers: each is judged as one."""
        return _grouped(self.tracks, lambda track: track.answer or "")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule says of the classes: each one's standing, the winner, its track, and why."""

    standings: tuple[float, ...]
    winner: AnswerClass
    chosen: Track
    reason: str


def vote(tracks: Sequence[Track], kind: str, rule: VoteRule) -> Vote:
    """The vote of `tracks` under `rule`; ties go to the class whose track comes first."""
    excluded = tuple(
        Excluded(track.id, reason)
        for track in tracks
        if (reason := why_excluded(track, rule)) is not None
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
    decision = _RULES[rule](classes)
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
    if rule in {"ssr-v1", "ssr-v2"} and track.stop is not Stop.FINISHED:
        return f"stopped by {track.stop.value if track.stop is not None else 'unknown'}"
    return None


def answer_classes(tracks: Sequence[Track], kind: str) -> list[AnswerClass]:
    """The tracks by equal answers, first come first."""
    return _grouped(tracks, lambda track: class_key(track.answer or "", kind))


def _grouped(tracks: Sequence[Track], key: Callable[[Track], str]) -> list[AnswerClass]:
    groups: dict[str, list[Track]] = {}
    for track in tracks:
        groups.setdefault(key(track), []).append(track)
    return [AnswerClass(tuple(members)) for members in groups.values()]


def tokens_of(track: Track) -> int:
    """The tokens of a track's accepted steps, as far as they are known."""
    return sum(step.tokens or 0 for step in track.steps)


def mean_score(track: Track) -> float:
    """The mean score of the drafts that were kept; 0 where there is none."""
    scores = [one.score for one in track.steps if one.score is not None and one.author == "draft"]
    return statistics.fmean(scores) if scores else 0.0


def ssr_mean_score(track: Track) -> float:
    """The SSR scripts' mean: a rewritten step counts 9."""
    scores = [score for step in track.steps if (score := _ssr_score(step)) is not None]
    return statistics.fmean(scores) if scores else 0.0


def _ssr_score(step: Step) -> float | None:
    return SSR_REWRITTEN_SCORE if step.draft_text is not None else step.score


def standing_of(group: AnswerClass, rule: VoteRule) -> float:
    """What a class (or a spelling within one) has under a rule."""
    match rule:
        case "longest":
            return float(max(map(tokens_of, group.tracks)))
        case "mean-score":
            return statistics.fmean(map(mean_score, group.tracks))
        case "score-weighted":
            return math.fsum(map(mean_score, group.tracks))
    return float(group.size)


def _decided(
    classes: list[AnswerClass],
    rule: VoteRule,
    best: Callable[[Track], float],
    reason: str,
) -> Decision:
    """The class of the highest standing, in it the spelling of the highest, of that the best track.

    The spelling is chosen before the track, because a class may hold spellings that a gold answer
    tells apart: the verdict is that of most of the class, whichever track comes first.
    """
    standings = tuple(standing_of(one, rule) for one in classes)
    winner = classes[standings.index(max(standings))]
    spelling = max(winner.spellings, key=lambda one: standing_of(one, rule))
    return Decision(standings, winner, max(spelling.tracks, key=best), reason)


def _largest(classes: list[AnswerClass]) -> Decision:
    sizes = [one.size for one in classes]
    tied = "; the first of a tie" if sizes.count(max(sizes)) > 1 else ""
    return _decided(classes, "majority", lambda _: 0.0, f"{max(sizes)} of {sum(sizes)} votes{tied}")


def _longest(classes: list[AnswerClass]) -> Decision:
    return _decided(classes, "longest", tokens_of, "the longest track with an answer")


def _mean_score(classes: list[AnswerClass]) -> Decision:
    return _decided(classes, "mean-score", mean_score, "the highest mean score of its tracks")


def _score_weighted(classes: list[AnswerClass]) -> Decision:
    return _decided(classes, "score-weighted", mean_score, "the largest sum of mean scores")


def _ssr_v1(classes: list[AnswerClass]) -> Decision:
    if max(one.size for one in classes) > 1:
        return _decided(classes, "ssr-v1", tokens_of, "repeated answer, its longest track")
    longest = _longest(classes)
    return replace(
        longest,
        standings=(1.0,) * len(classes),
        reason="all different, the longest track",
    )


def _ssr_v2(classes: list[AnswerClass]) -> Decision:
    sizes = [one.size for one in classes]
    if max(sizes) > 1 and sizes.count(max(sizes)) == 1:
        return _decided(classes, "ssr-v2", tokens_of, "clear majority, its longest track")
    best = max((track for one in classes for track in one.tracks), key=ssr_mean_score)
    return Decision(
        standings=tuple(map(float, sizes)),
        winner=next(one for one in classes if best in one.tracks),
        chosen=best,
        reason="no clear majority, the highest mean score (rewritten: 9)",
    )


_RULES: dict[VoteRule, Callable[[list[AnswerClass]], Decision]] = {
    "majority": _largest,
    "longest": _longest,
    "mean-score": _mean_score,
    "score-weighted": _score_weighted,
    "ssr-v1": _ssr_v1,
    "ssr-v2": _ssr_v2,
}
