"""What cells have cost so far and what is still to come, by the attempts that are recorded."""

import statistics
from dataclasses import dataclass

from pipeline.ledger import known_sum
from pipeline.runs.directory import read_attempts
from pipeline.runs.estimate import tracks_of
from pipeline.tables.planning import PlannedCell


@dataclass(frozen=True, slots=True)
class ToGo:
    """What a cell still takes; None where nothing is recorded that says it.

    `tokens_at_most` is what the token budget allows. `seconds` are those of the attempts, one
    after another: several are in flight at a time.
    """

    attempts: int
    tokens: float | None
    tokens_at_most: int
    seconds: float | None


def to_go(one: PlannedCell) -> ToGo | None:
    """What is missing of a cell; None where its problems are not known.

    Raises:
        UserMistake: a recorded attempt cannot be read.
    """
    if one.plan is None:
        return None
    missing = len(one.plan.asked) - one.recorded
    most = missing * tracks_of(one.plan) * one.plan.experiment.token_budget
    if not missing or not one.recorded:
        return ToGo(missing, None, most, None)
    seconds, tokens = [], []
    for attempt in read_attempts(one.directory):
        if attempt.status == "ok" and attempt.seconds is not None:
            seconds.append(attempt.seconds)
            made: int | None = 0
            for uses in (attempt.usage or {}).values():
                for use in uses.values():
                    made = known_sum(made, use.generated)
            tokens += [] if made is None else [made]
    return ToGo(
        attempts=missing,
        tokens=missing * statistics.fmean(tokens) if tokens else None,
        tokens_at_most=most,
        seconds=missing * statistics.fmean(seconds) if seconds else None,
    )
