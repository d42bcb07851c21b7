"""Attempts as a page shows them: traces, cells of the heat map, what became of steps."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from evaluators.run_files.attempt_record import AttemptLine, TrackLine, VoteLine
from evaluators.run_files.graded_attempts import GradedAttempt
from evaluators.run_files.verdict_rows import TrackVerdict, VerdictRow
from evaluators.statistics.uncertainty import clustered_interval
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
CUT_STOPS = ("budget", "length")
NO_END = ("cancelled", "error")
"""Stops of a track whose answer does not tell what its steps were worth."""

Json = dict[str, Any]
Labels = list[list[bool | None]]
"""For each track of an attempt, whether each judged draft is right; None where nobody can say."""
StepLabels = Callable[[AttemptLine], Labels]


@dataclass(slots=True)
class StepCounts:
    """What became of judged drafts, counted over a run.

    By score: how many were kept, how many rewritten, how many had a label, how many were right; by
    place in the track: how many were judged, how many kept. `clusters` has by score and problem how
    many had a label and how many were right.
    """

    kept: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    rewritten: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    labelled: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    right: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    place_judged: list[int] = field(default_factory=lambda: [0] * MAX_STEP_PLACES)
    place_kept: list[int] = field(default_factory=lambda: [0] * MAX_STEP_PLACES)
    clusters: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    def add(
        self, problem: str, place: int, score: float, *, kept: bool, right: bool | None
    ) -> None:
        """Count one judged draft; `place` is its number in the track, from 0."""
        bin_ = min(SCORE_BINS - 1, max(0, round(score)))
        (self.kept if kept else self.rewritten)[bin_] += 1
        if right is not None:
            self.labelled[bin_] += 1
            self.right[bin_] += right
            labelled, good = self.clusters.get((bin_, problem), (0, 0))
            self.clusters[bin_, problem] = labelled + 1, good + right
        last = min(place, MAX_STEP_PLACES - 1)
        self.place_judged[last] += 1
        self.place_kept[last] += kept

    def shown(self) -> Json:
        """The counts as a page has them, with intervals of the shares of right drafts by score."""
        counts = asdict(self)
        del counts["clusters"]
        of_bins: list[list[tuple[int, int]]] = [[] for _ in range(SCORE_BINS)]
        for (bin_, _), cluster in self.clusters.items():
            of_bins[bin_].append(cluster)
        return counts | {"intervals": [clustered_interval(one) for one in of_bins]}


class Step(Protocol):
    """A step as a record has it and as a report reads it."""

    @property
    def draft_text(self) -> str | None:
        """The rejected draft, if one was."""
        ...


class Track(Protocol):
    """A track as a record has it and as a report reads it."""

    @property
    def steps(self) -> Sequence[Step]:
        """Its accepted steps."""
        ...

    @property
    def stop(self) -> str | None:
        """Why it ended."""
        ...


def labels_by_answer(track: Track, *, right: bool) -> list[bool | None]:
    """A kept draft is as right as its track's answer.

    None for rejected drafts, as the track went on from the target's rewrite, and for all drafts of
    a track that was cancelled or failed before it could answer.
    """
    return [
        None if step.draft_text is not None or track.stop in NO_END else right
        for step in track.steps
    ]


def track_labels(attempt: GradedAttempt) -> Labels:
    """Labels where steps cannot be checked: by the answers of their tracks."""
    return [
        labels_by_answer(track, right=judged.verdict is Status.CORRECT)
        for judged, track in zip(attempt.verdict.tracks, attempt.line.tracks, strict=True)
    ]


def flags_of(attempt: GradedAttempt, labels: Labels, counts: StepCounts) -> int:
    """The flags of an attempt's cell; its judged steps are counted into `counts`."""
    verdict = attempt.verdict
    flags = TRUNCATED * (verdict.stop in CUT_STOPS) | REPEATED * (verdict.stop == "repeated")
    if not verdict.is_correct and any(one.verdict is Status.CORRECT for one in verdict.tracks):
        flags |= VOTE_LOST
    for track, rights in zip(attempt.line.tracks, labels, strict=True):
        for place, (step, right) in enumerate(zip(track.steps, rights, strict=True)):
            if step.score is None or not step.is_judged:
                continue
            kept = not step.is_rewritten
            counts.add(attempt.line.problem_id, place, step.score, kept=kept, right=right)
            if right is not None and kept != right:
                flags |= KEPT_WRONG if kept else REWRITTEN_RIGHT
    return flags


def code_of(attempt: GradedAttempt) -> str:
    """The letter of an attempt's outcome in the heat map."""
    if attempt.line.status == "error":
        return ERROR_CODE
    return VERDICT_CODES[attempt.verdict.verdict]


def outcome_of(code: str, flags: int, verdict: VerdictRow) -> str:
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
        return "ungradable"
    return "all tracks wrong" if len(verdict.tracks) > 1 else "wrong"


def trace(attempt: GradedAttempt, labels: Labels, *, hide_text: bool) -> Json:
    """What the page shows of an attempt; with `hide_text` only answers of what a model wrote."""
    line, verdict = attempt.line, attempt.verdict
    error = line.error
    return {
        "gold": verdict.gold,
        "extracted": verdict.extracted,
        "rule": verdict.rule,
        "verdict": verdict.verdict,
        "stop": verdict.stop,
        "seed": line.seed,
        "seconds": line.seconds,
        "error": None if error is None else error.type if hide_text else error.text,
        "vote": None if line.vote is None else _vote(line.vote, hide_text=hide_text),
        "usage": [
            [model, use, tokens.generated, tokens.forwards]
            for model, uses in (verdict.usage or {}).items()
            for use, tokens in uses.items()
        ],
        "tracks": [
            _track(track, judged, rights, hide_text=hide_text)
            for track, judged, rights in zip(line.tracks, verdict.tracks, labels, strict=True)
        ],
    }


def _track(
    track: TrackLine, judged: TrackVerdict, rights: list[bool | None], *, hide_text: bool
) -> Json:
    return {
        "id": track.id,
        "guidance": track.guidance,
        "stop": track.stop,
        "answer": judged.extracted,
        "verdict": judged.verdict,
        "notes": [] if hide_text else track.notes,
        "steps": [
            {
                "text": None if hide_text else step.text,
                "author": step.author,
                "tokens": step.tokens,
                "seconds": step.seconds,
                "score": step.score,
                "draft": None if hide_text else step.draft_text,
                "rewritten": step.is_rewritten,
                "right": right if step.is_judged else None,
            }
            for step, right in zip(track.steps, rights, strict=True)
        ],
    }


def _vote(vote: VoteLine, *, hide_text: bool) -> Json:
    shown = {"rule": vote.rule, "winner": vote.winner, "classes": vote.classes}
    return shown if hide_text else shown | {"reason": vote.reason}
