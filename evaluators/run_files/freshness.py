"""Whether a run's verdicts were made from the attempts that it holds now.

A verdict row names its attempt's file, that file's size and time when it was graded, and a digest
of the attempt's line. Where size and time are the same, nothing was changed; elsewhere (attempts
were added, or the run was copied) the digests decide.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from evaluators.run_files.attempt_lines import (
    PROBLEMS,
    Key,
    line_digest,
    line_key,
    problem_files,
    whole_lines,
)


@dataclass(frozen=True, slots=True)
class GradedFile:
    """A problem's file as its verdict rows saw it; None where the rows do not agree."""

    name: str
    bytes: int | None
    modified_ns: int | None
    rows: int


def stale_rows(
    run: Path, graded: Iterable[GradedFile], digests: Callable[[str], Iterable[str]]
) -> int:
    """How many verdict rows were made from attempts that have changed since, or are gone.

    An attempt that has come to stand twice is none that a verdict was made from, either.
    `digests` gives those of the rows of one file. A run whose attempts were left out as a whole
    (it has no folder for them) has nothing to compare with, and its verdicts stand.

    Raises:
        OSError: a file of attempts cannot be read.
    """
    if not (run / PROBLEMS).is_dir():
        return 0
    files = {file.name: file for file in problem_files(run)}
    return sum(_stale_in(files.get(one.name), one, digests) for one in graded)


def _stale_in(
    file: Path | None, graded: GradedFile, digests: Callable[[str], Iterable[str]]
) -> int:
    if file is None:
        return graded.rows
    now = file.stat()
    if (now.st_size, now.st_mtime_ns) == (graded.bytes, graded.modified_ns):
        return 0
    there: dict[str, Key] = {}
    standing: Counter[Key] = Counter()
    for line in whole_lines(file):
        there[line_digest(line)] = key = line_key(line)
        standing[key] += 1
    return sum(
        digest not in there or standing[there[digest]] > 1 for digest in digests(graded.name)
    )
