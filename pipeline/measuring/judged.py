"""The runs of a measurement, graded: how often each decoder was right, and what that cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluators.statistics.comparison import compare_runs
from evaluators.statistics.metrics import graded_run, metrics_of
from pipeline.review.grading import grade_run
from pipeline.tables.results import is_graded


@dataclass(frozen=True, slots=True)
class Judged:
    """What a decoder's run came to, as the report has it."""

    accuracy: dict[str, Any]
    costs: dict[str, Any]
    difference: dict[str, Any] | None


def judge(runs: Sequence[Path]) -> dict[str, Judged]:
    """Grade the runs that need it, and compare each with the first; by the folders' names.

    Raises:
        UserMistake: a run cannot be read or written.
        evaluators.NoWorker: symbolic work cannot be done on this machine.
    """
    for run in runs:
        if not is_graded(run):
            grade_run(run)
    graded = [replace(graded_run(run), name=run.name) for run in runs]
    compared = {one.second: one for one in compare_runs(graded)} if len(graded) > 1 else {}
    judged = {}
    for one in graded:
        metrics, against = metrics_of(one), compared.get(one.name)
        interval = metrics.uncertainty.population
        judged[one.name] = Judged(
            accuracy={
                "mean": metrics.accuracy,
                "interval": None if interval is None else list(interval),
                "problems": metrics.problems,
                "repeats": metrics.repeats,
                **asdict(metrics.rates),
            },
            costs=asdict(metrics.costs),
            difference=None
            if against is None
            else {
                "mean": against.difference,
                "interval": list(against.interval),
                "p": against.p,
                "adjusted_p": against.adjusted_p,
                "wins": against.wins,
                "ties": against.ties,
                "losses": against.losses,
            },
        )
    return judged
