"""Files of cases: a JSON object per line with gold, answer (or output) and kind, in order."""

import codecs
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from evaluators.grader import GRADER_VERSION, KINDS, grade
from evaluators.run_files.attempt_lines import open_regular

# The fields that can hold what is judged: a bare answer or a whole output.
ANSWER_FIELDS = ("answer", "output", "pred")


class BadCase(ValueError):  # noqa: N818 - names what is bad, as the messages do
    """A line of a case file is no case; the message names file, line and what is missing."""


def grade_cases(path: Path | str) -> Iterator[dict[str, Any]]:
    """The rows of a case file, each with verdict, extracted answer, rule and grader version.

    Rows are graded one by one as they are asked for, so a file of any length needs no more memory
    than its longest line. `kind` may be left out and is then `latex`; an answer of null is none.
    Lines are strict JSON: of NaN, of numbers beyond 64-bit floats and of halves of surrogate pairs
    no row could be written that other programs read. Raises BadCase for a line that is no case and
    OSError where the file cannot be read.
    """
    with open_regular(Path(path)) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _graded(line.removeprefix(codecs.BOM_UTF8), f"{path}, line {number}")


def judged_text(case: Mapping[str, Any]) -> str:
    """What a case has to judge, as text: of a number as JSON writes it, of null nothing."""
    answer = next(case[name] for name in ANSWER_FIELDS if name in case)
    return "" if answer is None else _text(answer)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _graded(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadCase(f"{where}: not a JSON object ({error})") from error
    if not isinstance(row, dict) or row.get("gold") is None:
        raise BadCase(f"{where}: a case needs the field gold")
    field = next((name for name in ANSWER_FIELDS if name in row), None)
    if field is None:
        raise BadCase(f"{where}: a case needs one of the fields {', '.join(ANSWER_FIELDS)}")
    for name in ("gold", field):
        if isinstance(row[name], list | dict):
            raise BadCase(f"{where}: {name} is neither text nor a number; write it as one text")
    kind = row.get("kind", "latex")
    if kind not in KINDS:
        raise BadCase(f"{where}: unknown kind {kind!r}; known kinds are {', '.join(KINDS)}")
    verdict = grade(judged_text(row), _text(row["gold"]), kind)
    return {
        **row,
        "verdict": verdict.status.value,
        "extracted": verdict.extracted,
        "rule": verdict.rule,
        "grader_version": GRADER_VERSION,
    }
