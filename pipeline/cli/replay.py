"""`speclrm replay`: a run at other thresholds or thinking budgets; what scores are worth."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from evaluators.reports import leaderboard
from evaluators.statistics.metrics import measured_runs
from pipeline.cli.board_print import Shown, print_board
from pipeline.cli.run_folders import LocalPath, ReadRuns, only
from pipeline.cli.tables import print_table, table_console
from pipeline.cli.terminal import echo
from pipeline.errors import UserMistake
from pipeline.review.budgets import budgets_of, runs_by_budget
from pipeline.review.calibration import RELIABLE
from pipeline.review.replay import Group, Replay, replay

SETTINGS_HEADINGS = (
    "method",
    "threshold",
    "kept",
    "tracks diverging",
    "first at step",
    "rewrite tokens / step (estimate)",
    "wrong kept",
    "right rejected",
)


@click.command("replay")
@click.argument("run", type=ReadRuns(), callback=only)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option(
    "--output-dir",
    "kept",
    type=LocalPath(path_type=Path, file_okay=False),
    help="Keep the runs of each thinking budget in this new folder, for other commands.",
)
def replay_command(run: Path, form: str, kept: Path | None) -> None:
    """Replay RUN's recorded scores at every threshold; no engine is needed.

    A run with several thinking budgets is shown at each of them, as if it had been run with that
    one alone.
    """
    if budgets_of(run):
        _replay_budgets(run, form, kept)
        return
    if kept is not None:
        raise UserMistake(f"--output-dir is for runs with several thinking budgets; {run} has not.")
    result = replay(run)
    if form == "json":
        echo(json.dumps(asdict(result), default=str, indent=2))
        return
    console = table_console()
    _print_settings(console, result)
    _print_calibration(console, result)
    _print_groups(console, "step", result.by_index)
    _print_groups(console, "role or method", result.by_guidance)
    counts = "  ".join(f"{digit}: {count}" for digit, count in enumerate(result.histogram))
    console.print(Text(f"scores (greedy)  {counts}"))


def _replay_budgets(run: Path, form: str, kept: Path | None) -> None:
    """Print a row for each budget, the smallest first."""
    with tempfile.TemporaryDirectory(prefix="speclrm-") as scratch:
        runs = runs_by_budget(run, kept or Path(scratch) / "replayed")
        metrics = [one.metrics for one in measured_runs(runs)]
    largest = metrics[-1].run
    by_name = {row.metrics.run: row for row in leaderboard.rows(metrics, largest)}
    rows = [by_name[one.run] for one in metrics]
    if form == "json":
        echo(leaderboard.as_json(rows))
    else:
        print_board(rows, Shown(baseline=largest))
        echo("A run is named by its thinking budget, and costs what it would cost alone.")
    if kept is not None:
        echo(f"{kept}: {len(runs)} graded runs", err=True)


def _print_settings(console: Console, result: Replay) -> None:
    rows = [
        (
            one.method,
            f"{one.threshold:.0f}",
            f"{one.acceptance:.1%}",
            f"{one.diverged:.1%}",
            "–" if one.first_divergence is None else f"{one.first_divergence:.1f}",
            f"{one.target_tokens:.2f}",
            _percent(one.wrong_kept),
            _percent(one.right_rejected),
        )
        for one in result.settings
    ]
    print_table(
        console,
        SETTINGS_HEADINGS,
        rows,
        title=f"{result.run}: {result.judged} judged steps of {result.tracks} tracks",
        keys=2,
    )


def _print_calibration(console: Console, result: Replay) -> None:
    found = result.calibration
    auroc = "–" if found.auroc is None else f"{found.auroc:.3f}"
    suggested = "–" if found.suggested_threshold is None else f"{found.suggested_threshold:.2f}"
    reliable = (
        f"no score guarantees that a kept step is right {RELIABLE:.0%} of the time (–)"
        if found.reliable_from is None
        else f"from {found.reliable_from:.2f} ({found.reliable_steps} steps) a kept step is "
        f"right at least {RELIABLE:.0%} of the time"
    )
    unanswered = (
        f" ({result.unanswered} kept in cancelled or failed tracks are neither)"
        if result.unanswered
        else ""
    )
    print_table(
        console,
        ("steps", "mean score / 9", "share right"),
        [
            (str(one.count), f"{one.predicted:.2f}", f"{one.observed:.2f}")
            for one in found.reliability
        ],
        title=f"against the {result.label}: AUROC {auroc}, {found.right} right and {found.wrong} "
        f"wrong of {result.judged} judged steps{unanswered}; suggested thresholds (average): "
        f"{suggested} best separates right from wrong, {reliable}",
        texts=0,
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _print_groups(console: Console, name: str, groups: tuple[Group, ...]) -> None:
    rows = [(one.name, str(one.steps), f"{one.acceptance:.1%}") for one in groups]
    print_table(console, (name, "judged", "kept"), rows, title=f"by {name}")
