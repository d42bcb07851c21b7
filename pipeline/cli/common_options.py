"""The options that every run has, whatever its reasoner and its engines."""

from collections.abc import Iterable
from pathlib import Path

import click

from pipeline.cli.declared_options import click_type
from pipeline.cli.run_folders import StagingDir, WrittenRun
from pipeline.engines.declaration import prefix_of
from pipeline.engines.sampling import DEFAULTS, OPTIONS


def sampling_options(role: str) -> list[click.Option]:
    """How the tokens of the model of that role are drawn; beside the target, as the target's."""
    of_target = role == "target"
    whose = "" if of_target else f"{role.replace('_', ' ').capitalize()}: "
    return [
        click.Option(
            [*option.flags(prefix_of(role)), sampling_value(role, option.name)],
            type=click_type(option),
            default=getattr(DEFAULTS, option.name) if of_target else None,
            show_default=True if of_target else "the target's",
            help=whose + option.help,
        )
        for option in OPTIONS
    ]


def sampling_value(role: str, name: str) -> str:
    """What the value of a sampling option is called."""
    return name if role == "target" else f"{role}_{name}"


WHAT_TO_RUN = (
    click.Option(["--dataset", "--dataset-name"], help="A dataset's name.  [default: pocket]"),
    click.Option(
        ["--data-file"], type=click.Path(path_type=Path), help="Problems in your own file."
    ),
    click.Option(
        ["--problem-id", "problem_range"],
        default="all",
        show_default=True,
        help="60-89 | 60,63,70-72 | 2024-I-3 | first:10 | all",
    ),
    click.Option(
        ["--repeats", "--repeat-id", "--num-repeats"],
        type=int,
        default=1,
        show_default=True,
        help="Attempts per problem.",
    ),
    click.Option(["--prompts"], type=click.Path(path_type=Path), help="Your own prompt templates."),
    click.Option(
        ["--concurrency"], type=int, default=32, show_default=True, help="Attempts in flight."
    ),
)
SAMPLING = (
    click.Option(["--seed"], type=int, default=0, show_default=True),
    click.Option(
        ["--thinking"],
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Open a <think> block; auto: where the model has one.",
    ),
    click.Option(
        ["--system-prompt"], help="Stands before every task: the text, or @FILE that holds it."
    ),
    *sampling_options("target"),
    click.Option(
        ["--token-budget"],
        type=int,
        default=8192,
        show_default=True,
        help="Tokens a track may generate.",
    ),
)
OUTPUT = (
    click.Option(
        ["--output-dir"],
        type=WrittenRun(),
        help="The run directory.  [default: results/<name>]",
    ),
    StagingDir(),
    click.Option(
        ["--shard"], metavar="I/N", help="Only shard I of N, in a directory of its own: 1/8 to 8/8."
    ),
    click.Option(
        ["--shards"],
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Processes on this machine that share the run.",
    ),
    click.Option(["--tracker"], metavar="NAME", help="Follow the run with: mlflow, wandb."),
    click.Option(["--dry-run"], is_flag=True, help="Print the plan and stop."),
    click.Option(["--retry-errors"], is_flag=True, help="Redo failed attempts."),
    click.Option(["--force"], is_flag=True, help="Redo all attempts, recorded ones too."),
)
ALSO_TAKEN = frozenset({"--help", "--help-all", "--reasoner"})
"""The flags for help, and the name of the argument."""


def common_flags() -> set[str]:
    """All flags that every run has, and the names of the values that they set, as flags."""
    every: Iterable[click.Option] = (*WHAT_TO_RUN, *SAMPLING, *OUTPUT)
    names = {"--" + (option.name or "").replace("_", "-") for option in every}
    return {*ALSO_TAKEN, *names, *(flag for option in every for flag in option.opts)}
