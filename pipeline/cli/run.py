"""`speclrm run`: an experiment from its options."""

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.hints import ReasonerName
from pipeline.cli.options import experiment_of, experiment_options
from pipeline.cli.progress import live_progress
from pipeline.cli.terminal import echo
from pipeline.reasoner_settings import TrackSettings
from pipeline.reasoners import REASONERS
from pipeline.reasoners.selection import asks_the_target
from pipeline.reasoners.track_plans import track_roles
from pipeline.runs import runner

SOME_FAILED = 1
STOPPED = 3


@click.command("run")
@click.argument("reasoner", type=ReasonerName(list(REASONERS)))
@experiment_options
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    help="The run directory.  [default: results/<name>]",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--retry-errors", is_flag=True, help="Make failed attempts again.")
@click.option("--force", is_flag=True, help="Make recorded attempts again too.")
def run_command(  # the click boundary: options arrive as keywords, experiment_of types them
    reasoner: str,
    output_dir: Path | None,
    dry_run: bool,
    retry_errors: bool,
    force: bool,
    **values: Any,
) -> None:
    """Run an experiment, or go on with one.

    The same command resumes: what the run directory holds is not run again. A wider range or
    more repeats add to it.
    """
    planned = runner.plan(experiment_of(reasoner, values), output_dir)
    if dry_run:
        _print_plan(planned, retry_errors=retry_errors, force=force)
        return
    target = planned.experiment.target
    echo(
        f"{reasoner} with {target.model} through {target.engine}, in {planned.directory}", err=True
    )
    summary = runner.run_plan(
        planned, retry_errors=retry_errors, force=force, display=live_progress
    )
    for warning in summary.warnings:
        echo(f"Warning: {warning}", err=True)
    echo(
        f"{summary.done} attempts made, {summary.already_done} there already, "
        f"{summary.failed} failed, {summary.remaining} remaining, of {summary.planned}."
    )
    echo(f"{summary.directory}")
    if summary.remaining:
        left = "the remaining attempts are as they were; --force would begin again with all."
        goes_on = left if force else "the same command goes on from there."
        echo(f"Interrupted: {goes_on}", err=True)
        sys.exit(STOPPED)
    if summary.failed:
        echo(
            "Failed attempts are recorded with their errors; --retry-errors makes them again.",
            err=True,
        )
        sys.exit(SOME_FAILED)


def _print_plan(planned: runner.Plan, *, retry_errors: bool, force: bool) -> None:
    # Counting tokens loads transformers and torch, which takes seconds; only --dry-run pays.
    from pipeline.runs.estimate import estimate_of  # noqa: PLC0415

    experiment = planned.experiment
    estimate = estimate_of(planned, retry_errors=retry_errors, force=force)
    again = f", {estimate.again} of these to be made again" if estimate.again else ""
    echo(f"run directory  {planned.directory}")
    echo(f"dataset        {planned.problems.name}: {planned.problems.source}")
    echo(
        f"attempts       {estimate.attempts}: {len(planned.selected)} problems x "
        f"{experiment.repeats} repeats, {estimate.recorded} of them recorded already{again}"
    )
    for role, settings in experiment.models.items():
        echo(f"{role:14} {settings.model} through {settings.engine}")
    if experiment.tracks is not None:
        echo(f"tracks         {_tracks_in_words(experiment.tracks)}")
    if estimate.prompt_tokens is not None:
        most = "" if estimate.prompts_are_known else "at most "
        echo(f"prompt tokens  {most}{estimate.prompt_tokens:,} to open every track to be made")
    of_steps = " in accepted steps" if experiment.steps is not None else ""
    echo(f"new tokens     at most {estimate.generated_at_most:,}{of_steps}")
    on_top = []
    if experiment.steps is not None:
        on_top += ["dropped drafts and rewrites", "a token for each score"]
    if experiment.tracks is not None and asks_the_target(experiment.tracks):
        on_top += ["a token for each method"]
    if on_top:
        echo(f"on top         {', '.join(on_top)}")


def _tracks_in_words(settings: TrackSettings) -> str:
    words = {
        "same": "",
        "roles": f" by roles ({', '.join(dict.fromkeys(track_roles(settings)))})",
        "methods": f" by methods (--selection {settings.selection}, of {settings.method_pool})",
    }[settings.prompts]
    vote = f"; vote {settings.vote}" if settings.tracks > 1 else ""
    fast = f", ended early by --fast {settings.fast}" if settings.fast is not None else ""
    return f"{settings.tracks} an attempt{words}{vote}{fast}"
