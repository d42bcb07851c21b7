"""What the scripted engine declares of itself."""

from pathlib import Path

from pipeline.engines.declaration import EngineEntry, EngineOption
from pipeline.engines.sampling import FURTHER
from pipeline.engines.scripted.script import load_script
from pipeline.engines.scripted.tokenizer import ByteTokenizer
from pipeline.engines.settings import EngineSettings


def byte_tokenizer(settings: EngineSettings) -> ByteTokenizer:  # noqa: ARG001 - of all scripts
    """One token a byte, whatever the script."""
    return ByteTokenizer()


def script_context(settings: EngineSettings) -> int | None:
    """The context that the script gives itself."""
    return None if settings.script is None else load_script(settings.script).context


SCRIPTED = EngineEntry(
    name="scripted",
    path="pipeline.engines.scripted.engine:ScriptedEngine",
    options=(EngineOption(name="script", type=Path, help="Table of the scripted engine."),),
    requires={"script": "a table of answers"},
    model="scripted",
    tokenizer=f"{__name__}:byte_tokenizer",
    context=f"{__name__}:script_context",
    samples=FURTHER,
)
