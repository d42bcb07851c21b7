"""What a run's last grading said about one attempt."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.run_files.attempt_lines import as_written, line_digest, open_regular
from evaluators.run_files.verdict_rows import VERDICTS
from pipeline.errors import UserMistake
from pipeline.records import Attempt


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict as it stands in a run's verdicts; `stale` if its attempt has changed since."""

    verdict: str
    rule: str
    grader_version: str
    stale: bool


def last_judged(run: Path, line: bytes, attempt: Attempt) -> Judged | None:
    """The verdict on an attempt, whose line it was read from; None where there is none.

    Raises:
        UserMistake: the run's verdicts cannot be read.
    """
    row = _row_of(run / VERDICTS, attempt)
    if row is None:
        return None
    try:
        return Judged(
            verdict=str(row["verdict"]),
            rule=str(row["rule"]),
            grader_version=str(row["grader_version"]),
            stale=row["made_from"]["digest"] != line_digest(line),
        )
    except (KeyError, TypeError) as error:
        raise UserMistake(
            f"{run / VERDICTS} has no verdict of this version on problem "
            f"{as_written(attempt.problem_id)}, repeat {attempt.repeat_id}; "
            f"grade again: speclrm grade {run}"
        ) from error


def _row_of(file: Path, attempt: Attempt) -> dict[str, Any] | None:
    if not file.exists():
        return None
    # Most lines of a long file are passed over unread.
    mark = json.dumps(attempt.problem_id, ensure_ascii=False).encode()
    number = 0
    try:
        with open_regular(file) as lines:
            for line in lines:
                number += 1
                if mark in line:
                    row = json.loads(line)
                    if (row["problem_id"], row["repeat_id"]) == attempt.key:
                        return dict(row)
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserMistake(
            f"{file}, line {number} is not a verdict ({error}); "
            f"grade again: speclrm grade {file.parent}"
        ) from error
    return None
