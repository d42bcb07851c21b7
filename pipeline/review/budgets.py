"""A run that recorded its answers at several thinking budgets, as a run with each budget alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import UserMistake
from pipeline.ledger import UNKNOWN, UNWRITTEN, Use, both
from pipeline.reasoners.early_answers import at_budget
from pipeline.reasoners.outcome import outcome_by
from pipeline.reasoners.settings import ThinkingLimit
from pipeline.records import Attempt, EarlyAnswer, Tokens, Track, encode
from pipeline.review.grading import grade_run
from pipeline.runs.directory import MANIFEST, PROBLEMS, problem_file, read_attempts, read_manifest
from pipeline.runs.whole_folder import whole_folder

Usage = dict[str, dict[str, Tokens]]


def budgets_of(run: Path) -> tuple[int, ...]:
    """The thinking budgets at which a run has answers, the smallest first; none of one without.

    Raises:
        UserMistake: there is no run.
    """
    limit = read_manifest(run)["identity"].get(ThinkingLimit.SECTION) or {}
    early = limit.get("early", ())
    return (*early, limit["tokens"]) if early else ()


def runs_by_budget(run: Path, folder: Path) -> list[Path]:
    """Write a graded run for each budget into `folder`, whole or not at all.

    Raises:
        UserMistake: the run has no answers at several budgets, an attempt of it is broken, or the
            folder is not empty or cannot be written.
    """
    budgets = budgets_of(run)
    if not budgets:
        raise UserMistake(
            f"{run} has answers at one thinking budget at most; run it with several, such as "
            "--thinking-budget 256,512,1024."
        )
    width = len(str(budgets[-1]))
    names = [f"{run.resolve().name}-budget-{budget:0{width}}" for budget in budgets]
    with whole_folder(folder) as fresh:
        for name, budget in zip(names, budgets, strict=True):
            _write(run, budget, fresh / name)
    return [folder / name for name in names]


def _write(run: Path, budget: int, made: Path) -> None:
    """Write the run with that budget alone, and grade it."""
    (made / PROBLEMS).mkdir(parents=True)
    manifest = _manifest(read_manifest(run), budget, made.name)
    (made / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    attempts = (attempt_at(attempt, budget) for attempt in read_attempts(run))
    for _, same in groupby(attempts, lambda attempt: attempt.problem_id):
        first, *others = same
        problem_file(made, first).write_bytes(b"".join(map(encode, (first, *others))))
    grade_run(made)


def _manifest(manifest: Mapping[str, Any], budget: int, name: str) -> dict[str, Any]:
    """That of the run with the budget alone, and where it is from."""
    identity, section = manifest["identity"], ThinkingLimit.SECTION
    limit = {key: one for key, one in identity[section].items() if key != "early"}
    return {
        **manifest,
        "name": name,
        "identity": identity | {section: limit | {"tokens": budget}},
        "replayed_from": manifest.get("name"),
    }


def attempt_at(attempt: Attempt, budget: int) -> Attempt:
    """The attempt as a run with that budget alone would have it; how long it took is not known."""
    if not attempt.tracks:
        return attempt
    early = [_early_at(track, budget) for track in attempt.tracks]
    tracks = tuple(
        replace(track, early=msgspec.UNSET) if one is None else at_budget(track, one)
        for track, one in zip(attempt.tracks, early, strict=True)
    )
    rule = "" if attempt.vote is None else attempt.vote.rule
    came_to = outcome_by(rule, tracks, attempt.kind, attempt.selection)
    usage = None if attempt.usage is None else _usage(attempt.usage, early)
    return replace(
        attempt,
        tracks=tracks,
        vote=came_to.vote,
        response=came_to.response,
        answer=came_to.answer,
        usage=usage,
        seconds=None,
    )


def _early_at(track: Track, budget: int) -> EarlyAnswer | None:
    """The track's answer at that budget; None where it is the track's own, and for a failed one."""
    return next((one for one in track.early or () if one.budget == budget), None)


def _usage(usage: Usage, early: Sequence[EarlyAnswer | None]) -> Usage:
    """What the tracks would have cost that had those answers, all of them or none.

    What was computed besides what was written is known of the whole attempt alone.
    """
    made: dict[str, dict[str, Tokens]] = {}
    for role, uses in usage.items():
        made[role] = {
            use: UNKNOWN if use in UNWRITTEN else tokens
            for use, tokens in uses.items()
            if use != Use.EARLY
        }
    known = [one.tokens for one in early if one is not None]
    if known:
        all_known = len(known) == len(early)
        made["target"][Use.PLAIN] = reduce(both, known) if all_known else UNKNOWN
    return made
