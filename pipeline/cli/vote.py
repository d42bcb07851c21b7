"""`speclrm vote`: a run's votes under other rules."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.cli.run_folders import ReadRuns, only
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.reasoners.vote_rules import VOTE_RULES
from pipeline.review.revote import revote, revote_all


@click.command("vote")
@click.argument("run", type=ReadRuns(), callback=only)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    help=f"One of {', '.join(VOTE_RULES)}, or several times; all without it.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def vote_command(run: Path, rules: tuple[str, ...], form: str) -> None:
    """Vote again over RUN's recorded tracks; no engine is needed."""
    asked = [*dict.fromkeys(rules)]
    results, refused = (revote(run, asked), []) if asked else revote_all(run)
    for broken in refused:
        echo(f"Warning: {broken}", err=True)
    if form == "json":
        echo(json.dumps([asdict(one) for one in results], indent=2))
        return
    print_table(
        table_console(),
        ("rule", "accuracy", "a right track lost", "another winner than recorded"),
        [
            (one.rule, f"{one.accuracy:.1%}", f"{one.regret:.1%}", f"{one.changed:.1%}")
            for one in results
        ],
        title=f"{run}: {results[0].attempts} attempts",
    )
