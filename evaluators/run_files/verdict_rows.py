"""A verdict row: what grading writes of an attempt, and reports read; see docs/records.md.

Fields that an earlier version's grading did not write have defaults.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from evaluators.run_files.attempt_lines import whole_lines
from evaluators.verdict import Status

VERDICTS = "verdicts.jsonl"
UNWRITTEN = ("refused", "guesses")
"""Uses whose tokens were computed for guesses, and are no text."""


class NotGraded(ValueError):  # noqa: N818 - named for what it is
    """The run has no verdicts, or none that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseTokens:
    """Tokens of one use, as the attempt has them; None where the server does not report them."""

    prompt_new: int | None = None
    prompt_cached: int | None = None
    generated: int | None = None
    attended_prompt: int | None = None
    attended_generated: int | None = None
    requests: int | None = None
    forwards: int | None = None


Usage = dict[str, dict[str, UseTokens]]
"""Model (`target`, `draft`) -> use -> tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFlops:
    """What an attempt cost in floating-point operations."""

    decode: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTotals:
    """Accepted steps of all tracks, those whose draft was judged, and those that were rewritten."""

    all: int
    judged: int
    rewritten: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackVerdict:
    """The verdict of one track alone; `tokens` are those of its accepted steps."""

    id: str
    role: str | None = None
    method: str | None = None
    extracted: str | None
    verdict: Status
    tokens: int | None = None
    chosen: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFrom:
    """Which attempt line a verdict is on, and how its file was when it was graded."""

    file: str
    bytes: int | None = None
    modified_ns: int | None = None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """The verdict on one attempt, and what of the attempt is counted."""

    dataset: str | None = None
    problem_id: str
    repeat_id: int
    status: Literal["ok", "error"]
    gold: str
    extracted: str | None
    verdict: Status
    rule: str
    grader_version: str
    answer_class: int | None = None
    stop: str | None
    usage: Usage | None
    flops: RowFlops | None
    seconds: float | None
    steps: StepTotals | None = None
    tracks: tuple[TrackVerdict, ...]
    made_from: MadeFrom

    @property
    def is_correct(self) -> bool:
        """Whether the answer is right."""
        return self.verdict is Status.CORRECT

    def generated(self, model: str) -> int | None:
        """The tokens that a model generated; None where one use does not say."""
        return self._sum(model, lambda use: use.generated)

    def written(self, model: str) -> int | None:
        """Those of them that became text; None where one use does not say."""
        if self.usage is None:
            return None
        uses = self.usage.get(model, {}).items()
        return _known_sum(tokens.generated for use, tokens in uses if use not in UNWRITTEN)

    def forwards(self, model: str) -> int | None:
        """The passes of a model that gave them; None where one use does not say."""
        return self._sum(model, lambda use: use.forwards)

    def _sum(self, model: str, count: Callable[[UseTokens], int | None]) -> int | None:
        if self.usage is None:
            return None
        return _known_sum(count(use) for use in self.usage.get(model, {}).values())


def _known_sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def verdict_rows(run: Path) -> Iterator[VerdictRow]:
    """The rows of a run's last grading; a torn last line is passed over.

    Raises:
        NotGraded: there are none, or a line of them is broken.
    """
    file = run / VERDICTS
    for number, line in numbered_lines(file):
        try:
            yield _DECODER.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise NotGraded(
                f"{file}, line {number} is not a verdict row ({error}); grade again: "
                f"speclrm grade {run}"
            ) from error


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a file with their numbers, from 1.

    Raises:
        NotGraded: it cannot be read.
    """
    try:
        yield from enumerate(whole_lines(file), start=1)
    except OSError as error:
        raise NotGraded(f"{file} cannot be read ({error.strerror}).") from error


_DECODER = msgspec.json.Decoder(VerdictRow)
