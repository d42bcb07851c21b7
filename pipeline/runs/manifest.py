"""What `run.json` says of a run: its settings, what was asked for, and every session."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pipeline.engines.model_extras import secrets_of
from pipeline.engines.protocol import Engine
from pipeline.ledger import assistant_of
from pipeline.runs import versions
from pipeline.runs.planning import Plan
from pipeline.runs.scheduler import Engines

MANIFEST_SCHEMA = 1


def session_manifest(
    planned: Plan, earlier: dict[str, Any] | None, engines: Engines
) -> dict[str, Any]:
    """The manifest of this session: earlier sessions stay."""
    experiment, problems = planned.experiment, planned.problems
    return {
        "schema": MANIFEST_SCHEMA,
        "name": planned.directory.name,
        "identity": planned.identity(),
        "dataset": {
            "name": problems.name,
            "source": problems.source,
            "file": str(experiment.data_file.resolve()) if experiment.data_file else None,
            "revision": problems.revision,
            "rows": problems.rows,
            "fingerprint": problems.fingerprint,
        },
        "slice": widened_slice(planned, earlier),
        "models": {"target": None, "draft": None} | _models(engines.by_role),
        "sessions": [
            *(earlier["sessions"] if earlier is not None else ()),
            {
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": secrets_of(*experiment.models.values()).masked(shlex.join(sys.argv)),
                **({} if planned.shard is None else {"shard": str(planned.shard)}),
                "concurrency": experiment.concurrency,
                "versions": versions.versions(planned.used()),
                "hardware": versions.hardware(),
            },
        ],
    }


def _models(by_role: Mapping[str, Engine]) -> dict[str, Any]:
    """The facts of every model, those of assistants under roles of their own."""
    facts = {role: engine.facts for role, engine in by_role.items()}
    facts |= {assistant_of(role): one.assistant for role, one in facts.items() if one.assistant}
    recorded = {role: asdict(one) for role, one in facts.items()}
    for one in recorded.values():
        del one["assistant"]
    return recorded


def widened_slice(planned: Plan, earlier: dict[str, Any] | None) -> dict[str, Any]:
    """What all sessions have asked for, this one included: it only widens."""
    before: dict[str, Any] = {"problem_ids": (), "repeats": 0}
    if earlier is not None:
        before = earlier["slice"]
    asked = {problem.problem_id for problem in planned.selected} | set(before["problem_ids"])
    everything = (problem.problem_id for problem in planned.problems.problems)
    problem_ids = [problem_id for problem_id in everything if problem_id in asked]
    widened = {
        "problem_ids": problem_ids,
        "repeats": max(planned.experiment.repeats, before["repeats"]),
    }
    if planned.shard is None:
        return widened
    places = planned.places
    return widened | {
        "shard": str(planned.shard),
        "places": [places[problem_id] for problem_id in problem_ids],
    }
