"""What the problems of a run ask, loaded from its dataset again: attempt lines do not hold it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from evaluators.statements import HIDDEN_DATASETS, Statement, Statements
from pipeline.errors import UserMistake
from pipeline.manifests import gated_datasets, manifest_names
from pipeline.problems import ProblemSet, load_problems
from pipeline.run_directory import read_manifest


class _Source(NamedTuple):
    """What a problem set is loaded by."""

    dataset: str | None
    file: Path | None
    seed: int


def hidden_datasets() -> tuple[str, ...]:
    """How the names of datasets start whose texts are shown only to who asks for them."""
    return (*HIDDEN_DATASETS, *gated_datasets())


def statement_reader() -> Callable[[Path], Statements]:
    """A function from a run to its statements that loads each dataset once, however many runs.

    It raises `UserMistake` where there is no run. A dataset that cannot be loaded, or that is no
    longer as the run saw it, gives no statements and the reason.
    """
    loaded: dict[_Source, ProblemSet | UserMistake] = {}

    def statements(run: Path) -> Statements:
        manifest = read_manifest(run)
        source = _source(manifest)
        if source not in loaded:
            loaded[source] = _load(source)
        return _statements(manifest, loaded[source])

    return statements


def _source(manifest: dict[str, Any]) -> _Source:
    name = str(manifest["identity"].get("dataset"))
    # An imported run has no seed; its choices stand in the order of the dataset.
    seed = int(manifest["identity"].get("seed") or 0)
    file = manifest.get("dataset", {}).get("file")
    if file is None:
        return _Source(name, None, seed)
    # A file of the user's own has its stem for a name, which is no dataset's.
    return _Source(name if name in manifest_names() else None, Path(file), seed)


def _load(source: _Source) -> ProblemSet | UserMistake:
    try:
        return load_problems(source.dataset, source.file, seed=source.seed)
    except UserMistake as error:
        return error


def _statements(manifest: dict[str, Any], found: ProblemSet | UserMistake) -> Statements:
    if isinstance(found, UserMistake):
        return Statements({}, f"the dataset could not be loaded: {found}")
    if found.fingerprint != manifest.get("dataset", {}).get("fingerprint"):
        return Statements({}, f"the rows of {found.name} are no longer those of the run")
    asked = {one.problem_id: Statement(one.problem, one.choices) for one in found.problems}
    return Statements(asked)
