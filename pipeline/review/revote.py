"""A run's votes under every rule, from its recorded tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import evaluators
from pipeline.errors import UserMistake
from pipeline.reasoners.vote import vote
from pipeline.reasoners.vote_rules import VOTE_RULES
from pipeline.records import Attempt
from pipeline.runs.directory import read_attempts


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule on one run: shares of its attempts (failed ones among them).

    `regret` is the share where a track was right and the vote was not; `changed` where the winner
    is another answer than the recorded one.
    """

    rule: str
    attempts: int
    accuracy: float
    regret: float
    changed: float


def revote(run: Path, rules: Sequence[str]) -> list[RuleResult]:
    """Vote again under each rule and grade what wins.

    Raises:
        UserMistake: there is no run, or none of its attempts has several tracks, or a rule cannot
            be used.
    """
    attempts = _voted_on(run)
    return [_under(rule, attempts) for rule in rules]


def revote_all(run: Path) -> tuple[list[RuleResult], list[UserMistake]]:
    """Vote again under every rule; and of those that cannot be used, why.

    Raises:
        UserMistake: there is no run, or none of its attempts has several tracks.
    """
    attempts = _voted_on(run)
    results, refused = [], []
    for rule in VOTE_RULES:
        try:
            results.append(_under(rule, attempts))
        except UserMistake as broken:
            refused.append(broken)
    return results, refused


def _voted_on(run: Path) -> list[Attempt]:
    attempts = list(read_attempts(run))
    if not any(len(attempt.tracks) > 1 for attempt in attempts):
        raise UserMistake(f"{run} has only one track per attempt; there is nothing to vote on.")
    return attempts


def _under(rule: str, attempts: list[Attempt]) -> RuleResult:
    right = regret = changed = 0
    for attempt in attempts:
        voted = vote(attempt.tracks, attempt.kind, rule)
        verdicts = {
            track.id: evaluators.grade(track.text, attempt.gold, attempt.kind).correct
            for track in attempt.tracks
        }
        won = voted.chosen is not None and verdicts[voted.chosen]
        right += won
        regret += any(verdicts.values()) and not won
        changed += not _same(voted.winner, attempt)
    total = len(attempts)
    return RuleResult(rule, total, right / total, regret / total, changed / total)


def _same(winner: str | None, attempt: Attempt) -> bool:
    if winner is None or attempt.answer is None:
        return winner == attempt.answer
    winning, recorded = (
        evaluators.class_key(answer, attempt.kind) for answer in (winner, attempt.answer)
    )
    return winning == recorded
