"""The options of `speclrm run`, and the way from their values to an `Experiment`.

Every engine option stands once in `ENGINE_OPTIONS` and becomes two: `--X` for the target and
`--draft-X` for the draft.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.engines import resolve_auto
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.models import DRAFT, TARGET
from pipeline.reasoners import REASONERS

ENGINES = ("auto", "vllm", "openai", "transformers", "scripted")
TARGET_MEMORY = 0.70
DRAFT_MEMORY = 0.20

AT_LEAST_ONE = click.IntRange(min=1)
ABOVE_ZERO = click.FloatRange(min=0, min_open=True)
SHARE = click.FloatRange(min=0, max=1, min_open=True)

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class EngineOption:
    """One option of an engine; `field` is its place in `EngineSettings`."""

    flag: str
    field: str
    type: Any
    help: str
    default: Any = None
    draft_default: Any = None
    aliases: tuple[str, ...] = ()


ENGINE_OPTIONS = (
    EngineOption(
        "model",
        "model",
        str,
        "Model folder, hub name, or the server's name for it.",
        TARGET,
        DRAFT,
        ("model-name",),
    ),
    EngineOption("revision", "revision", str, "Hub revision of the model."),
    EngineOption("tokenizer", "tokenizer", str, "Tokenizer, if not the model's own."),
    EngineOption(
        "engine",
        "engine",
        click.Choice(ENGINES),
        "Who generates; auto: vllm where it is installed, else transformers.",
        "auto",
    ),
    EngineOption("base-url", "base_url", str, "Address of an OpenAI-compatible server (openai)."),
    EngineOption(
        "request-timeout",
        "request_timeout",
        ABOVE_ZERO,
        "Seconds a request may take.",
        600.0,
        600.0,
    ),
    EngineOption("dtype", "dtype", str, "Weights' type; auto: float32 on a CPU.", "auto", "auto"),
    EngineOption(
        "max-model-len", "max_model_len", AT_LEAST_ONE, "Context in tokens, if not the model's."
    ),
    EngineOption("max-num-seqs", "max_num_seqs", AT_LEAST_ONE, "Sequences in one batch.", 64, 64),
    EngineOption(
        "tensor-parallel-size",
        "tensor_parallel_size",
        AT_LEAST_ONE,
        "GPUs that share the model.",
        1,
        1,
    ),
    EngineOption(
        "gpu-memory-utilization",
        "gpu_memory_utilization",
        SHARE,
        "Share of each GPU's memory.",
        TARGET_MEMORY,
        DRAFT_MEMORY,
    ),
    EngineOption(
        "cpu-kv-cache-gib", "cpu_kv_cache_gib", AT_LEAST_ONE, "KV cache on a CPU, in GiB.", 1, 1
    ),
    EngineOption("devices", "devices", str, "GPUs to use, as CUDA_VISIBLE_DEVICES has them."),
    EngineOption("quantization", "quantization", str, "vLLM's name of the quantization."),
    EngineOption("lora", "lora", str, "Folder of a LoRA adapter."),
    EngineOption(
        "speculative", "speculative", str, "vLLM's token-level speculative_config, as JSON."
    ),
    EngineOption(
        "process",
        "process",
        click.Choice(["auto", "inprocess", "subprocess"]),
        "Where vLLM runs; auto: in this process on a CPU, in its own on a GPU.",
        "auto",
        "auto",
    ),
    EngineOption("script", "script", click.Path(path_type=Path), "Table of the scripted engine."),
    EngineOption(
        "trust-remote-code",
        "trust_remote_code",
        bool,
        "Run code that comes with the model.",
        False,
        False,
    ),
)

EXPERIMENT_OPTIONS = (
    click.option("--dataset", "--dataset-name", help="A dataset's name.  [default: pocket]"),
    click.option("--data-file", type=click.Path(path_type=Path), help="Problems in your own file."),
    click.option(
        "--problem-id",
        "problem_range",
        default="all",
        show_default=True,
        help="60-89 | 60,63,70-72 | 2024-I-3 | first:10 | all",
    ),
    click.option(
        "--repeats",
        "--repeat-id",
        type=int,
        default=1,
        show_default=True,
        help="Attempts per problem.",
    ),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--prompts", type=click.Path(path_type=Path), help="Your own prompt templates."),
    click.option(
        "--thinking",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Open a <think> block; auto: where the model has one.",
    ),
    click.option("--temperature", type=float, default=0.6, show_default=True),
    click.option("--top-p", type=float, default=0.95, show_default=True),
    click.option(
        "--token-budget",
        type=int,
        default=8192,
        show_default=True,
        help="Tokens a track may generate.",
    ),
    click.option(
        "--concurrency", type=int, default=32, show_default=True, help="Attempts in flight."
    ),
)


def experiment_options(command: Command) -> Command:
    """Put all options of an experiment on a command, in the order they stand above."""
    for option in reversed(EXPERIMENT_OPTIONS + _engine_options("") + _engine_options("draft-")):
        command = option(command)
    return command


def experiment_of(reasoner: str, values: Mapping[str, Any]) -> Experiment:
    """The experiment that the options ask for.

    Raises:
        UserMistake: options contradict each other.
    """
    given = _given_options()
    if not REASONERS[reasoner].uses_draft:
        _refuse_draft_options(reasoner, given)
    dataset, data_file = values["dataset"], values["data_file"]
    return Experiment(
        reasoner=reasoner,
        target=_engine_settings(values, ""),
        draft=_engine_settings(values, "draft-") if REASONERS[reasoner].uses_draft else None,
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
    )


def _engine_options(prefix: str) -> tuple[Callable[[Command], Command], ...]:
    whose = "Draft: " if prefix else ""
    options = []
    for option in ENGINE_OPTIONS:
        default = option.draft_default if prefix else option.default
        names = [f"--{prefix}{name}" for name in (option.flag, *option.aliases)]
        options.append(
            click.option(
                *names,
                _value_name(prefix, option),
                type=option.type,
                default=default,
                show_default=default is not None,
                help=whose + option.help,
            )
        )
    return tuple(options)


def _engine_settings(values: Mapping[str, Any], prefix: str) -> EngineSettings:
    settings = {option.field: values[_value_name(prefix, option)] for option in ENGINE_OPTIONS}
    if settings["engine"] is None:  # --draft-engine defaults to --engine
        settings["engine"] = values["engine"]
    if settings["engine"] == "auto":
        settings["engine"] = resolve_auto()
    if settings["engine"] == "openai" and settings["base_url"] is None:
        raise UserMistake(
            f"--{prefix}engine openai needs --{prefix}base-url, "
            "for example http://127.0.0.1:8000/v1."
        )
    if settings["engine"] == "scripted" and settings["script"] is None:
        raise UserMistake(f"--{prefix}engine scripted needs --{prefix}script, a table of answers.")
    return EngineSettings(**settings)


def _value_name(prefix: str, option: EngineOption) -> str:
    return prefix.replace("-", "_") + option.field


def _given_options() -> set[str]:
    """The parameters that stand on the command line."""
    context = click.get_current_context()
    source = click.core.ParameterSource.COMMANDLINE
    return {name for name in context.params if context.get_parameter_source(name) == source}


def _refuse_draft_options(reasoner: str, given: set[str]) -> None:
    unused = sorted(name for name in given if name.startswith("draft_"))
    if unused:
        flags = ", ".join("--" + name.replace("_", "-") for name in unused)
        raise UserMistake(f"The reasoner {reasoner!r} uses no draft model; drop {flags}.")
