"""Files of cases: a JSON object per line with gold, answer (or output) and kind, in order."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluators.attempt_lines import open_regular
from evaluators.grader import GRADER_VERSION, KINDS, grade

# The fields that can hold what is judged: a bare answer or a whole output.
ANSWER_FIELDS = ("answer", "output", "pred")


class BadCase(ValueError):  # noqa: N818 - names what is bad, as the messages do
    """A line of a case file is no case; the message names file, line and what is missing."""


def grade_cases(path: Path | str) -> Iterator[dict[str, Any]]:
    """The rows of a case file, each with verdict, extracted answer, rule and grader version.

    Rows are graded one by one as they are asked for, so a file of any length needs no more memory
    than its longest line. `kind` may be left out and is then `latex`. Raises BadCase for a line
    that is no case and OSError where the file cannot be read.
    """
    with open_regular(Path(path)) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _graded(line, f"{path}, line {number}")


def _graded(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadCase(f"{where}: not a JSON object ({error})") from error
    if not isinstance(row, dict) or "gold" not in row:
        raise BadCase(f"{where}: a case needs the field gold")
    field = next((name for name in ANSWER_FIELDS if name in row), None)
    if field is None:
        raise BadCase(f"{where}: a case needs one of the fields {', '.join(ANSWER_FIELDS)}")
    kind = row.get("kind", "latex")
    if kind not in KINDS:
        raise BadCase(f"{where}: unknown kind {kind!r}; known kinds are {', '.join(KINDS)}")
    verdict = grade(str(row[field]), str(row["gold"]), kind)
    return {
        **row,
        "verdict": verdict.status.value,
        "extracted": verdict.extracted,
        "rule": verdict.rule,
        "grader_version": GRADER_VERSION,
    }
