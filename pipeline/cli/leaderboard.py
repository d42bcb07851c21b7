"""`speclrm leaderboard`: graded runs side by side."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from evaluators import leaderboard
from evaluators.metrics import NotGraded, RunMetrics, run_metrics
from pipeline.errors import UserMistake

WRITERS = {
    "markdown": leaderboard.as_markdown,
    "csv": leaderboard.as_csv,
    "json": leaderboard.as_json,
}
TEXT_COLUMNS = 3


@click.command("leaderboard")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *WRITERS]),
    default="table",
    show_default=True,
)
def leaderboard_command(runs: tuple[Path, ...], form: str) -> None:
    """Compare graded RUNS: accuracy and what it cost.

    Errors, missing and truncated attempts stay in the denominator of every accuracy.
    """
    try:
        metrics = [run_metrics(run) for run in runs]
    except NotGraded as error:
        raise UserMistake(str(error)) from error
    if form == "table":
        _print_table(metrics)
    else:
        click.echo(WRITERS[form](metrics))


def _print_table(metrics: list[RunMetrics]) -> None:
    table = Table(
        caption="± SE: standard error over the population of problems. Costs: per attempt."
    )
    for number, heading in enumerate(leaderboard.HEADINGS):
        table.add_column(heading, justify="left" if number < TEXT_COLUMNS else "right")
    for row in leaderboard.ranked(metrics):
        table.add_row(*leaderboard.cells(row))
    console = Console()
    if not console.is_terminal:  # a pipe or a log has no width to fit
        console = Console(width=200)
    console.print(table)
