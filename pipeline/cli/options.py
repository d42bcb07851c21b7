"""The options of `speclrm run`, and the way from their values to an `Experiment`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.cli.engine_options import engine_options, engine_settings
from pipeline.cli.finite import FiniteRange
from pipeline.cli.reasoner_options import refuse_unused_options, sections_of
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.problems.manifests import load_manifest
from pipeline.reasoners import entry

Command = TypeVar("Command", bound=Callable[..., Any])

EXAMPLES = {"": "Qwen/QwQ-32B", "draft-": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"}
"""The SSR scripts' models."""

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
    click.Option(["--temperature"], type=FiniteRange(min=0, max=2), default=0.6, show_default=True),
    click.Option(
        ["--top-p"],
        type=FiniteRange(min=0, max=1, min_open=True),
        default=0.95,
        show_default=True,
    ),
    click.Option(
        ["--token-budget"],
        type=int,
        default=8192,
        show_default=True,
        help="Tokens a track may generate.",
    ),
)


def models_options(command: Command) -> Command:
    """Put the options of all models' engines on a command."""
    for option in reversed(engine_options("") + engine_options("draft-")):
        command = option(command)
    return command


def experiment_of(reasoner: str, values: Mapping[str, Any]) -> Experiment:
    """The experiment that the options ask for.

    Raises:
        UserMistake: options contradict each other.
    """
    given = _given_options()
    uses_draft = entry(reasoner).uses_draft
    if not uses_draft:
        _refuse_draft_options(reasoner, given)
    refuse_unused_options(reasoner, given)
    dataset, data_file = values["dataset"], values["data_file"]
    experiment = Experiment(
        reasoner=reasoner,
        target=engine_settings(values, "", given),
        draft=engine_settings(values, "draft-", given) if uses_draft else None,
        dataset=dataset or (None if data_file is not None else "pocket"),
        data_file=data_file,
        problem_range=values["problem_range"],
        repeats=values["repeats"],
        seed=values["seed"],
        prompts=values["prompts"],
        thinking=values["thinking"],
        temperature=values["temperature"],
        top_p=values["top_p"],
        token_budget=values["token_budget"],
        concurrency=values["concurrency"],
        sections=sections_of(reasoner, values, given),
    )
    _refuse_pocket_pair(experiment, given)
    return experiment


def _given_options() -> set[str]:
    """The parameters that stand on the command line."""
    context = click.get_current_context()
    source = click.core.ParameterSource.COMMANDLINE
    return {name for name in context.params if context.get_parameter_source(name) == source}


def _refuse_pocket_pair(experiment: Experiment, given: set[str]) -> None:
    """Other problems than the bundled ones are answered by a model that was named."""
    if experiment.data_file is not None:
        asked = "--data-file"
    elif experiment.dataset is not None and not load_manifest(experiment.dataset).ships_with_us:
        asked = f"--dataset {experiment.dataset}"
    else:
        return
    for prefix, engine in (("", experiment.target), ("draft-", experiment.draft)):
        named = prefix.replace("-", "_") + "model" in given
        if engine is not None and engine.engine != "scripted" and not named:
            raise UserMistake(
                f"{asked} needs --{prefix}model: without it the bundled {engine.model} would "
                "answer, which knows pocket problems only; give for example "
                f"--{prefix}model {EXAMPLES[prefix]}."
            )


def _refuse_draft_options(reasoner: str, given: set[str]) -> None:
    unused = sorted(name for name in given if name.startswith("draft_"))
    if unused:
        flags = ", ".join("--" + name.replace("_", "-") for name in unused)
        raise UserMistake(f"The reasoner {reasoner!r} uses no draft model; drop {flags}.")
