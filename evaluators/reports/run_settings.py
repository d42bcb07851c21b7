"""A run's settings as a page shows them: every entry of its manifest that says how it was made."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from evaluators.run_files.run_manifest import RunManifest

SHOWN = ("identity", "dataset", "models")
HASH_DIGITS = 12
LAST_SESSION = ("started", "concurrency", "versions", "hardware")


def run_settings(manifest: RunManifest) -> dict[str, str]:
    """The settings by dotted name, in the manifest's order; the templates' hashes, in short, last.

    Of a path only its last part is told: a page is for others. The command stays out, as it holds
    nothing that the settings do not.
    """
    recorded = manifest.recorded
    told: dict[str, Any] = {}
    for part in SHOWN:
        entries = recorded.get(part)
        if isinstance(entries, Mapping):
            told |= entries if part == "identity" else {part: entries}
    told |= {"problems": len(manifest.slice.problem_ids), "repeats": manifest.slice.repeats}
    sessions = recorded.get("sessions")
    if isinstance(sessions, list) and sessions and isinstance(sessions[-1], Mapping):
        told |= {name: sessions[-1][name] for name in LAST_SESSION if name in sessions[-1]}
    prompts = told.pop("prompts", None)
    if isinstance(prompts, Mapping):
        told["prompts"] = {name: str(hash_)[:HASH_DIGITS] for name, hash_ in prompts.items()}
    return dict(_flat("", told))


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(value, list):
        yield prefix, ", ".join(_text(one) for one in value) or "none"
    else:
        yield prefix, _text(value)


def _text(value: object) -> str:
    if value is None:
        return "none"
    text = str(value)
    return PurePath(text).name if text.startswith("/") and len(text) > 1 else text
