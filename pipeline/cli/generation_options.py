"""The options that `speclrm generate` and `speclrm chat` have in common, and what they mean."""

from collections.abc import Collection, Mapping
from typing import Any

import click

from pipeline import engines
from pipeline.cli.common_options import sampling_options
from pipeline.cli.engine_options import engine_options, engine_settings, is_named
from pipeline.engines.sampling import OPTIONS, Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.generating.generation import ROLE

CUDA = "cuda"
MAX_NEW_TOKENS = click.Option(
    ["--max-new-tokens"],
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Tokens an answer may have.",
)
DO_SAMPLE = click.Option(
    ["--do-sample/--no-do-sample"],
    default=None,
    help="Draw tokens, or take the likeliest; the temperature says it too.",
)
SEED = click.Option(["--seed"], type=int, default=0, show_default=True)
MODEL, ALSO = "--model", ("--base-model", "--hf-base-model")
"""The model, and how ParallelMind calls it."""


def model_options() -> list[click.Option]:
    """The options of the model that is asked, and of how its tokens are drawn."""
    options = [*sampling_options(ROLE), *engine_options(ROLE)]
    [model] = (option for option in options if MODEL in option.opts)
    model.opts += ALSO
    return options


def model_of(values: Mapping[str, Any], given: set[str]) -> EngineSettings:
    """The model that is asked.

    Raises:
        UserMistake: none is named, or an option has no effect with its engine.
    """
    model = engine_settings({**values, "devices": _devices(values["devices"])}, ROLE, given)
    if engines.entry(model.engine).model is None and not is_named(ROLE, given):
        raise UserMistake(
            f"Name the model with --model: without it the bundled {model.model} would answer, "
            f"which knows pocket problems only (--model {model.model} if that is meant)."
        )
    return model


def sampling_of(values: Mapping[str, Any], given: Collection[str]) -> Sampling:
    """How tokens are drawn; `--no-do-sample` is a temperature of 0.

    Raises:
        UserMistake: it contradicts the temperature.
    """
    drawn, temperature = values["do_sample"], values["temperature"]
    if drawn is not None and "temperature" in given and drawn != (temperature > 0):
        flag = "--do-sample" if drawn else "--no-do-sample"
        raise UserMistake(f"{flag} contradicts --temperature {temperature:g}; drop one of them.")
    chosen = {option.name: values[option.name] for option in OPTIONS}
    return Sampling(**chosen | ({"temperature": 0.0} if drawn is False else {}))


def _devices(named: str | None) -> str | None:
    """Devices as their options have them, where they are called as in torch."""
    if named is None or not named.startswith(CUDA):
        return named
    return named.removeprefix(CUDA).removeprefix(":") or None
