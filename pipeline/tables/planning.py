"""What a table's cells ask for, what of it is recorded, and what is missing."""

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.problems.problem_set import ProblemSet
from pipeline.runs.planning import Plan, plan, problems_of
from pipeline.runs.recorded import Key, Recorded
from pipeline.runs.scheduler import Work
from pipeline.runs.turns import Turn
from pipeline.tables.cells import Cell
from pipeline.tables.document import Document

NOTHING = Recorded({})


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell with its run directory and what is there.

    `place` is its row's and its column's number in the file. `trouble` says why it cannot be run
    here; then `plan` is None where not even its problems could be read.
    """

    cell: Cell
    place: tuple[int, int]
    directory: Path
    plan: Plan | None
    there: Recorded = NOTHING
    trouble: str | None = None

    @property
    def asked(self) -> int | None:
        """How many attempts it asks for; None where the problems are not known."""
        return None if self.plan is None else len(self.plan.asked)

    @property
    def recorded(self) -> int:
        """How many of them are recorded."""
        return self._count(self.there)

    @property
    def failed(self) -> int:
        """How many of the recorded ones are errors."""
        return self._count(Recorded(self.there.failed))

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.trouble is None and self.recorded == self.asked

    def _count(self, there: Recorded) -> int:
        return 0 if self.plan is None else sum(key in there for key in self.plan.asked)

    def work(self, kept: Recorded) -> Iterator[Work]:
        """What it asks for that is not kept; turns go by repeat, column, problem and row."""
        if self.plan is None:
            return
        row, column = self.place
        numbers = {problem_id: n for n, problem_id in enumerate(self.plan.asked.problems)}
        for one in self.plan.asked.missing(kept):
            turn: Turn = (one.repeat_id, column, numbers[one.problem.problem_id], row)
            yield replace(one, turn=turn)


@dataclass(frozen=True, slots=True)
class SharedRun:
    """A run directory with all cells that it serves, and all of their slices as one plan."""

    cells: tuple[PlannedCell, ...]
    plan: Plan

    @property
    def name(self) -> str:
        """Its first cell's name, and how many others it serves."""
        more = f" (+{len(self.cells) - 1})" if len(self.cells) > 1 else ""
        return f"{self.cells[0].cell.name}{more}"

    @property
    def cell_names(self) -> str:
        """The names of all its cells."""
        return ", ".join(one.cell.name for one in self.cells)

    def work(self, kept: Recorded) -> Iterator[Work]:
        """What any of its cells asks for that is not kept, each once, by turns."""
        seen: set[Key] = set()
        for one in heapq.merge(*(cell.work(kept) for cell in self.cells), key=_turn):
            key = one.problem.problem_id, one.repeat_id
            if key not in seen:
                seen.add(key)
                yield one


def _turn(work: Work) -> Turn:
    return work.turn


def plan_cells(cells: Sequence[Cell], document: Document, results: Path) -> tuple[PlannedCell, ...]:
    """Load the problems of every cell, each set once, and look at the run directories.

    Raises:
        UserMistake: a column's data file or range, or a row's prompts, are not there.
    """
    loaded: dict[tuple[object, ...], ProblemSet | UserMistake] = {}
    rows = list(dict.fromkeys(cell.row.name for cell in cells))
    columns = list(dict.fromkeys(cell.column.name for cell in cells))
    planned = []
    for cell in cells:
        asked = cell.experiment
        place = rows.index(cell.row.name), columns.index(cell.column.name)
        directory = results / asked.name()
        source = asked.dataset, asked.data_file, asked.seed
        if source not in loaded:
            loaded[source] = _problems(asked)
        problems = loaded[source]
        if isinstance(problems, UserMistake):
            if asked.data_file is not None:
                raise document.mistake(cell.column.keys, str(problems), cell.column.name)
            planned.append(PlannedCell(cell, place, directory, None, trouble=str(problems)))
            continue
        try:
            one = plan(asked, directory, problems)
        except UserMistake as error:
            raise document.mistake(
                cell.column.keys, f"{cell.name}: {error}", cell.column.name
            ) from error
        try:
            there, trouble = one.recorded(), None
        except UserMistake as error:
            there, trouble = NOTHING, str(error)
        planned.append(PlannedCell(cell, place, directory, one, there, trouble))
    return tuple(planned)


def _problems(experiment: Experiment) -> ProblemSet | UserMistake:
    try:
        return problems_of(experiment)
    except UserMistake as error:
        return error


def shared_runs(planned: Collection[PlannedCell]) -> tuple[SharedRun, ...]:
    """The run directories of the cells that can be run, each with all of its cells."""
    by_directory: dict[Path, list[PlannedCell]] = {}
    for one in planned:
        if one.plan is not None and one.trouble is None:
            by_directory.setdefault(one.directory, []).append(one)
    return tuple(SharedRun(tuple(cells), _as_one(cells)) for cells in by_directory.values())


def _as_one(cells: Sequence[PlannedCell]) -> Plan:
    """The plan that holds the slices of all these, which have the same settings."""
    plans = [one.plan for one in cells if one.plan is not None]
    first = plans[0]
    prompts = {name: prompt for one in plans for name, prompt in one.prompts.items()}
    experiments = [one.experiment for one in plans]
    return replace(
        first,
        experiment=replace(
            first.experiment,
            repeats=max(one.repeats for one in experiments),
            concurrency=max(one.concurrency for one in experiments),
        ),
        selected=tuple(one for one in first.problems.problems if one.problem_id in prompts),
        prompts=prompts,
    )
