"""The attempt line: its schema, its version, and the way between line and object.

docs/records.md documents every field. Reading validates types and refuses a newer schema. What only
an imported attempt can lack (counts, times, a seed) is None there and never 0.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

SCHEMA = 2
"""In schema 1 `requests` was not counted, and `attended_generated` held the last tokens too."""
MOST_REPEATS = 10_000_000
"""Of one problem: what is recorded of it is kept as a bit each."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""What all readers can add: the page's numbers are exact up to here."""
Role = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$")]
"""What a model is for: `target`, `draft`, or what a reasoner calls another one."""
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Stop(StrEnum):
    """Why a track ended; the first that holds, in this order."""

    FINISHED = "finished"
    REPEATED = "repeated"
    BUDGET = "budget"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"


class CorruptRecord(ValueError):  # noqa: N818 - named for what it is
    """A line is not an attempt of a schema this version reads."""


class UnreadableAttempt(ValueError):  # noqa: N818 - same
    """An attempt holds what its line cannot say: what is read back would differ."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one use; None where the server does not report them.

    `requests` are those that wrote a token. The last token of each is never fed to the model.
    `attended_prompt` and `attended_generated` sum, over the new prompt tokens and over the
    generated ones that are fed, how many positions each attends to: what attention costs, exactly.
    `forwards` are the passes of the model that gave them, counted for each request that had part
    in one. An imported attempt may know the generated tokens alone.
    """

    prompt_new: Count | None
    prompt_cached: Count | None
    generated: Count | None
    attended_prompt: Count | None
    attended_generated: Count | None
    requests: Count | None = None
    forwards: Count | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a track; scores and drafts are null where no draft was judged.

    `text` holds the blank line that ended the step. `score` judges the draft: the step itself
    where its author is the draft, else `draft_text`, the rejected one. `digits` are the target's
    probabilities of '0' to '9' as the next token; what they lack to 1 was on other tokens.
    """

    text: str
    author: Role
    tokens: Count | None
    seconds: Seconds | None
    finish: Literal["stop", "length"] | None
    score: float | None = None
    digits: tuple[float, ...] | None = None
    draft_text: str | None = None
    draft_tokens: Count | None = None
    draft_seconds: Seconds | None = None
    score_seconds: Seconds | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_judged(self) -> bool:
        """Whether a draft was judged here; a score of anything else is for votes alone."""
        drafted = self.author == "draft" or self.draft_text is not None
        return self.score is not None and drafted

    @property
    def drafted(self) -> str:
        """What the draft wrote, where one was judged: the step itself, or what was rejected."""
        return self.text if self.draft_text is None else self.draft_text


@dataclass(frozen=True, slots=True)
class EarlyAnswer:
    """How a track would have ended with the smaller thinking budget of `budget` tokens.

    It has the first `whole_steps` steps of the track, the first `characters` characters of the next
    one, with which the text of its own first step goes on, and then its own `steps`. `tokens` is
    what the target would have read and written on that track alone, guesses in windows left out.
    """

    budget: Count
    whole_steps: Count
    characters: Count
    steps: tuple[Step, ...]
    stop: Stop
    answer: str | None
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Track:
    """One chain of reasoning. `role` or `method` names its guidance, if it had any.

    `early` are its answers at smaller thinking budgets, left out where none were asked for.
    """

    id: str
    steps: tuple[Step, ...]
    stop: Stop | None
    answer: str | None
    role: str | None = None
    method: str | None = None
    notes: tuple[str, ...] = ()
    early: tuple[EarlyAnswer, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def text(self) -> str:
        """All that the track says."""
        return "".join(step.text for step in self.steps)


@dataclass(frozen=True, slots=True)
class Excluded:
    """A track that had no vote, and why."""

    track: str
    reason: str


@dataclass(frozen=True, slots=True)
class Vote:
    """How the tracks' answers became the attempt's answer.

    `classes` are the ids of the tracks whose answers are the same; `answers` and `standings` are
    each class's answer and what it had under the rule. `winner` is the answer that won, `chosen`
    the track whose text became the response.
    """

    rule: str
    classes: tuple[tuple[str, ...], ...]
    winner: str | None
    reason: str
    answers: tuple[str, ...] = ()
    standings: tuple[float, ...] = ()
    chosen: str | None = None
    excluded: tuple[Excluded, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """How the tracks' methods were chosen.

    `by` is `model`, `random` or `same`; `pool` are the names of the methods by letter, from A, the
    last one `unknown`. `distributions` hold, for each chosen letter, the target's probabilities of
    all letters of the pool at its place; empty where the model was not asked. `notes` say which
    letters were chosen although the target gave them no probability.
    """

    by: Literal["model", "random", "same"]
    pool: tuple[str, ...]
    chosen: tuple[str, ...]
    distributions: tuple[tuple[float, ...], ...]
    prompt_sha256: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a failed attempt; `traceback` are the frames of a bug, the innermost last."""

    type: str
    message: str
    traceback: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One (problem, repeat) under one experiment: one JSON line.

    `usage` is the ledger: the model's role -> kind of token -> counts; None where nothing was
    counted. `gold`, `kind` and `choice_order` are kept so that a run can be graded again
    without its dataset.
    """

    dataset: str
    problem_id: str
    repeat_id: Annotated[int, msgspec.Meta(ge=0, le=MOST_REPEATS)]
    seed: int | None
    reasoner: str
    status: Literal["ok", "error"]
    gold: str
    kind: Literal["integer", "latex", "choice", "text"]
    choice_order: tuple[int, ...]
    prompt_sha256: str | None
    tracks: tuple[Track, ...]
    vote: Vote | None
    response: str | None
    answer: str | None
    usage: dict[str, dict[str, Tokens]] | None
    seconds: Seconds | None
    started: str | None
    error: Failure | None = None
    selection: Selection | None = None
    schema: int = field(default=SCHEMA)

    @property
    def key(self) -> tuple[str, int]:
        """What a resume goes by."""
        return self.problem_id, self.repeat_id


def encode(attempt: Attempt) -> bytes:
    """The attempt as one JSON line, newline included.

    Raises:
        UnreadableAttempt: the line, read back, would be no attempt or another one.
    """
    try:
        line = msgspec.json.encode(attempt)
        same = decode(line) == attempt
    except (CorruptRecord, msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        raise UnreadableAttempt(
            f"the attempt cannot be written so that it is read ({error})"
        ) from error
    if not same:
        raise UnreadableAttempt(
            "the attempt cannot be written so that it is read: a number of it is no finite number"
        )
    return line + b"\n"


def unread(attempt: Attempt, error: UnreadableAttempt) -> Attempt:
    """The error record in place of an attempt that could not be read back: nothing it came to."""
    return replace(
        attempt,
        status="error",
        tracks=(),
        vote=None,
        response=None,
        answer=None,
        usage=None,
        selection=None,
        error=Failure(type(error).__name__, str(error)),
    )


def decode(line: bytes) -> Attempt:
    """The attempt of one JSON line.

    Raises:
        CorruptRecord: the line is not JSON, lacks a field, is of a newer schema, or says what no
            attempt can have come to.
    """
    try:
        attempt = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptRecord(str(error)) from error
    if attempt.schema > SCHEMA:
        raise CorruptRecord(
            f"schema {attempt.schema} is newer than this version's {SCHEMA}: use a newer speclrm"
        )
    fault = _fault(attempt)
    if fault is not None:
        raise CorruptRecord(fault)
    return attempt


def _fault(attempt: Attempt) -> str | None:
    """What cannot be true of an attempt, though each field has its type."""
    order = list(attempt.choice_order)
    if sorted(order) != list(range(len(order))):
        return f"its choice_order {order} does not name each choice once"
    # Imported attempts, which have no time either, may be a response alone.
    if attempt.status == "ok" and not attempt.tracks and attempt.started is not None:
        return "its status is ok, and it has no tracks"
    tracks = {track.id for track in attempt.tracks}
    if attempt.vote is not None and attempt.vote.chosen not in {None, *tracks}:
        return f"its vote chose the track {attempt.vote.chosen!r}, which is not there"
    return None


_DECODER = msgspec.json.Decoder(Attempt)
