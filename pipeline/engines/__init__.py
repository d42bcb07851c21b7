"""Engines: who turns a token prefix into a completion. `create` makes one from its settings."""

from dataclasses import replace

from pipeline.engines.declaration import EngineEntry
from pipeline.engines.plugged import PluggedEngine
from pipeline.engines.protocol import Engine
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.registry import Registry

# Entries are light, yet what they name is imported when an engine is made: vLLM and torch take
# seconds. They lie in rooms of their own, which import this one, and so stand here by their paths.
ENGINES = Registry(
    "engines",
    EngineEntry,
    {
        "vllm": "pipeline.engines.vllm.declaration:VLLM",
        "openai": "pipeline.engines.openai.declaration:OPENAI",
        "transformers": "pipeline.engines.transformers.declaration:TRANSFORMERS",
        "ray": "pipeline.engines.ray.declaration:RAY",
        "scripted": "pipeline.engines.scripted.declaration:SCRIPTED",
    },
)


def entry(name: str) -> EngineEntry:
    """What there is to know of the engine of that name.

    Raises:
        UserMistake: there is none, or what adds it cannot be used.
    """
    return ENGINES.entry(name)


def automatic() -> tuple[EngineEntry, ...]:
    """The engines that `auto` may mean, first things first."""
    return tuple(one for one in ENGINES.usable().values() if one.automatic)


def resolve_auto() -> str:
    """The engine that `auto` means here: of those it may mean the first that is installed."""
    return next(one.name for one in automatic() if one.installed)


def check_settings(settings: EngineSettings) -> None:
    """Refuse what the engine cannot have, and a field that it would take no notice of.

    Raises:
        UserMistake: there is such a thing, or there is no such engine.
    """
    known = entry(settings.engine)
    for name in known.ignored(settings):
        users = [one.name for one in ENGINES.usable().values() if one.heeds(name)]
        raise UserMistake(
            f"{name!r} has no effect with the engine {settings.engine}; leave it out, or choose "
            f"{' or '.join(sorted(users))}{known.in_place_of(name)}"
        )
    known.check_settings(settings)


def create(settings: EngineSettings) -> Engine:
    """The engine that `settings` describes, not started yet.

    Raises `UserMistake` for an unknown engine and for settings that this engine cannot honour.
    """
    known = entry(settings.engine)
    if not known.installed:
        raise UserMistake(
            f"the engine {known.name} needs the package {known.package}, which is not installed; "
            f"{known.install or 'install it'}, or choose --engine {resolve_auto()}"
        )
    check_settings(settings)
    values = known.own_values(settings)
    with ENGINES.blamed(known.name):
        engine = known.load_class()(replace(settings, own=values))
    if known.name in ENGINES.built_in:
        return engine
    return PluggedEngine(engine, lambda: ENGINES.blamed(known.name))
