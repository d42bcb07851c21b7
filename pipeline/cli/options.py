"""The options of `speclrm run`, and the way from their values to an `Experiment`."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from pipeline import engines
from pipeline.cli.common_options import sampling_value
from pipeline.cli.engine_options import engine_settings, is_named
from pipeline.cli.reasoner_options import reasoner_entry, refuse_unused_options, roles, sections_of
from pipeline.engines.declaration import prefix_of
from pipeline.engines.sampling import OPTIONS
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.problems.data_files import refuse_half_characters
from pipeline.problems.manifests import load_manifest
from pipeline.reasoners.entry import ReasonerEntry

EXAMPLES = {"target": "Qwen/QwQ-32B", "draft": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"}
"""The SSR scripts' models."""


def experiment_of(reasoner: str, values: Mapping[str, Any]) -> Experiment:
    """The experiment that the options ask for.

    Raises:
        UserMistake: options contradict each other.
    """
    given, known = given_options(), reasoner_entry(reasoner)
    _refuse_models_of_others(known, given)
    refuse_unused_options(reasoner, given)
    dataset, data_file = values["dataset"], values["data_file"]
    models = {role: engine_settings(values, role, given) for role in known.models}
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
        system_prompt=text_or_file(values["system_prompt"]),
        **{option.name: values[option.name] for option in OPTIONS},
        own_sampling=_own_sampling(values, known.models),
        token_budget=values["token_budget"],
        concurrency=values["concurrency"],
        sections=sections_of(reasoner, values, given),
    )
    _refuse_pocket_pair(experiment, given)
    return experiment


def text_or_file(given: str | None) -> str | None:
    """The text, or what the file after the @ holds, without the end of its last line."""
    if given is None:
        return None
    if not given.startswith("@"):
        refuse_half_characters("--system-prompt", given)
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserMistake(f"--system-prompt: {given[1:]} cannot be read ({error}).") from error


def _own_sampling(values: Mapping[str, Any], used: Collection[str]) -> dict[str, dict[str, float]]:
    """What the options say of the sampling of the models beside the target."""
    names = [option.name for option in OPTIONS]
    asked = {
        role: {name: values[sampling_value(role, name)] for name in names}
        for role in used
        if role != "target"
    }
    given = {
        role: {name: one for name, one in by_name.items() if one is not None}
        for role, by_name in asked.items()
    }
    return {role: by_name for role, by_name in given.items() if by_name}


def given_options() -> set[str]:
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


def _refuse_models_of_others(reasoner: ReasonerEntry, given: set[str]) -> None:
    for role in roles() - reasoner.models.keys():
        unused = sorted(
            name for name in given - reasoner.options.keys() if name.startswith(f"{role}_")
        )
        if unused:
            flags = ", ".join("--" + name.replace("_", "-") for name in unused)
            raise UserMistake(f"The reasoner {reasoner.name!r} uses no {role} model; drop {flags}.")
