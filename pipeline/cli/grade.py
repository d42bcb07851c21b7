"""`speclrm grade`: verdicts for whole runs, or one decision explained."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

import evaluators
from pipeline.errors import UserMistake
from pipeline.grading import Grading, grade_run


@click.command("grade")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--gold", help="Explain one decision: the gold answer.")
@click.option("--answer", help="Explain one decision: an answer, or a whole model output.")
@click.option(
    "--kind",
    type=click.Choice(list(evaluators.KINDS)),
    default="latex",
    show_default=True,
    help="Kind of the gold answer, for --gold.",
)
def grade_command(runs: tuple[Path, ...], gold: str | None, answer: str | None, kind: str) -> None:
    """Grade run directories RUNS into their verdicts.jsonl, or explain one answer."""
    if (gold is None) != (answer is None):
        raise UserMistake("--gold and --answer go together; give both.")
    if gold is not None and answer is not None:
        if runs:
            raise UserMistake("Give run directories, or --gold and --answer, not both.")
        click.echo(evaluators.explain(answer, gold, kind))
        return
    if not runs:
        raise UserMistake("Name the run directories to grade, for example results/*.")
    for run in track(runs, "grading", console=Console(stderr=True), disable=len(runs) == 1):
        _report(grade_run(run))


def _report(grading: Grading) -> None:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(grading.counts.items()))
    click.echo(f"{grading.run}: {grading.total} attempts, {counts or 'none'}")
