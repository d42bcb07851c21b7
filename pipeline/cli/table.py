"""`speclrm table`: a file of experiments, planned, run, and printed as one table."""

import contextlib
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import click

from pipeline.cli.following import followed
from pipeline.cli.reasoner_options import roles
from pipeline.cli.run_folders import StagingDir, WrittenRun
from pipeline.cli.table_plan import changed_lines, plan_as_json, print_plan, server_lines
from pipeline.cli.table_progress import live_table
from pipeline.cli.table_results import WRITERS, accuracies, print_results
from pipeline.cli.table_settings import RunOptions
from pipeline.cli.terminal import counted, echo
from pipeline.engines.masking import Secrets
from pipeline.errors import UserMistake
from pipeline.runs.planning import RESULTS
from pipeline.runs.scheduler import Progress
from pipeline.runs.unstaging import unstage
from pipeline.tables.cells import Cell, cells_of, chosen
from pipeline.tables.lock_file import invalidated, write_lock
from pipeline.tables.planning import PlannedCell, plan_cells, shared_runs
from pipeline.tables.running import TableRun, run_table
from pipeline.tables.table_file import TableFile, read_table
from pipeline.trackers import TrackerEntry, tracker_entry
from pipeline.trackers.following import Followed

INCOMPLETE = 1


@click.command("table")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what is there and what is missing, and stop.")
@click.option(
    "--gpus",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="With --dry-run: how long N GPUs take, by tokens_per_second of the cards.",
)
@click.option("--report", is_flag=True, help="Print the table of what is there, and run nothing.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *WRITERS]),
    default="table",
    show_default=True,
    help="How the table is printed.",
)
@click.option("--json", "form", flag_value="json", help="--format json; of --dry-run the plan.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a page with every trace, which opens from disk.",
)
@click.option("--rows", multiple=True, metavar="NAME,…", help="Only these rows, or sweeps.")
@click.option("--columns", multiple=True, metavar="NAME,…", help="Only these columns.")
@click.option("--only-missing", is_flag=True, help="Only cells that are not complete.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value than the file's: models.qwq.model=pocket-target",
)
@click.option("--retry-errors", is_flag=True, help="Redo failed attempts.")
@click.option("--tracker", metavar="NAME", help="Follow every run with: mlflow, wandb.")
@click.option(
    "--results",
    type=WrittenRun(holds_runs=True),
    default=RESULTS,
    show_default=True,
    help="The folder of the run directories.",
)
@click.option("--staging-dir", cls=StagingDir)
def table_command(  # noqa: PLR0917 - one parameter an option
    file: Path,
    dry_run: bool,
    gpus: tuple[int, ...],
    report: bool,
    form: str,
    page: Path | None,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    only_missing: bool,
    assignments: tuple[str, ...],
    retry_errors: bool,
    tracker: str | None,
    results: Path,
) -> None:
    """Run what is missing of the table in FILE, and print it.

    Its rows are reasoners with their models and settings, its columns problems; every cell is a
    run, and repeating the command goes on where it was. docs/tables.md explains the file.
    """
    if gpus and not dry_run:
        raise UserMistake("--gpus only plans; add --dry-run, or drop it.")
    _refuse_beside_report(
        {"--dry-run": dry_run, "--only-missing": only_missing, "--retry-errors": retry_errors},
        report=report,
    )
    table = read_table(file, assignments, roles())
    every = cells_of(table, RunOptions())
    names = {name for cell in every for name in (cell.row.name, cell.row.family, cell.column.name)}
    cells = chosen(every, _listed(rows, names), _listed(columns, names))
    planned = plan_cells(cells, table.document, results)
    wanted = tuple(one for one in planned if not (only_missing and one.complete))
    changed = invalidated(file, planned)
    entry = None if tracker is None else tracker_entry(tracker)
    if report:
        with followed(entry, _to_follow(entry, planned)) as following:
            printed = print_results(
                table, _with_baseline(table, every, planned, results), form, page
            )
            following.graded |= accuracies(printed)
        return
    if dry_run:
        if form == "json":
            echo(plan_as_json(table, wanted, changed, gpus))
        else:
            print_plan(table, wanted, changed, gpus)
        return
    for line in (*changed_lines(changed), *server_lines(wanted)):
        echo(line, err=True)
    write_lock(file, table.title, planned)
    log = results / f"{file.stem}.engine.log"
    runs = shared_runs(wanted)
    directories = {one.name: one.plan.directory for one in runs}

    @contextlib.contextmanager
    def display(progress: Mapping[str, Progress]) -> Iterator[None]:
        watched = {directories[name]: one for name, one in progress.items()}
        with live_table(progress), following.watching(watched):
            yield

    with followed(entry, _to_follow(entry, planned, retry_errors=retry_errors)) as following:
        result = run_table(runs, log, retry_errors=retry_errors, display=display)
        # Only now the directories hold what the run has made.
        planned = plan_cells(cells, table.document, results)
        complete = _tell(result, planned)
        printed = print_results(table, _with_baseline(table, every, planned, results), form, page)
        following.graded |= accuracies(printed)
    for run in shared_runs(planned):
        if all(one.complete for one in run.cells):
            unstage(run.plan.directory)
    if not complete or not all(one.complete for one in planned):
        sys.exit(INCOMPLETE)


def _refuse_beside_report(work: Mapping[str, bool], *, report: bool) -> None:
    idle = [option for option, given in work.items() if given]
    if report and idle:
        raise UserMistake(f"--report only prints what is there; drop {idle[0]}, or --report.")


def _to_follow(
    entry: TrackerEntry | None, planned: Sequence[PlannedCell], *, retry_errors: bool = False
) -> list[Followed]:
    """Every run directory of the cells, where there is a tracker."""
    runs = shared_runs(planned) if entry is not None else ()
    return [Followed.of(one.plan, retry_errors=retry_errors) for one in runs]


def _with_baseline(
    table: TableFile, every: Sequence[Cell], planned: Sequence[PlannedCell], results: Path
) -> tuple[PlannedCell, ...]:
    """The cells and, before them, those of the baseline that they are compared with."""
    columns = {one.cell.column.name for one in planned}
    there = {one.cell.name for one in planned}
    more = [
        cell
        for cell in every
        if cell.row.name == table.baseline
        and cell.column.name in columns
        and cell.name not in there
    ]
    return (*plan_cells(more, table.document, results), *planned)


def _tell(result: TableRun, planned: Collection[PlannedCell]) -> bool:
    """Say what came of the run; whether every cell is complete and no attempt failed."""
    for name, warnings in result.warnings.items():
        for warning in warnings:
            echo(f"Warning: {name}: {warning}", err=True)
    troubles = {
        **{one.cell.name: one.trouble for one in planned if one.trouble is not None},
        **result.troubles,
    }
    for name, trouble in troubles.items():
        echo(Secrets.of().masked(f"Not complete: {name}: {trouble}"), err=True)
    for name, failure in result.failures.items():
        echo(Secrets.of().masked(f"Failed: {name}: {failure}."), err=True)
    echo(f"{counted(result.made, 'attempt')} made, {result.failed} failed.", err=True)
    if result.interrupted:
        echo("Interrupted: repeat the command to continue.", err=True)
    return not troubles and not result.failed and not result.interrupted


def _listed(asked: Collection[str], names: Collection[str]) -> list[str]:
    """Names that are given one by one, or several with commas; some of `names` have commas."""
    return [
        name.strip()
        for given in asked
        for name in ([given] if given in names else given.split(","))
        if name.strip()
    ]
