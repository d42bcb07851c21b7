"""`speclrm replay`: a run at other thresholds, and what its scores are worth."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from pipeline.calibration import RELIABLE
from pipeline.cli.console import safe_console
from pipeline.cli.terminal import echo
from pipeline.replay import Group, Replay, replay


@click.command("replay")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def replay_command(run: Path, form: str) -> None:
    """Replay RUN's recorded scores at every threshold; no engine is needed."""
    result = replay(run)
    if form == "json":
        echo(json.dumps(asdict(result), default=str, indent=2))
        return
    console = safe_console()
    console.print(_settings(result))
    console.print(_calibration(result))
    console.print(_groups("by step", result.by_index))
    console.print(_groups("by role or method", result.by_guidance))
    counts = "  ".join(f"{digit}: {count}" for digit, count in enumerate(result.histogram))
    console.print(f"scores (greedy)  {counts}")


def _settings(result: Replay) -> Table:
    table = Table(title=f"{result.run}: {result.judged} judged steps of {result.tracks} tracks")
    for heading in (
        "method",
        "threshold",
        "kept",
        "tracks diverging",
        "first at step",
        "rewrite tokens / step (estimate)",
        "wrong kept",
        "right rejected",
    ):
        table.add_column(heading, justify="right")
    for one in result.settings:
        first = "–" if one.first_divergence is None else f"{one.first_divergence:.1f}"
        table.add_row(
            one.method,
            f"{one.threshold:.0f}",
            f"{one.acceptance:.1%}",
            f"{one.diverged:.1%}",
            first,
            f"{one.target_tokens:.2f}",
            _percent(one.wrong_kept),
            _percent(one.right_rejected),
        )
    return table


def _calibration(result: Replay) -> Table:
    found = result.calibration
    auroc = "–" if found.auroc is None else f"{found.auroc:.3f}"
    suggested = "–" if found.suggested_threshold is None else f"{found.suggested_threshold:.2f}"
    reliable = (
        f"no score promises that a kept step is right {RELIABLE:.0%} of the time (–)"
        if found.reliable_from is None
        else f"from {found.reliable_from:.2f} on ({found.reliable_steps} steps) a kept step is "
        f"right at least {RELIABLE:.0%} of the time"
    )
    table = Table(
        title=f"against the {result.label}: AUROC {auroc}, {found.right} right and {found.wrong} "
        f"wrong of {result.judged} judged steps; suggested thresholds (average): {suggested} tells "
        f"right from wrong best, {reliable}"
    )
    for heading in ("steps", "mean score / 9", "share right"):
        table.add_column(heading, justify="right")
    for one in found.reliability:
        table.add_row(str(one.count), f"{one.predicted:.2f}", f"{one.observed:.2f}")
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _groups(title: str, groups: tuple[Group, ...]) -> Table:
    table = Table(title=title)
    for heading in ("", "judged", "kept"):
        table.add_column(heading, justify="right")
    for one in groups:
        table.add_row(one.name, str(one.steps), f"{one.acceptance:.1%}")
    return table
