"""The rules by which tracks vote: each is one entry, with all that the others know of it."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.errors import Misdeclared
from pipeline.reasoners.answer_classes import AnswerClass, mean_score, tokens_of
from pipeline.reasoners.settings import MAX_SCORE
from pipeline.records import Step, Track
from pipeline.registry import Registry

SSR_REWRITTEN_SCORE = 9.0
"""What a rewritten step counts in the SSR scripts' mean, whatever its draft scored."""

Standing = Callable[[AnswerClass], float]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule says of the classes: each one's standing, the winner, its track, and why."""

    standings: tuple[float, ...]
    winner: AnswerClass
    chosen: Track
    reason: str


@dataclass(frozen=True, slots=True)
class VoteRule:
    """One rule: a pure function of classes of equal answers, of which there is at least one.

    `finished_only` leaves tracks without a vote that did not finish. What `--fast exact` goes by:
    `standing` is what a class (or a spelling within one) has under the rule, `most` what one more
    track can add to it (None: any track can win, and nothing is decided before the last one), and
    `decided_from` the least size of the leading class at which standings decide.
    """

    name: str
    decide: Callable[[Sequence[AnswerClass]], Decision]
    standing: Standing
    finished_only: bool = False
    most: float | None = None
    decided_from: int = 1

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no rule."""
        for what, given in (("decides", self.decide), ("weighs", self.standing)):
            if not callable(given):
                raise Misdeclared(f"what {what} is no function")
        if self.most is not None and not 0 <= self.most < math.inf:
            raise Misdeclared(f"the most that a track adds is {self.most}, and must be 0 or more")


def _size(group: AnswerClass) -> float:
    return float(group.size)


def _most_tokens(group: AnswerClass) -> float:
    return float(max(map(tokens_of, group.tracks)))


def _mean_of_scores(group: AnswerClass) -> float:
    return statistics.fmean(map(mean_score, group.tracks))


def _sum_of_scores(group: AnswerClass) -> float:
    return math.fsum(map(mean_score, group.tracks))


def ssr_mean_score(track: Track) -> float:
    """The SSR scripts' mean: a rewritten step counts 9."""
    scores = [score for step in track.steps if (score := _ssr_score(step)) is not None]
    return statistics.fmean(scores) if scores else 0.0


def _ssr_score(step: Step) -> float | None:
    return SSR_REWRITTEN_SCORE if step.draft_text is not None else step.score


def by_standing(
    classes: Sequence[AnswerClass],
    standing: Standing,
    best: Callable[[Track], float],
    reason: str,
) -> Decision:
    """The class of the highest standing, in it the spelling of the highest, of that the best track.

    The spelling is chosen before the track, because a class may hold spellings that a gold answer
    tells apart: the verdict is that of most of the class, whichever track comes first. Ties go to
    what comes first among the tracks.
    """
    standings = tuple(map(standing, classes))
    winner = classes[standings.index(max(standings))]
    spelling = max(winner.spellings, key=standing)
    return Decision(standings, winner, max(spelling.tracks, key=best), reason)


def _majority(classes: Sequence[AnswerClass]) -> Decision:
    sizes = [one.size for one in classes]
    tied = "; the first of a tie" if sizes.count(max(sizes)) > 1 else ""
    return by_standing(classes, _size, lambda _: 0.0, f"{max(sizes)} of {sum(sizes)} votes{tied}")


def _longest(classes: Sequence[AnswerClass]) -> Decision:
    return by_standing(classes, _most_tokens, tokens_of, "the longest track with an answer")


def _mean_score(classes: Sequence[AnswerClass]) -> Decision:
    reason = "the highest mean score of its tracks"
    return by_standing(classes, _mean_of_scores, mean_score, reason)


def _score_weighted(classes: Sequence[AnswerClass]) -> Decision:
    return by_standing(classes, _sum_of_scores, mean_score, "the largest sum of mean scores")


def _ssr_v1(classes: Sequence[AnswerClass]) -> Decision:
    if max(one.size for one in classes) > 1:
        return by_standing(classes, _size, tokens_of, "repeated answer, its longest track")
    return replace(
        _longest(classes),
        standings=(1.0,) * len(classes),
        reason="all different, the longest track",
    )


def _ssr_v2(classes: Sequence[AnswerClass]) -> Decision:
    sizes = [one.size for one in classes]
    if max(sizes) > 1 and sizes.count(max(sizes)) == 1:
        return by_standing(classes, _size, tokens_of, "clear majority, its longest track")
    best = max((track for one in classes for track in one.tracks), key=ssr_mean_score)
    return Decision(
        standings=tuple(map(float, sizes)),
        winner=next(one for one in classes if best in one.tracks),
        chosen=best,
        reason="no clear majority, the highest mean score (rewritten: 9)",
    )


_BUILT_IN = (
    VoteRule("majority", _majority, _size, most=1),
    VoteRule("longest", _longest, _most_tokens),
    VoteRule("mean-score", _mean_score, _mean_of_scores),
    VoteRule("score-weighted", _score_weighted, _sum_of_scores, most=MAX_SCORE),
    # They go by size only where an answer is repeated; a lead in size is a clear majority.
    VoteRule("ssr-v1", _ssr_v1, _size, finished_only=True, most=1, decided_from=2),
    VoteRule("ssr-v2", _ssr_v2, _size, finished_only=True, most=1, decided_from=2),
)
VOTE_RULES = Registry("votes", VoteRule, {rule.name: rule for rule in _BUILT_IN})


def vote_rule(name: str) -> VoteRule:
    """The rule of that name.

    Raises:
        UserMistake: there is none, or a plug-in has it that cannot be used.
    """
    return VOTE_RULES.entry(name)


def decide_by(rule: VoteRule, classes: Sequence[AnswerClass]) -> Decision:
    """The decision of a rule, which may be somebody else's code.

    Raises:
        UserMistake: the rule fails, or what it says is no decision about these classes.
    """
    with VOTE_RULES.blamed(rule.name):
        decision = rule.decide(classes)
        flaw = _flaw(decision, classes)
        if flaw is not None:
            raise Misdeclared(flaw)
        return decision


def standing_by(rule: VoteRule, group: AnswerClass) -> float:
    """What a class has under a rule, which may be somebody else's code.

    Raises:
        UserMistake: the rule fails, or that is no finite number.
    """
    with VOTE_RULES.blamed(rule.name):
        standing = rule.standing(group)
        if not math.isfinite(standing):
            raise Misdeclared(f"its standing of a class is no finite number: {standing}")
        return standing


def _flaw(decision: Decision, classes: Sequence[AnswerClass]) -> str | None:
    """What makes it no decision about these classes."""
    if len(decision.standings) != len(classes):
        return f"it has {len(decision.standings)} standings for {len(classes)} classes"
    if not all(math.isfinite(one) for one in decision.standings):
        return f"its standings are no finite numbers: {', '.join(map(str, decision.standings))}"
    if decision.winner not in classes or decision.chosen not in decision.winner.tracks:
        return "the track that it chose is none of the winner's, or the winner none of the classes"
    return None
