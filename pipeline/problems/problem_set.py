"""Problems: from a manifest and rows to what a reasoner is asked and a grader compares with."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pipeline.errors import UserMistake
from pipeline.letters import LETTERS
from pipeline.problems.data_files import Row, read_rows
from pipeline.problems.hub import HubRows, check_fingerprint, hub_rows
from pipeline.problems.manifests import AnswerKind, Columns, HubSource, Manifest, load_manifest
from pipeline.problems.ranges import select_ids
from pipeline.problems.rows import StoredProblem, file_safe, stored_problem
from pipeline.seeds import choice_order


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its gold answer.

    `choices` are in the order shown; `choice_order[i]` is the stored index of the i-th shown one
    (for shuffled choices the correct one is stored at 0). For the kind `choice`, `answer` is the
    letter of the correct choice as shown.
    """

    dataset: str
    problem_id: str
    record_id: str
    aliases: tuple[str, ...]
    problem: str
    answer: str
    kind: AnswerKind
    choices: tuple[str, ...]
    choice_order: tuple[int, ...]
    level: str | None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """A loaded dataset. `fingerprint` is over (id, problem, answer) as stored, before shuffling.

    `source` says in words where the rows came from; `revision` is the hub commit, if any. `notes`
    are sentences that the user should read once: at the first load.
    """

    name: str
    problems: tuple[Problem, ...]
    fingerprint: str
    rows: int
    source: str
    revision: str | None
    prompt_set: str
    notes: tuple[str, ...] = ()

    def select(self, range_text: str) -> tuple[Problem, ...]:
        """The problems that a problem range names, in the dataset's order, each once.

        Raises `UserMistake` as `problem_range.select_ids` does.
        """
        by_id = {problem.problem_id: problem for problem in self.problems}
        aliases = {alias: p.problem_id for p in self.problems for alias in p.aliases}
        ids = select_ids(range_text, self.name, tuple(by_id), aliases)
        return tuple(by_id[problem_id] for problem_id in ids)


def default_refs_dir() -> Path:
    """Where the commits resolved at first load are recorded: `speclrm` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "speclrm"


def load_problems(
    dataset: str | None, data_file: Path | None, *, seed: int, refs_dir: Path | None = None
) -> ProblemSet:
    """Load a dataset by name, a file with a dataset's columns, or a user's own file.

    `seed` only moves shuffled choices. `refs_dir` keeps the hub commit and the fingerprint of
    first loads; None means `default_refs_dir()`. Raises `UserMistake` for everything
    that is wrong with the name, the file, the hub or the rows.
    """
    if data_file is not None:
        rows = read_rows(data_file)
        if dataset is None:
            return _assemble(_own_manifest(data_file, rows[0]), rows, seed, data_file.name)
        return _from_file_as(load_manifest(dataset), data_file, rows, seed)
    if dataset is None:
        raise UserMistake("no problems were named: give --dataset NAME or --data-file FILE")
    manifest = load_manifest(dataset)
    if manifest.bundled is not None:
        return _from_bundle(manifest, manifest.bundled, seed)
    refs = refs_dir or default_refs_dir()
    loaded = hub_rows(manifest.name, cast("HubSource", manifest.hub), refs)
    return _from_hub(manifest, loaded, seed, refs)


def _from_bundle(manifest: Manifest, file: Path, seed: int) -> ProblemSet:
    source = f"{manifest.package or 'bundled'} {file.name}"
    problem_set = _assemble(manifest, read_rows(file), seed, source)
    _verify(manifest, problem_set)
    return problem_set


def _from_hub(manifest: Manifest, loaded: HubRows, seed: int, refs_dir: Path) -> ProblemSet:
    problem_set = _assemble(manifest, loaded.rows, seed, loaded.source)
    problem_set = replace(problem_set, revision=loaded.revision)
    _verify(manifest, problem_set)
    problem_set = replace(problem_set, notes=tuple(_unfilled(manifest, problem_set)))
    is_first = check_fingerprint(manifest.name, loaded, problem_set.fingerprint, refs_dir)
    if not is_first or manifest.unverified is None:
        return problem_set
    note = (
        f"first load of {manifest.name}: its manifest was written without seeing the rows, and "
        f"nobody has checked {manifest.unverified}; look at some attempts with `speclrm show` "
        "before you trust a result"
    )
    return replace(problem_set, notes=(*problem_set.notes, note))


def _unfilled(manifest: Manifest, problem_set: ProblemSet) -> Iterator[str]:
    """What the manifest says of every problem, and no row holds."""
    for kind in ("level", "subject"):
        column = getattr(manifest.columns, kind)
        if column is not None and not any(getattr(one, kind) for one in problem_set.problems):
            yield (
                f"no row of {manifest.name} has a {kind}: its manifest takes it from the column "
                f"{column!r}, which is empty or not there"
            )


def _from_file_as(
    manifest: Manifest, data_file: Path, rows: Sequence[Row], seed: int
) -> ProblemSet:
    # A file may hold a part of the dataset, so what differs is said and not refused.
    problem_set = _assemble(manifest, rows, seed, f"{data_file.name} as {manifest.name}")
    if manifest.rows is not None and len(rows) != manifest.rows:
        note = f"{len(rows)} rows, the dataset has {manifest.rows}"
    elif manifest.fingerprint is None:
        note = f"{len(rows)} rows, not compared with the hub's"
    elif manifest.fingerprint == problem_set.fingerprint:
        note = f"{len(rows)} rows, the same as the dataset's"
    else:
        note = f"{len(rows)} rows, not the same as the dataset's"
    return replace(problem_set, source=f"{problem_set.source} ({note})")


def _own_manifest(data_file: Path, first: Row) -> Manifest:
    """The manifest of a user's own file: the columns that docs/datasets.md names, where present."""
    names = first.values
    columns = Columns(
        problem="question" if "question" in names and "problem" not in names else "problem",
        answer="answer",
        id="id" if "id" in names else None,
        choices="choices",
        kind="kind",
        level="level",
        subject="subject",
    )
    name = file_safe(data_file.stem)
    return Manifest(name=name, about="", kind=None, prompt_set="standard", columns=columns)


