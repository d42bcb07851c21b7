"""Which folder a model name means: the bundled pair by name, everything else as given."""

from dataclasses import replace

from pipeline.engines import entry
from pipeline.engines.settings import EngineSettings
from pipeline.resources import pocket_dir

TARGET = "pocket-target"
DRAFT = "pocket-draft"
BUNDLED = {TARGET: "target", DRAFT: "draft"}


def with_model_folder(settings: EngineSettings) -> EngineSettings:
    """The same settings with a bundled model's name replaced by its folder.

    A server knows its models by their own names, so there only a tokenizer is resolved.
    """
    model, tokenizer, assistant = settings.model, settings.tokenizer, settings.assistant_model
    if model in BUNDLED and entry(settings.engine).opens_files:
        model = str(pocket_dir() / BUNDLED[model])
    if tokenizer in BUNDLED:
        tokenizer = str(pocket_dir() / BUNDLED[tokenizer])
    if assistant in BUNDLED:
        assistant = str(pocket_dir() / BUNDLED[assistant])
    return replace(settings, model=model, tokenizer=tokenizer, assistant_model=assistant)


def with_bundled_names(settings: EngineSettings) -> EngineSettings:
    """The opposite, for another machine: there the same models lie in another folder."""
    names: dict[str | None, str] = {str(pocket_dir() / one): name for name, one in BUNDLED.items()}
    model, tokenizer, assistant = settings.model, settings.tokenizer, settings.assistant_model
    return replace(
        settings,
        model=names.get(model, model),
        tokenizer=names.get(tokenizer, tokenizer),
        assistant_model=names.get(assistant, assistant),
    )
