"""`speclrm compare`: graded runs against the first of them, in pairs."""

from pathlib import Path

import click
from rich.text import Text

from evaluators.reports import comparison_table
from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.comparison import Comparison, NotComparable, compare_runs, refuse_itself
from evaluators.statistics.metrics import graded_runs
from pipeline.cli.finite import MARGIN
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake

MAX_LISTED = 30
"""Discordant problems that are listed without --all."""
WRITERS = {
    "markdown": comparison_table.as_markdown,
    "csv": comparison_table.as_csv,
    "json": comparison_table.as_json,
}


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
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
@click.option("--all", "everything", is_flag=True, help="List every discordant problem.")
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
    print_table(
        console,
        comparison_table.headings(comparisons),
        [comparison_table.cells(one) for one in comparisons],
        notes=comparison_table.notes(comparisons),
    )
    print_table(
        console,
        comparison_table.COST_HEADINGS,
        [comparison_table.cost_cells(one) for one in comparisons],
        notes=comparison_table.COST_NOTES,
    )
    for one in comparisons:
        for warning in one.warnings:
            console.print(Text(f"warning: {one.second}: {warning}", style="yellow"))
        console.print(_discordant(one, len(one.discordant) if everything else MAX_LISTED))


def _discordant(comparison: Comparison, most: int) -> Text:
    """The problems that differ, as `id first→second`, the largest differences first."""
    ordered = sorted(comparison.discordant, key=lambda pair: -abs(pair.second - pair.first))
    listed = ", ".join(
        f"{as_written(pair.problem_id)} {pair.first:.0%}→{pair.second:.0%}"
        for pair in ordered[:most]
    )
    more = len(ordered) - most
    rest = f" and {more} more (--all lists them)" if more > 0 else ""
    return Text(f"{comparison.second}: discordant problems: {listed or 'none'}{rest}")
