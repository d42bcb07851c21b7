"""Attempts as a page shows them: each attempt's trace, its cell in the heat map, its steps' fates.

Attempt lines are read as the plain JSON that docs/records.md describes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from evaluators.run_files.attempt_lines import as_written, line_digest, problem_files, whole_lines
from evaluators.statistics.verdict_table import NotGraded
from evaluators.verdict import Status

VERDICT_CODES = {"correct": "c", "wrong": "w", "no_answer": "n", "ungradable": "u"}
ERROR_CODE = "e"
MISSING_CODE = "m"
TRUNCATED, REPEATED, VOTE_LOST, KEPT_WRONG, REWRITTEN_RIGHT = 1, 2, 4, 8, 16
FLAG_DIGITS = "0123456789abcdefghijklmnopqrstuv"
SCORE_BINS = 10
"""Scores are 0 to 9; a bin holds those that round to its number."""
MAX_STEP_PLACES = 40
"""Places of a step in its track that the acceptance chart tells apart; later ones join the last."""
NEEDED = {"problem_id", "repeat_id", "status", "tracks"}
"""What every attempt line has; the rest of it was checked when it was graded."""
CUT_STOPS = ("budget", "length")
NO_END = ("cancelled", "error")
"""Stops of a track whose answer does not tell what its steps were worth."""

Json = dict[str, Any]
StepLabels = Callable[[Json], list[list[bool | None]]]
"""For an attempt, whether each judged draft of each track is right; None where nobody can say."""


class TrackVerdict(TypedDict):
    """The verdict of one track alone."""

    id: str
    extracted: str | None
    verdict: Status


class MadeFrom(TypedDict):
    """Which attempt line a verdict is on."""

    file: str
    digest: str


class VerdictRow(TypedDict):
    """What pages and exports need of a verdict row, by docs/records.md."""

    problem_id: str
    repeat_id: int
    status: str
    gold: str
    extracted: str | None
    verdict: Status
    rule: str
    grader_version: str
    stop: str | None
    usage: dict[str, dict[str, dict[str, int | None]]] | None
    flops: dict[str, float] | None
    seconds: float | None
    tracks: list[TrackVerdict]
    made_from: MadeFrom


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt line with its verdict row."""

    line: Json
    verdict: Json

    @property
    def key(self) -> tuple[str, int]:
        """Problem and repeat."""
        return str(self.line["problem_id"]), int(self.line["repeat_id"])


@dataclass(slots=True)
class StepCounts:
    """What became of judged drafts, counted over a run.

    By score: how many were kept, how many rewritten, how many had a label, how many were right; by
    place in the track: how many were judged, how many kept.
    """

    kept: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    rewritten: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    labelled: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    right: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    place_judged: list[int] = field(default_factory=lambda: [0] * MAX_STEP_PLACES)
    place_kept: list[int] = field(default_factory=lambda: [0] * MAX_STEP_PLACES)

    def add(self, place: int, score: float, *, kept: bool, right: bool | None) -> None:
        """Count one judged draft; `place` is its number in the track, from 0."""
        bin_ = min(SCORE_BINS - 1, max(0, round(score)))
        (self.kept if kept else self.rewritten)[bin_] += 1
        if right is not None:
            self.labelled[bin_] += 1
            self.right[bin_] += right
        last = min(place, MAX_STEP_PLACES - 1)
        self.place_judged[last] += 1
        self.place_kept[last] += kept


def attempts(run: Path) -> Iterator[Attempt]:
    """Every attempt of a graded run with its verdict; a torn last line is passed over.

    Raises:
        NotGraded: a line is broken, or an attempt has no verdict or one of an earlier attempt.
    """
    verdicts = {_key(row): row for row in _verdicts(run / "verdicts.jsonl")}
    for file in problem_files(run):
        for number, line in _numbered(file):
            attempt = _parsed(line, f"{file}, line {number}")
            if not attempt.keys() >= NEEDED:
                lacks = ", ".join(sorted(NEEDED - attempt.keys()))
                raise NotGraded(f"{file}, line {number} lacks {lacks}.")
            verdict = verdicts.get(_key(attempt))
            if verdict is None or verdict["made_from"]["digest"] != line_digest(line):
                problem, repeat = _key(attempt)
                raise NotGraded(
                    f"{run}: problem {as_written(problem)}, repeat {repeat} has no verdict, or one "
                    f"of an earlier attempt; grade again: speclrm grade {run}"
                )
            if len(verdict.get("tracks") or ()) != len(attempt["tracks"]):
                raise NotGraded(
                    f"{run / 'verdicts.jsonl'} judges other tracks of problem "
                    f"{as_written(_key(attempt)[0])} than it has; grade again: speclrm grade {run}"
                )
            yield Attempt(attempt, verdict)


def track_labels(attempt: Attempt) -> list[list[bool | None]]:
    """Labels where steps cannot be checked: a kept draft is as right as its track's answer.

    None for rejected drafts, as the track went on from the target's rewrite, and for all drafts of
    a track that was cancelled or failed before it could answer.
    """
    verdicts = [track["verdict"] == "correct" for track in attempt.verdict["tracks"]]
    return [
        [
            None if step.get("draft_text") is not None or track.get("stop") in NO_END else right
            for step in track["steps"]
        ]
        for right, track in zip(verdicts, attempt.line["tracks"], strict=True)
    ]


