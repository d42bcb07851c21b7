"""Where a run's dataset is on the hub, for exports to it."""

from pathlib import Path

from evaluators.reports.exports.hub import HubDataset
from pipeline.problems.manifests import load_manifest, manifest_names
from pipeline.runs.directory import read_manifest

DEFAULT_TASK = "default"
"""The hub's name of a dataset's only configuration."""


def hub_dataset(run: Path) -> HubDataset | None:
    """Where a run's dataset is on the hub; None for bundled ones and a user's own.

    Raises:
        UserMistake: there is no run.
    """
    name = str(read_manifest(run)["identity"]["dataset"])
    hub = load_manifest(name).hub if name in manifest_names() else None
    return HubDataset(hub.id, hub.config or DEFAULT_TASK, hub.split) if hub is not None else None
