"""What cells have cost so far and what is still to come, by the attempts that are recorded."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ledger import known_sum
from pipeline.records import Attempt
from pipeline.runs.directory import read_attempts
from pipeline.runs.estimate import tracks_of
from pipeline.runs.planning import Plan
from pipeline.runs.recorded import Key
from pipeline.tables.planning import PlannedCell


@dataclass(frozen=True, slots=True)
class ToGo:
    """What a cell still takes; None where nothing is recorded that says it.

    `attempts` are those that it lacks, `new` those of them that no cell before it asks for. Tokens
    and seconds are of the new ones. `tokens_at_most` is what the token budget allows. `seconds` are
    those of the attempts, one after another: several are in flight at a time. `by_role` are the
    tokens of each model.
    """

    attempts: int
    new: int
    tokens: float | None
    tokens_at_most: int
    seconds: float | None
    by_role: Mapping[str, float] | None = None


def to_go(planned: Sequence[PlannedCell]) -> list[ToGo | None]:
    """What is missing of each cell, in their order; None where its problems are not known.

    Raises:
        UserMistake: a recorded attempt cannot be read.
    """
    asked: dict[Path, set[Key]] = {}
    ahead = []
    for one in planned:
        before = asked.setdefault(one.directory, set())
        missing = {(work.problem.problem_id, work.repeat_id) for work in one.work(one.there)}
        new = len(missing - before)
        ahead.append(None if one.plan is None else _of_cell(one, one.plan, len(missing), new))
        before |= missing
    return ahead


def _of_cell(one: PlannedCell, plan: Plan, missing: int, new: int) -> ToGo:
    most = new * tracks_of(plan) * plan.experiment.token_budget
    if not new or not one.recorded:
        return ToGo(missing, new, None, most, None)
    seconds, tokens, counted = [], [], 0
    by_role: Counter[str] = Counter()
    for attempt in read_attempts(one.directory):
        if attempt.status == "ok" and attempt.seconds is not None:
            seconds.append(attempt.seconds)
            made = _generated(attempt)
            if None not in made.values():
                known = {role: count or 0 for role, count in made.items()}
                tokens.append(sum(known.values()))
                by_role.update(known)
                counted += 1
    return ToGo(
        attempts=missing,
        new=new,
        tokens=new * statistics.fmean(tokens) if tokens else None,
        tokens_at_most=most,
        seconds=new * statistics.fmean(seconds) if seconds else None,
        by_role={role: new * made / counted for role, made in by_role.items()} if counted else None,
    )


def _generated(attempt: Attempt) -> dict[str, int | None]:
    """The tokens that each model wrote for an attempt; None where its server did not say."""
    made: dict[str, int | None] = {}
    for role, uses in (attempt.usage or {}).items():
        made[role] = 0
        for use in uses.values():
            made[role] = known_sum(made[role], use.generated)
    return made
