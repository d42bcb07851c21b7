"""`speclrm compare`: graded runs against the first of them, in pairs."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from evaluators.reports import comparison_table
from evaluators.reports.comparison_table import PairColumn
from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.run_names import shortened_names
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.comparison import (
    Comparison,
    Discordant,
    NotComparable,
    compare_runs,
    refuse_itself,
)
from evaluators.statistics.metrics import graded_runs
from pipeline.cli.finite import MARGIN
from pipeline.cli.run_folders import ReadRuns, all_of
from pipeline.cli.tables import fits, print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake

MAX_LISTED = 10
"""Problems won, and as many lost, that are listed without --all."""
WRITERS = {
    "markdown": comparison_table.as_markdown,
    "csv": comparison_table.as_csv,
    "json": comparison_table.as_json,
}


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=ReadRuns(), callback=all_of)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *WRITERS]),
    default="table",
    show_default=True,
)
@click.option(
    "--margin",
    type=MARGIN,
    metavar="POINTS",
    help="Also say whether a run is not worse than the first by more than this (percent points).",
)
@click.option("--all", "everything", is_flag=True, help="List every problem that differs.")
def compare_command(
    runs: tuple[Path, ...], form: str, margin: float | None, everything: bool
) -> None:
    """Compare graded RUNS with the first of them, problem by problem.

    Differences are the later run minus the first. p is of the exact sign-flip test, whose null
    hypothesis is that each problem's difference is as likely to be positive as negative by the
    same amount; Holm's p is adjusted for the number of comparisons. That p is large does not show
    that a run is as good as the first: --margin asks whether it is.
    """
    if len(runs) < 2:  # noqa: PLR2004 - a comparison needs two
        raise UserMistake("Name two or more runs to compare: speclrm compare FIRST SECOND...")
    share = None if margin is None else margin / 100
    try:
        refuse_itself(runs)
        comparisons = compare_runs(graded_runs(runs), share)
    except (NotGraded, NotComparable) as error:
        raise UserMistake(str(error)) from error
    if form != "table":
        echo(WRITERS[form](comparisons))
        return
    console = table_console()
    names = shortened_names([comparisons[0].first, *(one.second for one in comparisons)])[1:]
    _print_pairs(console, comparisons, names, comparison_table.pair_columns(comparisons))
    console.print(Text(comparison_table.notes(comparisons)))
    _print_pairs(console, comparisons, names, comparison_table.COST_COLUMNS)
    console.print(Text(comparison_table.COST_NOTES))
    for one in comparisons:
        for warning in one.warnings:
            console.print(Text(f"warning: {one.second}: {warning}", style="yellow"))
        console.print(_discordant(one, len(one.discordant) if everything else MAX_LISTED))


def _print_pairs(
    console: Console,
    comparisons: Sequence[Comparison],
    names: Sequence[str],
    columns: Sequence[PairColumn],
) -> None:
    """One table in the fullest form that fits: runs by their shortened `names`, or spare columns
    left out.
    """
    whole = [one.second for one in comparisons]
    plain = [column for column in columns if not column.is_spare]
    for runs, chosen in ((whole, columns), (names, columns), (whole, plain), (names, plain)):
        headings = ["run", *(column.heading for column in chosen)]
        rows = [
            [run, *(column.show(one) for column in chosen)]
            for run, one in zip(runs, comparisons, strict=True)
        ]
        if fits(headings, rows, console.width):
            break
    print_table(console, headings, rows)


def _discordant(comparison: Comparison, most: int) -> Text:
    """The problems that were won and lost, the largest differences first, at most so many each.

    How much changed stands behind a problem only where it is not all of its attempts.
    """
    ordered = sorted(comparison.discordant, key=lambda pair: -abs(pair.second - pair.first))
    parts = []
    for word, sign in (("won", 1), ("lost", -1)):
        changed = [pair for pair in ordered if sign * (pair.second - pair.first) > 0]
        more = len(changed) - most
        rest = f" and {more} more (--all lists them)" if more > 0 else ""
        if changed:
            parts.append(f"{word} {', '.join(map(_change, changed[:most]))}{rest}")
    return Text(f"{comparison.second}: {'; '.join(parts) or 'no problem differs'}")


def _change(pair: Discordant) -> str:
    name = as_written(pair.problem_id)
    if abs(pair.second - pair.first) == 1:
        return name
    return f"{name} ({pair.first:.0%}→{pair.second:.0%})"
