"""The verdicts on the case tables as the present grader version gives them.

`python tests/recorded_verdicts.py` writes them anew: after a change of verdicts, with a new
`GRADER_VERSION` in evaluators/grader.py; and after new cases, with the version as it is. A case is
known by its text, so that a case added or mended needs no new version.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from evaluators import GRADER_VERSION, grade

CASES = Path(__file__).parent / "cases"
RECORD = CASES / "verdicts.txt"


@cache
def verdict_of(answer, gold, kind):
    """The verdict; a case of a table is graded once, whoever asks."""
    return grade(answer, gold, kind)


def judged():
    """The key, the verdict and the row of every case in the tables."""
    for table in sorted(CASES.glob("*.jsonl")):
        for line in table.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            text = "\0".join((row["kind"], row["gold"], row["answer"]))
            key = hashlib.sha256(text.encode()).hexdigest()[:16]
            yield key, verdict_of(row["answer"], row["gold"], row["kind"]).status.value, row


def recorded():
    """The version that the verdicts were recorded at, and the verdicts by key."""
    version, *lines = RECORD.read_text(encoding="utf-8").splitlines()
    return version, dict(line.split() for line in lines)


if __name__ == "__main__":
    lines = sorted({f"{key} {status}" for key, status, _ in judged()})
    RECORD.write_text("\n".join([GRADER_VERSION, *lines]) + "\n", encoding="utf-8")
