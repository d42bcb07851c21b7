"""What exports need of a run's dataset: its problems' texts, and where it is on the hub."""

from pathlib import Path

from evaluators.exports.hub import HubDataset
from evaluators.statements import Statement
from pipeline.errors import UserMistake
from pipeline.manifests import load_manifest, manifest_names
from pipeline.problems import ProblemSet, default_refs_dir, load_problems
from pipeline.run_directory import read_attempts, read_manifest

DEFAULT_TASK = "default"
"""The hub's name of a dataset's only configuration."""


def statements(run: Path, data_file: Path | None) -> dict[str, Statement]:
    """The problems of a run as they were asked, by id.

    None are returned for a user's own file that `data_file` does not name.

    Raises:
        UserMistake: the dataset cannot be loaded, or is not the one that was run.
    """
    manifest = read_manifest(run)
    name = str(manifest["identity"]["dataset"])
    known = name in manifest_names()
    if not known and data_file is None:
        return {}
    problems = load_problems(
        name if known else None,
        data_file,
        seed=manifest["identity"]["seed"] or 0,
        refs_dir=default_refs_dir(),
    )
    recorded = manifest["dataset"]["fingerprint"]
    if problems.fingerprint != recorded:
        raise UserMistake(
            f"The problems now loaded ({problems.source}) are not those that {run} was made with "
            "(their fingerprints differ); name its rows with --data-file FILE."
        )
    return _as_asked(run, problems)


def _as_asked(run: Path, problems: ProblemSet) -> dict[str, Statement]:
    """The statements, with choices in the order that the attempts record."""
    orders = {one.problem_id: one.choice_order for one in read_attempts(run) if one.choice_order}
    found = {}
    for problem in problems.problems:
        order = orders.get(problem.problem_id, problem.choice_order)
        choices = tuple(problem.choices[problem.choice_order.index(place)] for place in order)
        found[problem.problem_id] = Statement(problem.problem, choices)
    return found


def hub_dataset(run: Path) -> HubDataset | None:
    """Where a run's dataset is on the hub; None for bundled ones and a user's own.

    Raises:
        UserMistake: there is no run.
    """
    name = str(read_manifest(run)["identity"]["dataset"])
    hub = load_manifest(name).hub if name in manifest_names() else None
    return HubDataset(hub.id, hub.config or DEFAULT_TASK, hub.split) if hub is not None else None
