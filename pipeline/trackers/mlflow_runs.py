"""Runs in MLflow: in a file beside you, or on the server that MLFLOW_TRACKING_URI names."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from pipeline.trackers.tracker import run_id

ID_TAG = "speclrm.run"
LONGEST_VALUE = 500
MOST_AT_ONCE = 100
"""Characters of a parameter, and parameters of one request, that every MLflow server takes."""
_NOT_IN_NAMES = re.compile(r"[^\w./ -]")


class MlflowTracker:
    """One run in the experiment `speclrm`, or the one that MLFLOW_EXPERIMENT_NAME names."""

    def __init__(self) -> None:
        """Nothing is written before it begins."""
        self._client = MlflowClient()
        self._run = ""

    def begin(self, settings: Mapping[str, Any], name: str) -> None:
        """Find the run by its tag, since MLflow gives ids of its own, or create it."""
        client, tag = self._client, run_id(settings, name)
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME", "speclrm")
        experiment = client.get_experiment_by_name(title)
        place = client.create_experiment(title) if experiment is None else experiment.experiment_id
        there = client.search_runs([place], f"tags.`{ID_TAG}` = '{tag}'", max_results=1)
        if there:
            self._run = there[0].info.run_id
            client.update_run(self._run, status="RUNNING")
            return
        self._run = client.create_run(place, tags={ID_TAG: tag}, run_name=name).info.run_id
        params = [Param(key, value[:LONGEST_VALUE]) for key, value in _flat(settings)]
        for first in range(0, len(params), MOST_AT_ONCE):
            client.log_batch(self._run, params=params[first : first + MOST_AT_ONCE])

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """All metrics in one request."""
        now = int(time.time() * 1000)
        self._client.log_batch(
            self._run,
            metrics=[Metric(_named(key), one, now, step) for key, one in metrics.items()],
        )

    def finish(self) -> None:
        """The run is shown as finished."""
        self._client.set_terminated(self._run)


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings by dotted names, values as JSON has them and texts as they are."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield _named(f"{before}{key}"), text


def _named(key: str) -> str:
    """A key as MLflow takes it."""
    return _NOT_IN_NAMES.sub("_", key)
