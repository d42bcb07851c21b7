"""A table of runs: each cell measured on its own slice, and compared with its column's baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluators.run_files.run_manifest import Slice
from evaluators.statistics.comparison import Comparison, NotComparable, compare_runs, holm
from evaluators.statistics.metrics import GradedRun, RunMetrics, graded_run, metrics_of


@dataclass(frozen=True, slots=True)
class Reported:
    """An accuracy that somebody else reports, a share of 1, and where."""

    value: float
    source: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """What a cell of the table is measured from.

    `asked` is the slice of the run that counts, of which every attempt is recorded; None where no
    attempt is. `attempts` of the `planned` ones are recorded; `planned` is None where the problems
    are not known. `gpu_hours` and `dollars` are those of its attempts, None where no price is
    known. `seen` says why a model may have seen the problems, None where nothing says so.
    """

    row: str
    column: str
    run: Path
    asked: Slice | None
    attempts: int
    planned: int | None
    reported: Reported | None = None
    gpu_hours: float | None = None
    dollars: float | None = None
    seen: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every planned attempt is recorded."""
        return self.attempts == self.planned


@dataclass(frozen=True, slots=True)
class ResultCell:
    """A cell: its numbers, and its difference to the baseline's cell of the same column.

    `metrics` is None where no attempt is recorded. `against` is None for the baseline itself and
    where `not_compared` says why; its adjusted p is Holm's over all comparisons of the table.
    """

    source: Source
    metrics: RunMetrics | None
    against: Comparison | None = None
    not_compared: str | None = None

    @property
    def within(self) -> bool | None:
        """Whether the reported accuracy lies in the measured interval; None without either."""
        reported, metrics = self.source.reported, self.metrics
        if reported is None or metrics is None or metrics.uncertainty.population is None:
            return None
        low, high = metrics.uncertainty.population
        return low <= reported.value <= high


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table's cells by row and column; `baseline` is the row that others are compared with."""

    title: str
    baseline: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], ResultCell]

    @property
    def in_order(self) -> list[ResultCell]:
        """The cells that there are, row by row."""
        crossed = ((row, column) for row in self.rows for column in self.columns)
        return [self.cells[place] for place in crossed if place in self.cells]


def result_table(title: str, baseline: str, sources: Sequence[Source]) -> ResultTable:
    """Measure every cell, and compare it with the baseline of its column in pairs.

    Raises:
        NotGraded: a run's verdicts are missing, broken, or not of its attempts.
    """
    runs = {
        (one.row, one.column): replace(graded_run(one.run, one.asked), name=one.row)
        for one in sources
        if one.asked is not None
    }
    folders = {(one.row, one.column): one.run for one in sources}
    cells = {}
    for one in sources:
        place, base = (one.row, one.column), (baseline, one.column)
        run, first = runs.get(place), runs.get(base)
        cell = ResultCell(one, None if run is None else metrics_of(run))
        if run is not None and one.row != baseline:
            if first is None:
                cell = replace(cell, not_compared="the baseline has no attempts here")
            elif folders[base] == one.run:
                cell = replace(cell, not_compared="it is the baseline's run")
            else:
                cell = _compared(cell, first, run)
        cells[place] = cell
    return ResultTable(
        title=title,
        baseline=baseline,
        rows=tuple(dict.fromkeys(one.row for one in sources)),
        columns=tuple(dict.fromkeys(one.column for one in sources)),
        cells=_adjusted(cells),
    )


def _compared(cell: ResultCell, first: GradedRun, run: GradedRun) -> ResultCell:
    try:
        [against] = compare_runs([first, run])
    except NotComparable as error:
        return replace(cell, not_compared=str(error))
    return replace(cell, against=against)


def _adjusted(
    cells: Mapping[tuple[str, str], ResultCell],
) -> dict[tuple[str, str], ResultCell]:
    """The cells with p-values that are adjusted for all comparisons of the table."""
    made = {place: cell.against for place, cell in cells.items() if cell.against is not None}
    adjusted = dict(zip(made, holm([one.p for one in made.values()]), strict=True))
    return {
        place: cell
        if place not in made
        else replace(cell, against=replace(made[place], adjusted_p=adjusted[place]))
        for place, cell in cells.items()
    }
