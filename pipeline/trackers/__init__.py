"""Trackers of experiments: services that draw a run's metrics while it goes on."""

from pipeline.errors import UserMistake
from pipeline.registry import Registry
from pipeline.trackers.tracker import Tracker, TrackerEntry, run_id

__all__ = ["TRACKERS", "Tracker", "TrackerEntry", "run_id", "tracker_entry"]

MLFLOW = TrackerEntry(
    name="mlflow",
    path="pipeline.trackers.mlflow_runs:MlflowTracker",
    package="mlflow",
    install="pip install 'speclrm[mlflow]'",
)
WANDB = TrackerEntry(
    name="wandb",
    path="pipeline.trackers.wandb_runs:WandbTracker",
    package="wandb",
    install="pip install 'speclrm[wandb]'",
)
TRACKERS = Registry("trackers", TrackerEntry, {one.name: one for one in (MLFLOW, WANDB)})


def tracker_entry(name: str) -> TrackerEntry:
    """The tracker that a user asked for.

    Raises:
        UserMistake: there is none, or the package that it needs is not installed.
    """
    entry = TRACKERS.entry(name)
    if not entry.installed:
        raise UserMistake(
            f"--tracker {name} needs the package {entry.package}, which is not installed; "
            f"{entry.install}."
        )
    return entry
