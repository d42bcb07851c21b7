"""The options of an engine: each stands once in `ENGINE_OPTIONS` and becomes two, `--X` for the
target and `--draft-X` for the draft.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.cli.finite import FiniteRange
from pipeline.engines import resolve_auto
from pipeline.engines.bundled_models import DRAFT, TARGET
from pipeline.engines.settings import LOCAL_SECONDS, SERVER_SECONDS, EngineSettings
from pipeline.errors import UserMistake

ENGINES = ("auto", "vllm", "openai", "transformers", "scripted")
SCRIPTED = "scripted"
"""What a script's model is called unless it is named."""
TARGET_MEMORY = 0.70
DRAFT_MEMORY = 0.20

AT_LEAST_ONE = click.IntRange(min=1)
ABOVE_ZERO = FiniteRange(min=0, min_open=True)
SHARE = FiniteRange(min=0, max=1, min_open=True)

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class EngineOption:
    """One option of an engine; `field` is its place in `EngineSettings`, `engines` who uses it.

    `unset` says in words what holds for the target where the option has no default.
    """

    flag: str
    field: str
    type: Any
    help: str
    default: Any = None
    draft_default: Any = None
    aliases: tuple[str, ...] = ()
    engines: frozenset[str] = frozenset({"vllm", "openai", "transformers", "scripted"})
    unset: str | None = None


VLLM = frozenset({"vllm"})
IN_PROCESS = frozenset({"vllm", "transformers"})
MODELS = frozenset({"vllm", "openai", "transformers"})
OPENAI = frozenset({"openai"})

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
    EngineOption("revision", "revision", str, "Hub revision of the model.", engines=MODELS),
    EngineOption(
        "tokenizer", "tokenizer", str, "Tokenizer, if not the model's own.", engines=MODELS
    ),
    EngineOption(
        "engine",
        "engine",
        click.Choice(ENGINES),
        "What runs the model; auto: vllm if it is installed, else transformers.",
        "auto",
    ),
    EngineOption(
        "base-url",
        "base_url",
        str,
        "Address of an OpenAI-compatible server (openai).",
        engines=OPENAI,
    ),
    EngineOption(
        "request-timeout",
        "request_timeout",
        ABOVE_ZERO,
        "Seconds a request may take.",
        None,
        SERVER_SECONDS,
        unset=f"{SERVER_SECONDS:g} for a server, else {LOCAL_SECONDS:g}",
    ),
    EngineOption(
        "busy-timeout",
        "busy_timeout",
        FiniteRange(min=0),
        "Seconds to wait for a server that is busy.",
        600.0,
        600.0,
        engines=OPENAI,
    ),
    EngineOption(
        "dtype",
        "dtype",
        str,
        "Type of the weights; auto: float32 on a CPU.",
        "auto",
        "auto",
        engines=IN_PROCESS,
    ),
    EngineOption(
        "max-model-len",
        "max_model_len",
        AT_LEAST_ONE,
        "Context in tokens, if not the model's own.",
        engines=MODELS,
    ),
    EngineOption(
        "max-num-seqs",
        "max_num_seqs",
        AT_LEAST_ONE,
        "Sequences in one batch.",
        64,
        64,
        engines=VLLM,
    ),
    EngineOption(
        "tensor-parallel-size",
        "tensor_parallel_size",
        AT_LEAST_ONE,
        "GPUs that share the model.",
        1,
        1,
        engines=VLLM,
    ),
    EngineOption(
        "gpu-memory-utilization",
        "gpu_memory_utilization",
        SHARE,
        "Share of each GPU's memory.",
        TARGET_MEMORY,
        DRAFT_MEMORY,
        engines=VLLM,
    ),
    EngineOption(
        "cpu-kv-cache-gib",
        "cpu_kv_cache_gib",
        AT_LEAST_ONE,
        "KV cache on a CPU, in GiB.",
        1,
        1,
        engines=VLLM,
    ),
    EngineOption(
        "devices",
        "devices",
        str,
        "GPUs to use, as in CUDA_VISIBLE_DEVICES; cpu: none (transformers).",
        engines=IN_PROCESS,
    ),
    EngineOption(
        "quantization", "quantization", str, "Quantization, by vLLM's name for it.", engines=VLLM
    ),
    EngineOption("lora", "lora", str, "Folder of a LoRA adapter.", engines=VLLM),
    EngineOption(
        "speculative",
        "speculative",
        str,
        "vLLM's token-level speculative_config, as JSON.",
        engines=VLLM,
    ),
    EngineOption(
        "process",
        "process",
        click.Choice(["auto", "inprocess", "subprocess"]),
        "Where vLLM runs; auto: in this process on a CPU, in separate ones on a GPU.",
        "auto",
        "auto",
        engines=VLLM,
    ),
    EngineOption(
        "script",
        "script",
        click.Path(path_type=Path),
        "Table of the scripted engine.",
        engines=frozenset({"scripted"}),
    ),
    EngineOption(
        "trust-remote-code",
        "trust_remote_code",
        bool,
        "Run code that comes with the model.",
        False,
        False,
        engines=MODELS,
    ),
)


def engine_options(prefix: str) -> tuple[Callable[[Command], Command], ...]:
    """The options of the target's engine, or of the draft's with the prefix `draft-`."""
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
                show_default=default is not None or option.unset or False,
                help=whose + option.help,
            )
        )
    return tuple(options)


def engine_settings(values: Mapping[str, Any], prefix: str, given: set[str]) -> EngineSettings:
    """The settings that the options ask for; `given` are those on the command line.

    Raises:
        UserMistake: one is missing, or has no effect with this engine.
    """
    settings = {option.field: values[_value_name(prefix, option)] for option in ENGINE_OPTIONS}
    if settings["engine"] is None:  # --draft-engine defaults to --engine
        settings["engine"] = values["engine"]
    if settings["engine"] == "auto":
        settings["engine"] = resolve_auto()
    for option in ENGINE_OPTIONS:
        if _value_name(prefix, option) in given and settings["engine"] not in option.engines:
            raise UserMistake(
                f"--{prefix}{option.flag} has no effect with --{prefix}engine "
                f"{settings['engine']}; "
                f"drop it, or choose {' or '.join(sorted(option.engines))}."
            )
    if settings["engine"] == "openai" and settings["base_url"] is None:
        raise UserMistake(
            f"--{prefix}engine openai needs --{prefix}base-url, "
            "for example http://127.0.0.1:8000/v1."
        )
    if settings["engine"] == "scripted" and settings["script"] is None:
        raise UserMistake(f"--{prefix}engine scripted needs --{prefix}script, a table of answers.")
    if settings["engine"] == "scripted" and prefix.replace("-", "_") + "model" not in given:
        settings["model"] = SCRIPTED  # not the bundled pair's name, which answers nothing here
    return EngineSettings(**settings)


def _value_name(prefix: str, option: EngineOption) -> str:
    return prefix.replace("-", "_") + option.field
