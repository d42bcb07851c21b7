"""Engines: who turns a token prefix into a completion. `create` makes one from its settings."""

import importlib
from importlib.util import find_spec

from pipeline.engines.protocol import Engine
from pipeline.engines.settings import EngineName, EngineSettings
from pipeline.errors import UserMistake

# Imported only when asked for: vLLM and torch take seconds, and `--help` must not pay for them.
ENGINES = {
    "vllm": "pipeline.engines.vllm.engine:VllmEngine",
    "openai": "pipeline.engines.openai.engine:OpenAIEngine",
    "transformers": "pipeline.engines.transformers.engine:TransformersEngine",
    "scripted": "pipeline.engines.scripted.engine:ScriptedEngine",
}


def resolve_auto() -> EngineName:
    """The engine that `auto` means here: vLLM where it can be imported, else transformers."""
    return "transformers" if find_spec("vllm") is None else "vllm"


def create(settings: EngineSettings) -> Engine:
    """The engine that `settings` describes, not started yet.

    Raises `UserMistake` for an unknown engine and for settings that this engine cannot honour.
    """
    if settings.engine not in ENGINES:
        raise UserMistake(
            f"there is no engine {settings.engine!r}; the engines are {', '.join(ENGINES)}"
        )
    if settings.engine == "vllm" and find_spec("vllm") is None:
        raise UserMistake(
            "the engine vllm needs the package vLLM, which is not installed; install the extra "
            "`cpu` or `cuda`, or choose --engine transformers"
        )
    module, _, name = ENGINES[settings.engine].partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)(settings)
    return engine
