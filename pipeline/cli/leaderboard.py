"""`speclrm leaderboard`: graded runs side by side."""

import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from evaluators.reports import board_columns, leaderboard
from evaluators.reports.board_columns import Column
from evaluators.reports.html_page import write_report
from evaluators.reports.page_runs import DEFAULT_TITLE, ReportOptions
from evaluators.run_files.run_names import NoSuchBaseline, baseline_name
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.estimators import TooFewAttempts
from evaluators.statistics.groups import KINDS, GroupAccuracy, accuracy_by
from evaluators.statistics.metrics import MeasuredRun, measured_runs
from pipeline.cli.board_print import Shown, print_board
from pipeline.cli.finite import MARGIN
from pipeline.cli.run_folders import ReadRuns, address_as_folder, all_of
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.review.asked_statements import LoadedAgain, hidden_datasets
from pipeline.review.budgets import budgets_of, runs_by_budget
from pipeline.review.step_labels import pocket_labels

BUDGET = "budget"
DATA_WRITERS = {"csv": leaderboard.as_csv, "json": leaderboard.as_json}


@click.command("leaderboard")
@click.argument("runs", nargs=-1, required=True, type=ReadRuns(), callback=all_of)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", *DATA_WRITERS]),
    default="table",
    show_default=True,
)
@click.option(
    "--baseline",
    metavar="RUN",
    callback=address_as_folder,
    help="Show costs relative to this run (folder or name).",
)
@click.option(
    "--k", type=click.IntRange(min=1), help="k of pass@k and maj@k; all repeats if unset."
)
@click.option("--wide", is_flag=True, help="Every column, in blocks where they do not fit.")
@click.option(
    "--columns",
    "asked",
    metavar="NAME,…",
    help="These columns: " + ", ".join(board_columns.BY_NAME) + ".",
)
@click.option(
    "--by",
    type=click.Choice([*KINDS, BUDGET]),
    help="Also the accuracy by level or by subject; or each run with several thinking budgets as "
    "a run for each.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a page with every trace, which opens from disk.",
)
@click.option("--title", help="Of the page.")
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
    wide: bool,
    asked: str | None,
    by: str | None,
    page: Path | None,
    title: str | None,
    margin: float | None,
    show_hidden: bool,
) -> None:
    """Compare graded RUNS: accuracy and what it cost.

    On a terminal the table has the columns that matter, and of the others those that fit.

    Errors, missing and truncated attempts stay in the denominator of every accuracy.
    """
    columns = _columns(asked)
    _refuse_idle_options(form, wide=wide, columns=columns)
    if show_hidden and page is None:
        raise UserMistake("--show-hidden applies to the page; give --html PATH too.")
    if title is not None and page is None:
        raise UserMistake("--title is the page's; give --html PATH too.")
    if margin is not None and page is None:
        raise UserMistake("--margin applies to the page; give --html PATH too, or use compare.")
    if by == BUDGET:
        runs, by = _at_each_budget(runs), None
    try:
        name = None if baseline is None else baseline_name(runs, baseline)
        measured = measured_runs(runs, k)
        again = LoadedAgain()
        groups = {} if by is None else _groups(measured, by, again)
        rows = leaderboard.rows([one.metrics for one in measured], name, groups)
    except (NotGraded, NoSuchBaseline, TooFewAttempts) as error:
        raise UserMistake(str(error)) from error
    if form == "table":
        print_board(rows, Shown(wide, columns, with_votes=k is not None, baseline=name, by=by))
    elif form == "markdown":
        echo(board_columns.as_markdown(rows, columns or None))
    else:
        echo(DATA_WRITERS[form](rows))
    if page is not None:
        hidden = hidden_datasets(shown=show_hidden)
        options = ReportOptions(
            title=title or DEFAULT_TITLE,
            baseline=name,
            hidden_datasets=hidden,
            step_labels=pocket_labels,
            statements=again.statements,
            groups=again.groups,
            groups_of_hidden=by is not None,
            margin=None if margin is None else margin / 100,
        )
        write_page(measured, page, options)


def _columns(asked: str | None) -> list[Column]:
    """The columns of these names, in the order in which they are asked for."""
    if asked is None:
        return []
    names = [name.strip().lower() for name in asked.split(",")]
    known = board_columns.BY_NAME
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UserMistake(
                f"--columns knows no column {name!r}.{hint} There are: {', '.join(known)}."
            )
    # A row is known by its run.
    return [known[name] for name in dict.fromkeys(["run", *names])]


def _at_each_budget(runs: Sequence[Path]) -> tuple[Path, ...]:
    """The runs, in place of each that has several thinking budgets one for each of them.

    Raises:
        UserMistake: there is none of these.
    """
    if not any(map(budgets_of, runs)):
        raise UserMistake(
            "--by budget needs a run with several thinking budgets, such as "
            "--thinking-budget 256,512,1024; none of these has them."
        )
    scratch = click.get_current_context().with_resource(
        tempfile.TemporaryDirectory(prefix="speclrm-")
    )
    made: list[Path] = []
    for number, run in enumerate(runs):
        made += runs_by_budget(run, Path(scratch) / str(number)) if budgets_of(run) else [run]
    return tuple(made)


def _groups(
    runs: list[MeasuredRun], kind: str, again: LoadedAgain
) -> dict[str, dict[str, tuple[GroupAccuracy, ...]]]:
    """Each run's accuracies in the groups of this kind.

    Raises:
        UserMistake: no run's dataset says what kind its problems are of.
    """
    found = {one.run.name: again.groups(one.path) for one in runs}
    made = {
        one.run.name: {kind: accuracy_by(one.run, found[one.run.name].by_kind.get(kind, {}))}
        for one in runs
    }
    if not any(groups[kind] for groups in made.values()):
        sets = ", ".join(sorted({one.run.identity.dataset for one in runs}))
        missing = next((groups.missing for groups in found.values() if groups.missing), None)
        why = missing or f"no {kind} stands in its rows"
        raise UserMistake(f"The {kind} of the problems of {sets} is not known: {why}.")
    return made


def _refuse_idle_options(form: str, *, wide: bool, columns: list[Column]) -> None:
    if wide and columns:
        raise UserMistake("--wide shows every column and --columns some; give one of them.")
    if wide and form != "table":
        raise UserMistake(f"--wide applies to the table; --format {form} has every column.")
    if columns and form in DATA_WRITERS:
        raise UserMistake(f"--format {form} has every number; --columns applies to the others.")


def write_page(runs: list[MeasuredRun], page: Path, options: ReportOptions) -> None:
    """Write the page of runs, and say where it is.

    Raises:
        UserMistake: a run is not graded as it is, or the page cannot be written.
    """
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