def _assemble(manifest: Manifest, rows: Sequence[Row], seed: int, source: str) -> ProblemSet:
    stored = [stored_problem(manifest, row, number) for number, row in enumerate(rows)]
    _check_names(manifest.name, rows, stored)
    return ProblemSet(
        name=manifest.name,
        problems=tuple(_shown(manifest.name, problem, seed) for problem in stored),
        fingerprint=fingerprint(stored),
        rows=len(stored),
        source=source,
        revision=None,
        prompt_set=manifest.prompt_set,
    )


def _shown(dataset: str, stored: StoredProblem, seed: int) -> Problem:
    order = tuple(range(len(stored.choices)))
    answer = stored.answer
    if stored.shuffled:
        order = choice_order(stored.record_id, seed, len(stored.choices))
        answer = LETTERS[order.index(0)]
    return Problem(
        dataset=dataset,
        problem_id=stored.problem_id,
        record_id=stored.record_id,
        aliases=stored.aliases,
        problem=stored.problem,
        answer=answer,
        kind=stored.kind,
        choices=tuple(stored.choices[index] for index in order),
        choice_order=order,
        level=stored.level,
        subject=stored.subject,
    )


def fingerprint(stored: Sequence[StoredProblem]) -> str:
    """SHA-256 over the canonical JSON of (id, problem, answer, and choices where there are)."""
    digest = hashlib.sha256()
    for problem in stored:
        fields: list[object] = [problem.problem_id, problem.problem, problem.answer]
        if problem.choices:
            fields.append(list(problem.choices))
        line = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
        digest.update(line.encode("ascii") + b"\n")
    return digest.hexdigest()


def _check_names(dataset: str, rows: Sequence[Row], stored: Sequence[StoredProblem]) -> None:
    first_row: dict[str, str] = {}
    for row, problem in zip(rows, stored, strict=True):
        earlier = first_row.setdefault(problem.problem_id, row.where)
        if earlier != row.where:
            raise UserMistake(
                f"{row.where}: the id {problem.problem_id} is already that of {earlier}; "
                "every problem needs its own id"
            )
    counts = Counter(alias for problem in stored for alias in problem.aliases)
    twice = [alias for alias, count in counts.items() if count > 1 or alias in first_row]
    if twice:
        raise UserMistake(f"dataset {dataset}: the name {twice[0]} stands for two problems")


def _verify(manifest: Manifest, problem_set: ProblemSet) -> None:
    if manifest.rows is not None and problem_set.rows != manifest.rows:
        raise UserMistake(
            f"dataset {manifest.name} has {problem_set.rows} rows where its manifest expects "
            f"{manifest.rows}: it was changed at its source ({problem_set.source})"
        )
    if manifest.fingerprint is not None and problem_set.fingerprint != manifest.fingerprint:
        raise UserMistake(
            f"dataset {manifest.name} ({problem_set.source}) has changed problems or answers: its "
            f"fingerprint is {problem_set.fingerprint}, its manifest expects {manifest.fingerprint}"
        )
