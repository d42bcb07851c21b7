"""`speclrm run`: an experiment from its options."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from pipeline.cli.common_options import OUTPUT, SAMPLING, WHAT_TO_RUN
from pipeline.cli.following import followed
from pipeline.cli.options import experiment_of
from pipeline.cli.progress import live_progress
from pipeline.cli.run_help import RunCommand, show_all
from pipeline.cli.run_shards import in_words, is_complete, run_in_shards
from pipeline.cli.terminal import counted, echo
from pipeline.engines.masking import Secrets
from pipeline.engines.model_extras import extras_where_set
from pipeline.engines.sampling import further
from pipeline.engines.settings import PLAIN, REFINE
from pipeline.errors import RUN_STOPPED, SOME_FAILED, UserMistake
from pipeline.reasoners import settled
from pipeline.runs import runner
from pipeline.runs.planning import Plan, plan
from pipeline.runs.scheduler import Progress
from pipeline.runs.unstaging import unstage
from pipeline.shards import Shard
from pipeline.stores.addresses import as_addresses
from pipeline.trackers import tracker_entry
from pipeline.trackers.following import Followed

LONGEST_SHOWN = 100


@click.command(
    "run",
    cls=RunCommand,
    params=[*WHAT_TO_RUN, *SAMPLING, *OUTPUT],
    # Of the group's, but click keeps a command's help option as it was first asked for.
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--help-all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_all,
    help="Show this message with the options of every model, and exit.",
)
def run_command(  # noqa: PLR0917 - one parameter an option; experiment_of types the others
    reasoner: str,
    output_dir: Path | None,
    shard: str | None,
    shards: int,
    dry_run: bool,
    retry_errors: bool,
    force: bool,
    tracker: str | None,
    **values: Any,
) -> None:
    """Run an experiment, or continue one.

    Repeating the command resumes it: attempts in the run directory are not run again. A wider
    range or more repeats add to it.
    """
    part = None if shard is None else Shard.read(shard)
    if part is not None and shards > 1:
        raise UserMistake("--shard makes one shard and --shards makes all; drop one of them.")
    if retry_errors and force:
        raise UserMistake("--force makes failed attempts again, too; drop --retry-errors, or it.")
    planned = plan(experiment_of(reasoner, values), output_dir, shard=part)
    if shards > 1 and not dry_run and (retry_errors or force or not is_complete(planned)):
        sys.exit(run_in_shards(planned, shards, click.get_current_context()))
    if dry_run:
        _print_plan(planned, shards, retry_errors=retry_errors, force=force)
        return
    target = planned.experiment.target
    where = as_addresses(str(planned.directory))
    echo(f"{reasoner} with {target.model} through {target.engine}, in {where}", err=True)
    entry = None if tracker is None else tracker_entry(tracker)
    runs = [Followed.of(planned, retry_errors=retry_errors, force=force)] if tracker else []

    @contextlib.contextmanager
    def display(progress: Progress) -> Iterator[None]:
        with live_progress(progress), following.watching({planned.directory: progress}):
            yield

    with followed(entry, runs) as following:
        summary = runner.run_plan(planned, retry_errors=retry_errors, force=force, display=display)
    for warning in summary.warnings:
        echo(as_addresses(f"Warning: {warning}"), err=True)
    echo(
        f"Attempts: {summary.done} made, {summary.already_done} already recorded, "
        f"{summary.failed} failed, {summary.remaining} remaining, of {summary.planned}."
    )
    echo(where)
    if summary.commonest_failure is not None:
        echo(Secrets.of().masked(f"Failed: {summary.commonest_failure}."), err=True)
    if summary.remaining:
        left = "the remaining attempts are unchanged; --force would start over with all of them."
        goes_on = left if force else "repeat the command to continue."
        echo(f"Interrupted: {goes_on}", err=True)
        sys.exit(RUN_STOPPED)
    unstage(planned.directory)
    if summary.failed:
        echo(
            "Failed attempts are recorded with their errors; --retry-errors redoes them.",
            err=True,
        )
        sys.exit(SOME_FAILED)


def _in_words(sampling: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', '-')} {one:g}" for name, one in sampling.items())


def _print_plan(planned: Plan, shards: int, *, retry_errors: bool, force: bool) -> None:
    # Counting tokens loads transformers and torch, which takes seconds; only --dry-run pays.
    from pipeline.runs.estimate import budget_is_of_steps, estimate_of  # noqa: PLC0415

    experiment = planned.experiment
    estimate = estimate_of(planned, retry_errors=retry_errors, force=force)
    again = f", {estimate.again} of them to be redone" if estimate.again else ""
    echo(f"run directory  {as_addresses(str(planned.directory))}")
    if shards > 1:
        echo(f"shards         {in_words(planned, shards)}")
    echo(f"dataset        {planned.problems.name}: {planned.problems.source}")
    echo(
        f"attempts       {estimate.attempts}: {counted(len(planned.selected), 'problem')} x "
        f"{counted(experiment.repeats, 'repeat')}, {estimate.recorded} already recorded{again}"
    )
    for role, model in experiment.models.items():
        extras = "".join(
            f", {name} {one if isinstance(one, str) else json.dumps(one)}"
            for name, one in extras_where_set(model).items()
        )
        if model.decoding != PLAIN:
            extras += f", decoding {model.decoding}"
        if model.decoding == REFINE:
            extras += " (unverified tokens)"
        echo(f"{role:14} {model.model} through {model.engine}{extras}")
    if experiment.system_prompt is not None:
        echo(f"system prompt  {shorten(experiment.system_prompt, LONGEST_SHOWN)}")
    common = {name: getattr(experiment, name) for name in ("temperature", "top_p")}
    echo(f"sampling       {_in_words(common | further(experiment))}")
    for role, changed in experiment.own_sampling.items():
        echo(f"{'':15}{role}: {_in_words(changed)}")
    sections = settled(experiment)
    for section, settings in sections:
        words = section.in_words(settings)
        if words is not None:
            echo(f"{section.name:<15}{words}")
    if estimate.prompt_tokens is not None:
        most = "" if estimate.prompts_are_known else "at most "
        echo(f"prompt tokens  {most}{estimate.prompt_tokens:,} to open every track")
    of_steps = " in accepted steps" if budget_is_of_steps(experiment) else ""
    echo(f"new tokens     at most {estimate.generated_at_most:,}{of_steps}")
    # What is written at every step is told before what is written once.
    on_top = [each for section, settings in reversed(sections) for each in section.on_top(settings)]
    if on_top:
        echo(f"on top         {', '.join(on_top)}")
