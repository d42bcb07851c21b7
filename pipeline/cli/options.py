"""The options of `speclrm run`, and the way from their values to an `Experiment`."""

from collections.abc import KeysView, Mapping
from pathlib import Path
from typing import Any

import click

from pipeline import engines
from pipeline.cli.engine_options import engine_settings, is_named
from pipeline.cli.finite import FiniteRange
from pipeline.cli.reasoner_options import refuse_unused_options, sections_of
from pipeline.engines.declaration import prefix_of
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.problems.manifests import load_manifest
from pipeline.reasoners import REASONERS, entry

EXAMPLES = {"target": "Qwen/QwQ-32B", "draft": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"}
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


def roles() -> KeysView[str]:
    """The roles of models in any reasoner, target and draft first."""
    every = (
        "target",
        "draft",
        *(role for one in REASONERS.usable().values() for role in one.models),
    )
    return dict.fromkeys(every).keys()


def experiment_of(reasoner: str, values: Mapping[str, Any]) -> Experiment:
    """The experiment that the options ask for.

    Raises:
        UserMistake: options contradict each other.
    """
    given = _given_options()
    _refuse_models_of_others(reasoner, given)
    refuse_unused_options(reasoner, given)
    dataset, data_file = values["dataset"], values["data_file"]
    models = {role: engine_settings(values, role, given) for role in entry(reasoner).models}
    experiment = Experiment(
        reasoner=reasoner,
        target=models.pop("target"),
        draft=models.pop("draft", None),
        others=models,
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
    for role, settings in experiment.models.items():
        if engines.entry(settings.engine).model is None and not is_named(role, given):
            prefix = prefix_of(role)
            raise UserMistake(
                f"{asked} needs --{prefix}model: without it the bundled {settings.model} would "
                "answer, which knows pocket problems only; give for example "
                f"--{prefix}model {EXAMPLES[role]}."
            )


def _refuse_models_of_others(reasoner: str, given: set[str]) -> None:
    for role in roles() - entry(reasoner).models.keys():
        unused = sorted(name for name in given if name.startswith(f"{role}_"))
        if unused:
            flags = ", ".join("--" + name.replace("_", "-") for name in unused)
            raise UserMistake(f"The reasoner {reasoner!r} uses no {role} model; drop {flags}.")
