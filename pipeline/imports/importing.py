"""Foreign results as a run directory for `grade`, `leaderboard` and `compare`."""

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from evaluators.answer import extract_answer
from evaluators.run_files.attempt_lines import as_written
from pipeline.engines.masking import Secrets
from pipeline.errors import UserMistake
from pipeline.imports import lm_eval, specreason, ssr
from pipeline.imports.entries import Entry, Settings, Solved
from pipeline.imports.fields import CorruptEntry
from pipeline.imports.gold import gold_of
from pipeline.problems.problem_set import Problem, ProblemSet
from pipeline.reasoners import REASONERS
from pipeline.records import Attempt, Failure, Track, UnreadableAttempt, unread
from pipeline.runs import versions
from pipeline.runs.directory import RunDirectory
from pipeline.runs.manifest import MANIFEST_SCHEMA
from pipeline.runs.whole_folder import whole_folder

Source = Literal["specreason", "ssr", "lm-eval"]
SOURCES: tuple[Source, ...] = get_args(Source)
UNKNOWN_MODEL = "unknown"
NO_SETTINGS = Settings(reasoner="unknown")
"""Of a run of which no entry could be read."""

READERS: dict[Source, Callable[[tuple[Path, ...], ProblemSet], Iterator[Entry]]] = {
    "specreason": lambda paths, _: specreason.entries(paths),
    "ssr": lambda paths, _: ssr.entries(paths),
    "lm-eval": lm_eval.entries,
}


@dataclass(frozen=True, slots=True)
class Named:
    """The names of the models, where the user says them; the files' own come second."""

    target: str | None = None
    draft: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written; `failed` attempts could not be read."""

    directory: Path
    attempts: int
    failed: int


def import_run(
    source: Source, paths: tuple[Path, ...], problems: ProblemSet, output_dir: Path, models: Named
) -> Imported:
    """Write the results in `paths` as the run directory `output_dir`, whole or not at all.

    Raises:
        UserMistake: a file is missing, refused, or about a problem that `problems` lacks; two
            files hold one attempt, or were made under different settings; or the folder is taken.
    """
    with whole_folder(output_dir) as fresh, RunDirectory(fresh) as directory:
        content = _write(directory, READERS[source](paths, problems), problems)
        directory.write_manifest(_manifest(output_dir.name, source, problems, content, models))
    return Imported(output_dir, len(content.places), content.failed)


@dataclass(slots=True)
class _Content:
    """What has been written so far: where each attempt came from, and the settings of all."""

    places: dict[tuple[str, int], str]
    settings: Settings | None = None
    set_by: str = ""
    failed: int = 0


def _write(directory: RunDirectory, entries: Iterator[Entry], problems: ProblemSet) -> _Content:
    by_name = {name: one for one in problems.problems for name in (one.problem_id, *one.aliases)}
    content = _Content({})
    for entry in entries:
        problem = by_name.get(entry.problem)
        if problem is None:
            ends = (problems.problems[0], problems.problems[-1])
            ids = " to ".join(as_written(one.problem_id) for one in ends)
            raise UserMistake(
                f"{entry.where} is about problem {entry.problem[:40]!r}, which is not in "
                f"{problems.name} ({ids}); name the dataset that was run."
            )
        attempt = _attempt(entry, problem, content)
        if attempt.key in content.places:
            raise UserMistake(
                f"{entry.where} and {content.places[attempt.key]} both hold problem "
                f"{as_written(problem.problem_id)}, repeat {entry.repeat_id}; "
                "import them into two runs."
            )
        content.places[attempt.key] = entry.where
        try:
            directory.append(attempt)
        except UnreadableAttempt as error:
            attempt = unread(attempt, error)
            directory.append(attempt)
        content.failed += attempt.status == "error"
    if not content.places:
        raise UserMistake("The files hold no attempts; there is nothing to import.")
    return content


def _attempt(entry: Entry, problem: Problem, content: _Content) -> Attempt:
    found = entry.found
    if isinstance(found, Solved):
        _hold_settings(found.settings, entry.where, content)
        try:
            return _solved(entry, found, problem)
        except CorruptEntry as error:
            found = Failure("CorruptEntry", f"{entry.where}: {error}")
    reasoner = (content.settings or NO_SETTINGS).reasoner
    unread = _blank(entry, problem, reasoner)
    return replace(unread, status="error", error=found)


def _blank(entry: Entry, problem: Problem, reasoner: str) -> Attempt:
    return Attempt(
        dataset=problem.dataset,
        problem_id=problem.problem_id,
        repeat_id=entry.repeat_id,
        seed=None,
        reasoner=reasoner,
        status="ok",
        gold=problem.answer,
        kind=problem.kind,
        choice_order=problem.choice_order if problem.choices else (),
        prompt_sha256=None,
        tracks=(),
        vote=None,
        response=None,
        answer=None,
        usage=None,
        seconds=None,
        started=None,
    )


def _solved(entry: Entry, found: Solved, problem: Problem) -> Attempt:
    gold = gold_of(problem, found.choices)
    tracks = tuple(replace(one, answer=_answer(one, problem.kind)) for one in found.tracks)
    answer = extract_answer(found.response, problem.kind) if found.response is not None else None
    return replace(
        _blank(entry, problem, found.settings.reasoner),
        gold=gold.answer,
        choice_order=gold.choice_order,
        tracks=tracks,
        vote=found.vote,
        response=found.response,
        answer=answer,
        usage=found.usage,
        seconds=found.seconds,
    )


def _answer(track: Track, kind: str) -> str | None:
    return extract_answer(track.text, kind)


def _hold_settings(settings: Settings, where: str, content: _Content) -> None:
    """All attempts of a run were made one way."""
    if content.settings is None:
        content.settings, content.set_by = settings, where
    if settings == content.settings:
        return
    ours, theirs = asdict(content.settings), asdict(settings)
    name = next(name for name in ours if ours[name] != theirs[name])
    raise UserMistake(
        f"{where} was made with {name} {theirs[name]!r}, {content.set_by} with {ours[name]!r}; "
        "import them into two runs."
    )


def _manifest(
    name: str, source: Source, problems: ProblemSet, content: _Content, models: Named
) -> dict[str, Any]:
    settings = content.settings or NO_SETTINGS
    ours = settings.reasoner in REASONERS.built_in
    drafted = ours and REASONERS[settings.reasoner].uses_draft
    ids = {problem_id for problem_id, _ in content.places}
    target = models.target or settings.model or UNKNOWN_MODEL
    return {
        "schema": MANIFEST_SCHEMA,
        "name": name,
        "identity": {
            "imported_from": source,
            "reasoner": settings.reasoner,
            "dataset": problems.name,
            "seed": None,
            "thinking": None,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "token_budget": settings.token_budget,
            "target": {"engine": source, "model": target},
            "draft": {"engine": source, "model": models.draft or UNKNOWN_MODEL}
            if drafted
            else None,
            "score_threshold": settings.score_threshold,
            "score_method": settings.score_method,
            "dataset_fingerprint": problems.fingerprint,
        },
        "dataset": {
            "name": problems.name,
            "source": problems.source,
            "revision": problems.revision,
            "rows": problems.rows,
            "fingerprint": problems.fingerprint,
        },
        "slice": {
            "problem_ids": [p.problem_id for p in problems.problems if p.problem_id in ids],
            "repeats": max(repeat for _, repeat in content.places) + 1,
        },
        "models": {"target": None, "draft": None},
        "sessions": [
            {
                "imported": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": Secrets.of().masked(shlex.join(sys.argv)),
                "versions": versions.versions(),
            }
        ],
    }
