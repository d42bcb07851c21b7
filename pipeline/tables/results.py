"""What a table's runs came to: graded where they are not, each cell on its own slice."""

from collections.abc import Collection, Sequence
from pathlib import Path

import evaluators
from evaluators.run_files.run_manifest import Slice
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.metrics import graded_run
from evaluators.statistics.result_table import Reported, Source
from pipeline.problems.manifests import load_manifest
from pipeline.review.grading import grade_run
from pipeline.runs.directory import MANIFEST, recorded_attempts
from pipeline.runs.recorded import Recorded
from pipeline.tables.cells import Cell
from pipeline.tables.planning import PlannedCell
from pipeline.tables.prices import spent


def grade_what_is_new(planned: Collection[PlannedCell]) -> None:
    """Grade the runs whose verdicts are missing, old, or not of all their attempts.

    Raises:
        UserMistake: a run cannot be read or written.
        evaluators.NoWorker: symbolic work cannot be done on this machine.
    """
    for run in dict.fromkeys(one.directory for one in planned if one.trouble is None):
        if (run / MANIFEST).exists() and not is_graded(run):
            grade_run(run)


def is_graded(run: Path) -> bool:
    """Whether there are verdicts of all its attempts, by this grader."""
    try:
        totals = graded_run(run).totals
    except NotGraded:
        return False
    return (totals.rows, totals.grader_version) == (
        len(recorded_attempts(run)),
        evaluators.GRADER_VERSION,
    )


def sources(planned: Sequence[PlannedCell]) -> list[Source]:
    """The cells as they stand on the disk now.

    Raises:
        UserMistake: an attempt of a run cannot be read.
    """
    costs = spent(planned)
    made = []
    for one in planned:
        there = Recorded({}) if one.trouble is not None else recorded_attempts(one.directory)
        expected = one.cell.expected
        made.append(
            Source(
                row=one.cell.row.name,
                column=one.cell.column.name,
                run=one.directory,
                asked=_countable(one, there),
                attempts=0 if one.plan is None else sum(key in there for key in one.plan.asked),
                planned=one.asked,
                reported=None if expected is None else Reported(expected.value, expected.source),
                gpu_hours=costs[one.cell.name].gpu_hours,
                dollars=costs[one.cell.name].dollars,
                seen=seen(one.cell),
            )
        )
    return made


def seen(cell: Cell) -> str | None:
    """Why a model of the cell may have seen its problems: it was released after they were public.

    A year alone counts as its beginning: what may be so is said.
    """
    if cell.experiment.dataset is None:
        return None
    published = load_manifest(cell.experiment.dataset).published
    if published is None:
        return None
    late = [
        f"{card.name} ({card.released})"
        for card in {card.name: card for card in cell.cards.values()}.values()
        if card.released is not None and published <= card.released[: len(published)]
    ]
    if not late:
        return None
    return f"public since {published}, before the release of {' and '.join(late)}"


def _countable(one: PlannedCell, there: Recorded) -> Slice | None:
    """The largest fair slice that is recorded whole: repeats of all problems, or a first repeat."""
    if one.plan is None:
        return None
    ids = tuple(one.plan.asked.problems)
    whole = 0
    while whole < one.plan.asked.repeats and all((name, whole) in there for name in ids):
        whole += 1
    if whole:
        return Slice(problem_ids=ids, repeats=whole)
    begun = tuple(name for name in ids if (name, 0) in there)
    return Slice(problem_ids=begun, repeats=1) if begun else None
