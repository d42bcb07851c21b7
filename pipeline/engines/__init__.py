"""Engines: who turns a token prefix into a completion. `create` makes one from its settings."""

from dataclasses import replace
from pkgutil import resolve_name

from pipeline.engines.declaration import EngineEntry
from pipeline.engines.protocol import Engine
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.plugins import added, find

# Entries are light; what they name is imported when an engine is made: vLLM and torch take seconds.
ENGINES = {
    "vllm": "pipeline.engines.vllm.declaration:VLLM",
    "openai": "pipeline.engines.openai.declaration:OPENAI",
    "transformers": "pipeline.engines.transformers.declaration:TRANSFORMERS",
    "scripted": "pipeline.engines.scripted.declaration:SCRIPTED",
}


def names() -> tuple[str, ...]:
    """The names of all engines, those that other packages add last."""
    return (*ENGINES, *added("engines", ENGINES))


def entry(name: str) -> EngineEntry:
    """What there is to know of the engine of that name.

    Raises:
        UserMistake: there is none, or what adds it cannot be used.
    """
    plugin = find("engines", name, ENGINES)
    if plugin is not None:
        known = plugin.load(EngineEntry)
        if known.name != name:
            raise plugin.broken(f"it calls itself {known.name!r}")
        return known
    if name not in ENGINES:
        raise UserMistake(f"there is no engine {name!r}; the engines are {', '.join(names())}")
    found: EngineEntry = resolve_name(ENGINES[name])
    return found


def entries() -> dict[str, EngineEntry]:
    """All engines by name, without those that cannot be used: they say why when they are chosen."""
    found = {}
    for name in names():
        try:
            found[name] = entry(name)
        except UserMistake:
            continue
    return found


def automatic() -> tuple[EngineEntry, ...]:
    """The engines that `auto` may mean, first things first."""
    return tuple(one for one in entries().values() if one.automatic)


def resolve_auto() -> str:
    """The engine that `auto` means here: of those it may mean the first that is installed."""
    return next(one.name for one in automatic() if one.installed)


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
    engine: Engine = resolve_name(known.path)(replace(settings, own=known.own_values(settings)))
    return engine
