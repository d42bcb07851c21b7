"""`speclrm compare`: graded runs against the first of them, in pairs."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluators.comparison import Comparison, NotComparable, compare_runs
from evaluators.metrics import graded_run
from evaluators.sign_flips import p_text
from evaluators.verdict_table import NotGraded
from pipeline.errors import UserMistake

PIPE_WIDTH = 160
"""Columns of a table that is not written to a terminal."""
MAX_LISTED = 30
"""Discordant problems that are listed without --all."""


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)
@click.option("--all", "everything", is_flag=True, help="List every discordant problem.")
def compare_command(runs: tuple[Path, ...], form: str, everything: bool) -> None:
    """Compare graded RUNS with the first of them, problem by problem.

    Differences are the later run minus the first. p is of the exact sign-flip test, whose null
    hypothesis is that each problem's difference is as likely to be positive as negative by the
    same amount; Holm's p is adjusted for the number of comparisons.
    """
    if len(runs) < 2:  # noqa: PLR2004 - a comparison needs two
        raise UserMistake("Name two or more runs to compare: speclrm compare FIRST SECOND...")
    try:
        comparisons = compare_runs([graded_run(run) for run in runs])
    except (NotGraded, NotComparable) as error:
        raise UserMistake(str(error)) from error
    if form == "json":
        click.echo(json.dumps([_plain(one) for one in comparisons], indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    console.print(_table(comparisons))
    for one in comparisons:
        for warning in one.warnings:
            console.print(Text(f"warning: {one.second}: {warning}", style="yellow"))
        console.print(_discordant(one, len(one.discordant) if everything else MAX_LISTED))


def _plain(comparison: Comparison) -> dict[str, object]:
    return asdict(comparison) | {"interval": list(comparison.interval)}


def _table(comparisons: list[Comparison]) -> Table:
    table = Table(
        title=Text(f"against {comparisons[0].first}"),
        caption="95 % interval over the population of problems; "
        "detectable: the true difference that 80 % of studies like this one find.",
    )
    table.add_column("run")
    for heading in ("problems", "difference", "95 % interval", "p", "Holm p"):
        table.add_column(heading, justify="right")
    for heading in ("won / tied / lost", "detectable"):
        table.add_column(heading, justify="right")
    for one in comparisons:
        table.add_row(
            Text(one.second),
            str(one.problems),
            f"{one.difference:+.1%}",
            f"{one.interval.low:+.1%} to {one.interval.high:+.1%}",
            p_text(one.p),
            p_text(one.adjusted_p),
            f"{one.wins} / {one.ties} / {one.losses}",
            f"{one.detectable:.1%}" if one.detectable is not None else "–",
        )
    return table


def _discordant(comparison: Comparison, most: int) -> Text:
    """The problems that differ, as `id first→second`, the largest differences first."""
    ordered = sorted(comparison.discordant, key=lambda pair: -abs(pair.second - pair.first))
    listed = ", ".join(
        f"{pair.problem_id} {pair.first:.0%}→{pair.second:.0%}" for pair in ordered[:most]
    )
    more = len(ordered) - most
    rest = f" and {more} more (--all lists them)" if more > 0 else ""
    return Text(f"{comparison.second}: discordant problems: {listed or 'none'}{rest}")
