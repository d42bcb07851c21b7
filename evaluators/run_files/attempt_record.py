"""What reports read of an attempt line, typed; docs/records.md documents every field.

What an imported attempt or one of an older schema can lack is None or empty. Fields that no report
shows are passed over; a test names each, and fails where the record has got another.
"""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step: accepted text, and what was rejected for it, if anything was."""

    text: str
    author: str | None = None
    tokens: int | None = None
    seconds: float | None = None
    score: float | None = None
    draft_text: str | None = None

    @property
    def is_judged(self) -> bool:
        """Whether a draft was judged here; a score of anything else is for votes alone."""
        drafted = self.author in {"draft", None} or self.draft_text is not None
        return self.score is not None and drafted

    @property
    def is_rewritten(self) -> bool:
        """Whether a draft was rejected; it may have been empty."""
        return self.draft_text is not None

    @property
    def drafted(self) -> str:
        """What the draft wrote, where one was judged: the step itself, or what was rejected."""
        return self.text if self.draft_text is None else self.draft_text


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLine:
    """One chain of reasoning."""

    id: str
    steps: tuple[StepLine, ...]
    stop: str | None = None
    role: str | None = None
    method: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def guidance(self) -> str | None:
        """The role or the method that the track had, if it had one."""
        return self.role or self.method


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteLine:
    """How the tracks' answers became the attempt's answer."""

    rule: str
    classes: tuple[tuple[str, ...], ...]
    winner: str | None
    reason: str
    chosen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLine:
    """What ended a failed attempt."""

    type: str
    message: str

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.type}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLine:
    """One attempt at a problem."""

    problem_id: str
    repeat_id: int
    status: str
    tracks: tuple[TrackLine, ...]
    kind: str | None = None
    prompt_sha256: str | None = None
    seed: int | None = None
    vote: VoteLine | None = None
    response: str | None = None
    seconds: float | None = None
    started: str | None = None
    error: FailureLine | None = None


def attempt_line(line: bytes) -> AttemptLine:
    """The attempt of one JSON line.

    Raises:
        msgspec.MsgspecError: the line is not JSON, or a field lacks or has another type.
        UnicodeDecodeError: it is not UTF-8.
        RecursionError: it is nested too deeply.
    """
    return _DECODER.decode(line)


_DECODER = msgspec.json.Decoder(AttemptLine)
