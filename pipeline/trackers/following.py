"""Runs followed by a tracker, from a thread of its own: whatever it does, the run goes on."""

import contextlib
import math
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from evaluators.run_files.run_manifest import MANIFEST
from pipeline.engines.masking import Secrets
from pipeline.engines.model_extras import secrets_of
from pipeline.ledger import known_sum
from pipeline.runs.planning import Plan
from pipeline.runs.scheduler import Progress
from pipeline.runs.status import RunStatus, statuses
from pipeline.trackers.tracker import Tracker, TrackerEntry

SECONDS_BETWEEN = 10.0
PATIENCE = 30.0
"""Seconds that a tracker has at the end for what it has not taken yet."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A run to follow; `before` is what of it was recorded when this session began, and stays."""

    directory: Path
    settings: dict[str, Any]
    before: RunStatus | None

    @classmethod
    def of(cls, planned: Plan, *, retry_errors: bool = False, force: bool = False) -> Self:
        """The run of a plan, its settings as in `run.json`, with any secret in them masked."""
        before = _recorded(planned.directory)
        if before is not None and force:
            before = replace(before, recorded=0, errors=0, computed={}, forwards={})
        elif before is not None and retry_errors:
            before = replace(before, recorded=before.recorded - before.errors, errors=0)
        secrets = secrets_of(*planned.experiment.models.values())
        return cls(planned.directory, _masked(planned.identity(), secrets), before)


class Following:
    """Follows runs with a tracker for each; without an entry it does nothing.

    Its thread reads what the runs' progress counts every few seconds: nothing waits for a tracker
    before `end`. `graded` are metrics by the runs' directories, to be filled once there are any.
    """

    def __init__(self, entry: TrackerEntry | None, runs: Sequence[Followed]) -> None:
        """Nothing is told to the tracker before a run is watched or ends."""
        self.graded: dict[Path, dict[str, float]] = {}
        self._entry = entry
        self._runs = {} if entry is None else {one.directory: one for one in runs}
        self._trackers: dict[Path, Tracker | None] = {}
        self._troubles: list[str] = []
        self._watched: Mapping[Path, Progress] = {}
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        if self._runs:
            self._thread.start()

    @contextlib.contextmanager
    def watching(self, progress: Mapping[Path, Progress]) -> Iterator[None]:
        """Log what these runs count, by their directories, until the block ends."""
        self._watched = progress
        if self._runs:
            self._todo.put(self._log_progress)
        try:
            yield
        finally:
            self._watched = {}

    def end(self) -> str | None:
        """Log what the directories hold now and what grading came to, and finish.

        Returns what the tracker failed at, one sentence. What hangs is left behind.
        """
        if self._entry is None or not self._runs:
            return None
        for one in self._runs:
            self._todo.put(partial(self._guarded, self._finish, one))
        self._todo.put(None)
        self._thread.join(PATIENCE)
        troubles = list(self._troubles)
        if self._thread.is_alive():
            troubles.append(f"it did not answer within {PATIENCE:g} s")
        if not troubles:
            return None
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return (
            f"The tracker {self._entry.name} does not have all of the run: {troubles[0]}{more}; "
            "the run's own directory does."
        )

    def _work(self) -> None:
        while True:
            try:
                todo = self._todo.get(timeout=SECONDS_BETWEEN)
            except queue.Empty:
                todo = self._log_progress
            if todo is None:
                return
            todo()

    def _log_progress(self) -> None:
        for one, progress in self._watched.items():
            if one in self._runs:
                metrics, step = _so_far(progress, self._runs[one].before)
                self._guarded(self._log, one, metrics, step)

    def _finish(self, directory: Path) -> None:
        there = _recorded(directory)
        if there is not None:
            metrics = _counted(there) | self.graded.get(directory, {})
            self._guarded(self._log, directory, metrics, there.recorded)
        tracker = self._trackers.get(directory)
        if tracker is not None:
            tracker.finish()

    def _log(self, directory: Path, metrics: Mapping[str, float], step: int) -> None:
        if directory not in self._trackers and self._entry is not None:
            self._trackers[directory] = None  # one that cannot begin is not tried again
            tracker = self._entry.load()()
            tracker.begin(self._runs[directory].settings, directory.name)
            self._trackers[directory] = tracker
        begun = self._trackers[directory]
        if begun is not None:
            begun.log({key: one for key, one in metrics.items() if math.isfinite(one)}, step)

    def _guarded(self, call: Callable[..., None], *given: object) -> None:
        try:
            call(*given)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary to code of others
            self._troubles.append(f"{type(error).__name__}: {error}")


def _recorded(directory: Path) -> RunStatus | None:
    """What a run's directory holds; None before its first session."""
    if not (directory / MANIFEST).exists():
        return None
    return next((one for one in statuses([directory]) if isinstance(one, RunStatus)), None)


def _masked(value: Any, secrets: Secrets) -> Any:
    """Settings as JSON has them, every text in them masked."""
    if isinstance(value, Mapping):
        return {key: _masked(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(one, secrets) for one in value]
    return secrets.masked(value) if isinstance(value, str) else value


def _counted(there: RunStatus) -> dict[str, float]:
    """What a directory holds, as metrics."""
    spent = _by_role("tokens", there.computed) | _by_role("forwards", there.forwards)
    return {"attempts/failed": there.errors, "seconds": there.seconds, **spent}


def _by_role(
    name: str, made: Mapping[str, int | None], earlier: Mapping[str, int | None] | None = None
) -> dict[str, float]:
    """What is known of what the models did, on top of what they had done earlier."""
    sums = {role: known_sum(count, (earlier or {}).get(role, 0)) for role, count in made.items()}
    return {f"{name}/{role}": count for role, count in sums.items() if count is not None}


def _so_far(progress: Progress, before: RunStatus | None) -> tuple[dict[str, float], int]:
    """What a session has counted, on top of what was recorded before, and the step."""
    computed, forwards = (None, None) if before is None else (before.computed, before.forwards)
    step = progress.done + (0 if before is None else before.recorded)
    metrics: dict[str, float] = {
        "attempts/failed": progress.failed + (0 if before is None else before.errors),
        # Copies, since the run's own thread adds roles meanwhile.
        **_by_role("tokens", dict(progress.tokens), computed),
        **_by_role("forwards", dict(progress.forwards), forwards),
    }
    if progress.generated and progress.seconds:
        metrics["tokens_per_second"] = progress.generated / progress.seconds
    return metrics, step
