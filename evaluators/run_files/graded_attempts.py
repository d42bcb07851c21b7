"""The attempts of a graded run, each with its verdict: the one way that reports read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evaluators.run_files.attempt_lines import Key, as_written, line_digest, problem_files
from evaluators.run_files.attempt_record import AttemptLine, attempt_line
from evaluators.run_files.verdict_rows import (
    VERDICTS,
    NotGraded,
    VerdictRow,
    numbered_lines,
    verdict_rows,
)


@dataclass(frozen=True, slots=True)
class GradedAttempt:
    """An attempt line with its verdict row."""

    line: AttemptLine
    verdict: VerdictRow

    @property
    def key(self) -> Key:
        """Problem and repeat."""
        return self.line.problem_id, self.line.repeat_id


def graded_attempts(run: Path) -> Iterator[GradedAttempt]:
    """Every attempt of a graded run with its verdict; a torn last line is passed over.

    Raises:
        NotGraded: a line is broken, or an attempt has no verdict or one of an earlier attempt.
    """
    verdicts = {(row.problem_id, row.repeat_id): row for row in verdict_rows(run)}
    for file in problem_files(run):
        for number, line in numbered_lines(file):
            attempt = _parsed(line, f"{file}, line {number}")
            problem = as_written(attempt.problem_id)
            verdict = verdicts.get((attempt.problem_id, attempt.repeat_id))
            if verdict is None or verdict.made_from.digest != line_digest(line):
                raise NotGraded(
                    f"{run}: problem {problem}, repeat {attempt.repeat_id} has no verdict, or one "
                    f"of an earlier attempt; grade again: speclrm grade {run}"
                )
            if len(verdict.tracks) != len(attempt.tracks):
                raise NotGraded(
                    f"{run / VERDICTS} judges other tracks of problem {problem} than it has; "
                    f"grade again: speclrm grade {run}"
                )
            yield GradedAttempt(attempt, verdict)


def _parsed(line: bytes, where: str) -> AttemptLine:
    try:
        return attempt_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotGraded(f"{where} is not an attempt line ({error}).") from error
