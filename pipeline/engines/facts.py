"""Facts of a model from its config.json, without its weights."""

from typing import Any

from pipeline.engines.model_files import check_model_path, folder_of, read_json
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake


def read_facts(settings: EngineSettings) -> ModelFacts:
    """The facts of the model that `settings` names, without loading it.

    Raises `UserMistake` when the model is not there or its files cannot be read.
    """
    from pipeline.engines.shape import Shape  # noqa: PLC0415 - imports torch

    config = _config(settings)
    context = _context(config, settings)
    shape = Shape.of(config, context)
    return ModelFacts(
        model=settings.model,
        revision=_revision(settings),
        dtype=_language(config).get("dtype") or _language(config).get("torch_dtype"),
        context=context,
        parameters=shape.parameters if shape else None,
        body_parameters=shape.body if shape else None,
        head_parameters=shape.head if shape else None,
        layers=shape.layers if shape else None,
        attention_width=shape.attention_width if shape else None,
    )


def read_context(settings: EngineSettings) -> int | None:
    """How many tokens the model reads and writes at most; None where its files do not say.

    Raises `UserMistake` when the model is not there or its files cannot be read.
    """
    return _context(_config(settings), settings)


def _config(settings: EngineSettings) -> dict[str, Any]:
    check_model_path(settings.model)
    config = read_json(settings.model, settings.revision, "config.json")
    if config is None:
        raise UserMistake(f"the model {settings.model!r} has no config.json")
    return config


def _language(config: dict[str, Any]) -> dict[str, Any]:
    """Models of several modalities keep the language model's settings one level down."""
    text_config = config.get("text_config")
    return {**config, **text_config} if isinstance(text_config, dict) else config


def _context(config: dict[str, Any], settings: EngineSettings) -> int | None:
    known = (_language(config).get("max_position_embeddings"), settings.max_model_len)
    return min((size for size in known if isinstance(size, int)), default=None)


def _revision(settings: EngineSettings) -> str | None:
    """The commit that the hub's cache holds, or what the settings say."""
    folder = folder_of(settings.model, settings.revision)
    if folder is not None and folder.parent.name == "snapshots":
        return folder.name
    return settings.revision
