"""How tracks' answers become the attempt's answer: classes of equal answers, and rules over them.

A pure function of recorded tracks: every rule can be computed again from any run.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluators import same_answer
from pipeline.reasoner_settings import VoteRule
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
        """The answer as its first track wrote it."""
        return self.tracks[0].answer or ""

    @property
    def size(self) -> int:
        """How many tracks say so."""
        return len(self.tracks)


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
    """The tracks by equal answers, first come first; undecided equality is none."""
    classes: list[list[Track]] = []
    for track in tracks:
        for members in classes:
            if same_answer(members[0].answer or "", track.answer or "", kind) is True:
                members.append(track)
                break
        else:
            classes.append([track])
    return [AnswerClass(tuple(members)) for members in classes]


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


def _largest(classes: list[AnswerClass]) -> Decision:
    sizes = tuple(float(one.size) for one in classes)
    winner = classes[sizes.index(max(sizes))]
    tied = sizes.count(max(sizes)) > 1
    reason = f"{winner.size} of {int(sum(sizes))} votes"
    return Decision(
        sizes, winner, winner.tracks[0], reason + ("; the first of a tie" if tied else "")
    )


def _longest(classes: list[AnswerClass]) -> Decision:
    lengths = tuple(float(max(map(tokens_of, one.tracks))) for one in classes)
    winner = classes[lengths.index(max(lengths))]
    return Decision(
        lengths, winner, max(winner.tracks, key=tokens_of), "the longest track with an answer"
    )


def _mean_score(classes: list[AnswerClass]) -> Decision:
    means = tuple(statistics.fmean(map(mean_score, one.tracks)) for one in classes)
    winner = classes[means.index(max(means))]
    return Decision(
        means, winner, max(winner.tracks, key=mean_score), "the highest mean score of its tracks"
    )


def _score_weighted(classes: list[AnswerClass]) -> Decision:
    weights = tuple(float(sum(map(mean_score, one.tracks))) for one in classes)
    winner = classes[weights.index(max(weights))]
    return Decision(
        weights, winner, max(winner.tracks, key=mean_score), "the largest sum of mean scores"
    )


def _ssr_v1(classes: list[AnswerClass]) -> Decision:
    sizes = tuple(float(one.size) for one in classes)
    if max(sizes) > 1:
        winner = classes[sizes.index(max(sizes))]
        return Decision(
            sizes, winner, max(winner.tracks, key=tokens_of), "repeated answer, its longest track"
        )
    longest = _longest(classes)
    return Decision(sizes, longest.winner, longest.chosen, "all different, the longest track")


def _ssr_v2(classes: list[AnswerClass]) -> Decision:
    sizes = tuple(float(one.size) for one in classes)
    if max(sizes) > 1 and sizes.count(max(sizes)) == 1:
        winner = classes[sizes.index(max(sizes))]
        return Decision(
            sizes, winner, max(winner.tracks, key=tokens_of), "clear majority, its longest track"
        )
    tracks = [track for one in classes for track in one.tracks]
    best = max(tracks, key=ssr_mean_score)
    winner = next(one for one in classes if best in one.tracks)
    return Decision(sizes, winner, best, "no clear majority, the highest mean score (rewritten: 9)")


_RULES: dict[VoteRule, Callable[[list[AnswerClass]], Decision]] = {
    "majority": _largest,
    "longest": _longest,
    "mean-score": _mean_score,
    "score-weighted": _score_weighted,
    "ssr-v1": _ssr_v1,
    "ssr-v2": _ssr_v2,
}
