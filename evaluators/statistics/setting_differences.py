"""In which settings two compared runs differ, besides their reasoners and their models."""

import json
from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

from evaluators.run_files.run_manifest import RunManifest

COMPARED = {"reasoner", "dataset", "dataset_fingerprint", "imported_from"}
OF_MODELS = {"target", "draft", "models"}
OF_REASONERS = {"tracks", "steps"}
"""Sections that some reasoners always have: where one run has none, its reasoner says why."""
NAMED_TEMPLATES = 3
LONGEST_SHOWN = 40

Settings = Mapping[str, Any]


def setting_differences(first: RunManifest, second: RunManifest) -> Iterator[str]:
    """A sentence for each setting.

    The settings of another model are a part of what it is; of templates those are compared that
    both runs use. What an imported run does not say is not known to differ.
    """
    ours, theirs = (dict(run.recorded.get("identity", {})) for run in (first, second))
    imported = "imported_from" in {**ours, **theirs}
    for name in (name for name in {**ours, **theirs} if name not in COMPARED | OF_MODELS):
        one, other = ours.get(name), theirs.get(name)
        is_of_one = one is None or other is None
        if one == other or (is_of_one and (imported or name in OF_REASONERS)):
            continue
        if name == "prompts":
            yield from _templates(one or {}, other or {})
        else:
            yield from _differences(name, one, other)
    models, others = _models(ours), _models(theirs)
    for role in models:
        one, other = models[role], others.get(role, {})
        if one.get("model") == other.get("model") and not imported:
            yield from _differences(role, one, other)


def _models(identity: Settings) -> dict[str, Settings]:
    """Each model's settings by its role."""
    two = {role: identity.get(role) for role in ("target", "draft")}
    every = {**two, **identity.get("models", {})}
    return {role: one for role, one in every.items() if one is not None}


def _differences(name: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            if one.get(key) != other.get(key):
                yield from _differences(f"{name}.{key}", one.get(key), other.get(key))
        return
    shown = _shown(one), _shown(other)
    yield f"{name} differs" + (f": {shown[0]} and {shown[1]}" if shown[0] != shown[1] else "")


def _templates(one: Settings, other: Settings) -> Iterator[str]:
    changed = [name for name in one if name in other and one[name] != other[name]]
    if changed:
        more = len(changed) - NAMED_TEMPLATES
        rest = f" and {more} more" if more > 0 else ""
        yield f"prompts differ: {', '.join(changed[:NAMED_TEMPLATES])}{rest}"


def _shown(value: Any) -> str:
    """A value in short."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return shorten(text, LONGEST_SHOWN, placeholder="…") or "…"
