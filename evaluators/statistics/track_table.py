"""What a run's verdict rows say beside the counts: times, the chosen track, and who was used.

Queries over the table that `evaluators.statistics.verdict_table` loads.
"""

from dataclasses import dataclass

import duckdb

TIMES = """
SELECT avg(seconds), quantile_cont(seconds, 0.5), min(seconds), max(seconds) FROM verdicts
"""
ANSWERED = TIMES + " WHERE answered"
CHOSEN = "SELECT avg(chosen_tokens) FROM verdicts"
GUIDED = """
SELECT track.name, count(*), count(*) FILTER (track.correct)
FROM (SELECT unnest(guided) AS track FROM verdicts) GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Times:
    """Wall seconds of attempts; None where no attempt says."""

    mean: float | None = None
    p50: float | None = None
    least: float | None = None
    longest: float | None = None


@dataclass(frozen=True, slots=True)
class Guided:
    """Tracks with one role or method: how many, and how many of their own answers are right."""

    name: str
    tracks: int
    correct: int

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.correct / self.tracks


@dataclass(frozen=True, slots=True)
class TrackTable:
    """Times of all recorded attempts and of those with an answer, and what tracks were.

    `chosen_tokens` are those of the accepted steps of the track whose text is the response, per
    attempt; None where no attempt says.
    """

    every: Times = Times()
    answered: Times = Times()
    chosen_tokens: float | None = None
    guided: tuple[Guided, ...] = ()


def track_table(database: duckdb.DuckDBPyConnection) -> TrackTable:
    """The figures of the verdicts that were loaded."""
    [every], [answered], [(chosen,)] = (
        database.execute(query).fetchall() for query in (TIMES, ANSWERED, CHOSEN)
    )
    guided = database.execute(GUIDED).fetchall()
    return TrackTable(
        Times(*every), Times(*answered), chosen, tuple(Guided(*one) for one in guided)
    )
