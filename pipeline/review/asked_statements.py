"""The texts of a run's problems, loaded from its dataset again: attempt lines do not hold them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from evaluators.reports.statements import HIDDEN_DATASETS, Statement, Statements
from evaluators.statistics.groups import KINDS, Groups
from pipeline.errors import UserMistake
from pipeline.problems.manifests import gated_datasets, manifest_names
from pipeline.problems.problem_set import ProblemSet, load_problems
from pipeline.problems.prompting import open_prompt_set, task_prompt
from pipeline.runs.directory import read_attempts, read_manifest


class _Source(NamedTuple):
    """What a problem set is loaded by."""

    dataset: str | None
    file: Path | None
    seed: int


def hidden_datasets(*, shown: bool) -> tuple[str, ...]:
    """How the names of datasets start whose texts stay out; none of them when they are `shown`."""
    return () if shown else (*HIDDEN_DATASETS, *gated_datasets())


def statement_reader(data_file: Path | None = None) -> Callable[[Path], Statements]:
    """A function from a run to its statements; see `LoadedAgain.statements`."""
    return LoadedAgain(data_file).statements


class LoadedAgain:
    """The datasets of runs, each loaded once, however many runs there are.

    `data_file` holds the rows in place of those that a run names. A dataset that cannot be loaded,
    or that is not as the run saw it, gives the reason.
    """

    def __init__(self, data_file: Path | None = None) -> None:
        self._data_file = data_file
        self._loaded: dict[_Source, ProblemSet | UserMistake] = {}

    def statements(self, run: Path) -> Statements:
        """What the run's problems ask.

        Raises:
            UserMistake: there is no run, or an attempt of it is broken.
        """
        found = self._problems(run)
        return (
            Statements({}, found)
            if isinstance(found, str)
            else Statements(_as_asked(run, found), prompts=_prompts(found))
        )

    def groups(self, run: Path) -> Groups:
        """The levels and subjects of the run's problems, where the dataset has them.

        Raises:
            UserMistake: there is no run.
        """
        found = self._problems(run)
        if isinstance(found, str):
            return Groups({}, found)
        stated = {
            kind: {
                one.problem_id: getattr(one, kind) for one in found.problems if getattr(one, kind)
            }
            for kind in KINDS
        }
        return Groups({kind: names for kind, names in stated.items() if names})

    def _problems(self, run: Path) -> ProblemSet | str:
        """The run's dataset, or why it cannot be had."""
        manifest = read_manifest(run)
        source = _source(manifest, self._data_file)
        if source not in self._loaded:
            self._loaded[source] = _load(source)
        found = self._loaded[source]
        if isinstance(found, UserMistake):
            return f"the dataset could not be loaded: {found}"
        if found.fingerprint != manifest.get("dataset", {}).get("fingerprint"):
            return f"the rows of {found.name} are not those of the run (their fingerprints differ)"
        return found


def _prompts(found: ProblemSet) -> dict[str, str]:
    """Each problem's task as the dataset's own templates render it; none where they are gone."""
    try:
        templates = open_prompt_set(found.prompt_set)
        return {one.problem_id: task_prompt(templates, one, "").text for one in found.problems}
    except UserMistake:
        return {}


def _source(manifest: dict[str, Any], data_file: Path | None) -> _Source:
    name = str(manifest["identity"].get("dataset"))
    # An imported run has no seed; its attempts say how they ordered the choices.
    seed = int(manifest["identity"].get("seed") or 0)
    file = data_file or manifest.get("dataset", {}).get("file")
    if file is None:
        return _Source(name, None, seed)
    # A file of the user's own has its stem for a name, which is no dataset's.
    return _Source(name if name in manifest_names() else None, Path(file), seed)


def _load(source: _Source) -> ProblemSet | UserMistake:
    try:
        return load_problems(source.dataset, source.file, seed=source.seed)
    except UserMistake as error:
        return error


def _as_asked(run: Path, found: ProblemSet) -> dict[str, Statement]:
    """The statements, with choices in the order that the attempts record."""
    orders = {}
    if any(problem.choices for problem in found.problems):
        seen = read_attempts(run)
        orders = {one.problem_id: one.choice_order for one in seen if one.choice_order}
    asked = {}
    for problem in found.problems:
        order = orders.get(problem.problem_id, problem.choice_order)
        choices = tuple(problem.choices[problem.choice_order.index(place)] for place in order)
        asked[problem.problem_id] = Statement(problem.problem, choices)
    return asked
