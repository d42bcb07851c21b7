"""`speclrm leaderboard`: graded runs side by side."""

from pathlib import Path

import click
from rich.text import Text

from evaluators.reports import leaderboard
from evaluators.reports.html_page import ReportOptions, write_report
from evaluators.reports.leaderboard import Row
from evaluators.run_files.run_names import NoSuchBaseline, baseline_name
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.estimators import TooFewAttempts
from evaluators.statistics.metrics import MeasuredRun, measured_runs
from pipeline.cli.finite import MARGIN
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.review.asked_statements import hidden_datasets, statement_reader
from pipeline.review.step_labels import pocket_labels

WRITERS = {
    "markdown": leaderboard.as_markdown,
    "csv": leaderboard.as_csv,
    "json": leaderboard.as_json,
}
TEXT_COLUMNS = 3
"""The run, its reasoner and its model."""


@click.command("leaderboard")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *WRITERS]),
    default="table",
    show_default=True,
)
@click.option("--baseline", metavar="RUN", help="Show costs relative to this run (folder or name).")
@click.option(
    "--k", type=click.IntRange(min=1), help="k of pass@k and maj@k; all repeats if unset."
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a page with every trace, which opens from disk.",
)
@click.option(
    "--margin",
    type=MARGIN,
    metavar="POINTS",
    help="On the page: which runs are not worse than the baseline by more than this.",
)
@click.option(
    "--show-hidden",
    "--show-gpqa",
    is_flag=True,
    help="Put the texts of gated datasets into the page; GPQA's authors ask not to publish them.",
)
def leaderboard_command(  # noqa: PLR0917 - one parameter an option
    runs: tuple[Path, ...],
    form: str,
    baseline: str | None,
    k: int | None,
    page: Path | None,
    margin: float | None,
    show_hidden: bool,
) -> None:
    """Compare graded RUNS: accuracy and what it cost.

    Errors, missing and truncated attempts stay in the denominator of every accuracy.
    """
    if show_hidden and page is None:
        raise UserMistake("--show-hidden applies to the page; give --html PATH too.")
    if margin is not None and page is None:
        raise UserMistake("--margin applies to the page; give --html PATH too, or use compare.")
    try:
        name = None if baseline is None else baseline_name(runs, baseline)
        measured = measured_runs(runs, k)
        rows = leaderboard.rows([one.metrics for one in measured], name)
    except (NotGraded, NoSuchBaseline, TooFewAttempts) as error:
        raise UserMistake(str(error)) from error
    if form == "table":
        _print_table(rows)
    else:
        echo(WRITERS[form](rows))
    if page is not None:
        hidden = hidden_datasets(shown=show_hidden)
        options = ReportOptions(
            baseline=name,
            hidden_datasets=hidden,
            step_labels=pocket_labels,
            statements=statement_reader(),
            margin=None if margin is None else margin / 100,
        )
        _write_page(measured, page, options)


def _write_page(runs: list[MeasuredRun], page: Path, options: ReportOptions) -> None:
    try:
        report = write_report(runs, page, options)
    except NotGraded as error:
        raise UserMistake(str(error)) from error
    except OSError as error:
        raise UserMistake(
            f"Cannot write {page} ({error.strerror}); choose another place."
        ) from error
    beside = f", traces in {report.folder}" if report.folder is not None else ""
    echo(f"{report.page}: {report.attempts} attempts{beside}", err=True)


def _print_table(rows: list[Row]) -> None:
    console = table_console()
    absent = leaderboard.absent_rates(rows)
    columns = [
        column
        for column in leaderboard.shown_columns(rows)
        if leaderboard.HEADINGS[column] not in absent
    ]
    print_table(
        console,
        [leaderboard.HEADINGS[column] for column in columns],
        [[cells[column] for column in columns] for cells in map(leaderboard.cells, rows)],
        texts=TEXT_COLUMNS,
    )
    if absent:
        console.print(Text(f"Zero in every run: {', '.join(absent)}."))
    console.print(Text(leaderboard.notes(rows)))
    print_table(
        console, leaderboard.TIME_HEADINGS, leaderboard.time_cells(rows), title="Per attempt"
    )
    guided = leaderboard.guided_cells(rows)
    if guided:
        print_table(
            console,
            leaderboard.GUIDED_HEADINGS,
            guided,
            title="Tracks by role or method, each judged by its own answer",
            keys=2,
            texts=2,
        )