def flags_of(attempt: Attempt, labels: list[list[bool | None]], counts: StepCounts) -> int:
    """The flags of an attempt's cell; its judged steps are counted into `counts`."""
    verdict = attempt.verdict
    stop: str | None = verdict["stop"]
    flags = TRUNCATED * (stop in CUT_STOPS) | REPEATED * (stop == "repeated")
    if verdict["verdict"] != "correct" and _any_track_correct(verdict):
        flags |= VOTE_LOST
    for track, rights in zip(attempt.line["tracks"], labels, strict=True):
        for place, (step, right) in enumerate(zip(track["steps"], rights, strict=True)):
            if step.get("score") is None:
                continue
            kept = step.get("draft_text") is None
            counts.add(place, step["score"], kept=kept, right=right)
            if right is not None and kept != right:
                flags |= KEPT_WRONG if kept else REWRITTEN_RIGHT
    return flags


def code_of(attempt: Attempt) -> str:
    """The letter of an attempt's outcome in the heat map."""
    if attempt.line["status"] == "error":
        return ERROR_CODE
    return VERDICT_CODES[attempt.verdict["verdict"]]


def outcome_of(code: str, flags: int, verdict: Mapping[str, Any]) -> str:
    """The one reason under which an attempt stands in the breakdown of outcomes."""
    if code == "c":
        return "correct"
    if code == ERROR_CODE:
        return "error"
    if flags & VOTE_LOST:
        return "vote lost"
    if flags & TRUNCATED:
        return "truncated"
    if flags & REPEATED:
        return "repeated"
    if code == "n":
        return "no answer"
    if code == "u":
        return "undecided"
    return "all tracks wrong" if len(verdict["tracks"]) > 1 else "wrong"


def trace(attempt: Attempt, labels: list[list[bool | None]], *, hide_text: bool) -> Json:
    """What the page shows of an attempt; with `hide_text` only answers of what a model wrote."""
    line, verdict = attempt.line, attempt.verdict
    error = line.get("error")
    return {
        "gold": verdict["gold"],
        "extracted": verdict["extracted"],
        "rule": verdict["rule"],
        "verdict": verdict["verdict"],
        "stop": verdict["stop"],
        "seed": line["seed"],
        "seconds": line["seconds"],
        "error": None if error is None else error["type"] if hide_text else _error_text(error),
        "vote": None if line.get("vote") is None else _vote(line["vote"], hide_text=hide_text),
        "usage": [
            [model, use, tokens["generated"]]
            for model, uses in (line["usage"] or {}).items()
            for use, tokens in uses.items()
        ],
        "tracks": [
            _track(track, judged, rights, hide_text=hide_text)
            for track, judged, rights in zip(line["tracks"], verdict["tracks"], labels, strict=True)
        ],
    }


def _track(track: Json, judged: Json, rights: list[bool | None], *, hide_text: bool) -> Json:
    return {
        "id": track["id"],
        "guidance": track.get("role") or track.get("method"),
        "stop": track["stop"],
        "answer": judged["extracted"],
        "verdict": judged["verdict"],
        "notes": [] if hide_text else track.get("notes", []),
        "steps": [
            {
                "text": None if hide_text else step["text"],
                "author": step["author"],
                "tokens": step["tokens"],
                "seconds": step["seconds"],
                "score": step.get("score"),
                "draft": None if hide_text else step.get("draft_text"),
                "rewritten": step.get("draft_text") is not None,
                "right": right if step.get("score") is not None else None,
            }
            for step, right in zip(track["steps"], rights, strict=True)
        ],
    }


def _vote(vote: Json, *, hide_text: bool) -> Json:
    shown = {"rule": vote["rule"], "winner": vote["winner"], "classes": vote["classes"]}
    return shown if hide_text else shown | {"reason": vote["reason"]}


def _error_text(error: Json) -> str:
    return f"{error['type']}: {error['message']}"


def _any_track_correct(verdict: Json) -> bool:
    return any(track["verdict"] == "correct" for track in verdict["tracks"])


def _key(row: Json) -> tuple[str, int]:
    return str(row["problem_id"]), int(row["repeat_id"])


def _verdicts(file: Path) -> Iterator[Json]:
    for number, line in _numbered(file):
        where = f"{file}, line {number}"
        row = _parsed(line, where)
        try:
            msgspec.convert(row, VerdictRow)
        except msgspec.ValidationError as error:
            raise NotGraded(f"{where} is not a verdict row ({error}); grade again.") from error
        yield row


def _numbered(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        yield from enumerate(whole_lines(file), start=1)
    except OSError as error:
        raise NotGraded(f"{file} cannot be read ({error.strerror}).") from error


def _parsed(line: bytes, where: str) -> Json:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotGraded(f"{where} is broken ({error}).") from error
    if not isinstance(row, dict):
        raise NotGraded(f"{where} is not a JSON object.")
    return row
