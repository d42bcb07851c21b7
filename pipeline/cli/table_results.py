"""The table itself, as it is printed: what its runs came to, cell by cell."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from rich.text import Text

import evaluators
from evaluators.reports import result_files, result_tables
from evaluators.reports.page_runs import ReportOptions
from evaluators.reports.safe_text import safe
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.metrics import MeasuredRun, graded_run, metrics_of
from evaluators.statistics.result_table import ResultTable, result_table
from pipeline.cli.leaderboard import write_page
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import RunStopped, UserMistake
from pipeline.review.asked_statements import LoadedAgain, hidden_datasets
from pipeline.review.step_labels import pocket_labels
from pipeline.stores.addresses import as_addresses
from pipeline.tables.cells import Cell, names_of
from pipeline.tables.planning import PlannedCell
from pipeline.tables.results import grade_what_is_new, sources
from pipeline.tables.table_file import TableFile

WRITERS = {
    "markdown": result_tables.as_markdown,
    "latex": result_files.as_latex,
    "csv": result_files.as_csv,
    "json": result_files.as_json,
}


def print_results(
    table: TableFile, planned: Sequence[PlannedCell], form: str, page: Path | None
) -> ResultTable:
    """Grade what is new, and print the table of what is there, which is returned.

    Raises:
        UserMistake: a run cannot be read.
        RunStopped: this machine cannot grade.
    """
    try:
        grade_what_is_new(planned)
        results = result_table(table.title, table.baseline, sources(planned))
    except NotGraded as error:
        raise UserMistake(str(error)) from error
    except evaluators.NoWorker as error:
        raise RunStopped(str(error)) from error
    if form == "table":
        _print(results)
    else:
        echo(as_addresses(WRITERS[form](results)))
    if page is None:
        return results
    measured = _measured(results, planned)
    if measured:
        write_page(measured, page, _page_options(results, measured))
    else:
        echo("No page was written: no attempt is recorded yet.", err=True)
    return results


def accuracies(results: ResultTable) -> dict[Path, dict[str, float]]:
    """Every run's accuracies with their intervals, as metrics of trackers.

    The names of the cells stand behind them where a run serves several.
    """
    measured = [cell for cell in results.in_order if cell.metrics is not None]
    served = Counter(cell.source.run for cell in measured)
    found: dict[Path, dict[str, float]] = {run: {} for run in served}
    for cell in measured:
        if cell.metrics is None:
            continue
        run, source = cell.source.run, cell.source
        name = f"/{source.row} / {source.column}" if served[run] > 1 else ""
        found[run][f"accuracy{name}"] = cell.metrics.accuracy
        if cell.metrics.uncertainty.population is not None:
            low, high = cell.metrics.uncertainty.population
            found[run] |= {f"accuracy_low{name}": low, f"accuracy_high{name}": high}
    return found


def _measured(results: ResultTable, planned: Sequence[PlannedCell]) -> list[MeasuredRun]:
    """The runs that have attempts, each once and whole, by the names of all its cells."""
    served: dict[Path, list[Cell]] = {}
    for one in planned:
        if results.cells[one.cell.row.name, one.cell.column.name].metrics is not None:
            served.setdefault(one.directory, []).append(one.cell)
    runs = {
        path: replace(graded_run(path), name=_names(results, cells))
        for path, cells in served.items()
    }
    return [MeasuredRun(path, run, metrics_of(run)) for path, run in runs.items()]


def _names(results: ResultTable, cells: Collection[Cell]) -> str:
    """What cells that share a run are called; without the name of an only column."""
    if len(results.columns) == 1:
        return ", ".join(cell.row.name for cell in cells)
    return names_of(cells)


def _page_options(results: ResultTable, measured: Sequence[MeasuredRun]) -> ReportOptions:
    there = [cell.source for cell in results.in_order]
    again = LoadedAgain()
    return ReportOptions(
        title=results.title,
        hidden_datasets=hidden_datasets(shown=False),
        step_labels=pocket_labels,
        statements=again.statements,
        groups=again.groups,
        parts=result_tables.page_parts(
            results, {one.path: one.run.manifest.slice for one in measured}
        ),
        seen={one.run: one.seen for one in there if one.seen is not None},
        # Of the cells that share a run the widest is nearest to the whole run, and comes last.
        dollars={
            one.run: one.dollars / one.attempts
            for one in sorted(there, key=lambda source: source.attempts)
            if one.dollars is not None and one.attempts
        },
    )


def _print(results: ResultTable) -> None:
    console = table_console()
    console.print(Text(safe(results.title), style="bold"))
    for part in result_tables.parts(results):
        print_table(
            console,
            part.headings,
            part.lines,
            title=part.title,
            notes=part.notes,
            keys=min(part.texts, 2),
            texts=part.texts,
        )
    columns = len(results.columns) > 1
    runs = dict.fromkeys(cell.source.run for cell in results.in_order if cell.metrics is not None)
    for run in runs:
        names = [
            f"{cell.source.row} / {cell.source.column}" if columns else cell.source.row
            for cell in results.in_order
            if cell.source.run == run
        ]
        console.print(Text(safe(as_addresses(f"{', '.join(names)}: {run}"))))
