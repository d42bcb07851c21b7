"""A run's verdicts as counts: one pass over verdicts.jsonl in DuckDB, with bounded memory."""

import glob
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from evaluators.estimators import AnswerClass

MEMORY_LIMIT = "1GB"
"""What DuckDB may hold; a million slim rows need about a tenth of it."""

# Only what the counts need is read; the rest of each line is skipped.
COLUMNS = {
    "problem_id": "VARCHAR",
    "status": "VARCHAR",
    "verdict": "VARCHAR",
    "grader_version": "VARCHAR",
    "answer_class": "BIGINT",
    "stop": "VARCHAR",
    "usage": "MAP(VARCHAR, MAP(VARCHAR, STRUCT(generated BIGINT)))",
    "flops": "STRUCT(decode DOUBLE, total DOUBLE)",
    "seconds": "DOUBLE",
    "tracks": "STRUCT(verdict VARCHAR)[]",
}
SLIM = """
CREATE TABLE verdicts AS SELECT
    problem_id, verdict, answer_class, seconds, grader_version,
    status = 'error' AS failed,
    verdict = 'correct' AS correct,
    stop IN ('budget', 'length') AS truncated,
    stop = 'repeated' AS repeated,
    list_contains(list_transform(tracks, lambda t: t.verdict), 'correct') AS track_correct,
    flops.decode AS flops_decode, flops.total AS flops_total,
    coalesce(list_sum(list_transform(map_values(usage['target']), lambda u: u.generated)), 0)
        AS target_tokens,
    coalesce(list_sum(list_transform(map_values(usage['draft']), lambda u: u.generated)), 0)
        AS draft_tokens,
    usage['draft']['draft_kept'].generated AS draft_kept,
    usage['draft']['draft_dropped'].generated AS draft_dropped
FROM read_json(?, format = 'newline_delimited', columns = {columns}, maximum_object_size = {size})
"""
LONGEST_LINE_BYTES = 64 * 1024 * 1024
TOTALS = """
SELECT count(*),
    count(*) FILTER (verdict = 'no_answer' AND NOT failed),
    count(*) FILTER (truncated),
    count(*) FILTER (repeated),
    count(*) FILTER (verdict = 'ungradable'),
    count(*) FILTER (failed),
    count(*) FILTER (NOT correct AND track_correct),
    coalesce(sum(target_tokens), 0), coalesce(sum(draft_tokens), 0),
    sum(draft_kept), sum(coalesce(draft_kept, 0) + coalesce(draft_dropped, 0)),
    CASE WHEN count(*) = count(flops_decode) THEN sum(flops_decode) END,
    CASE WHEN count(*) = count(flops_total) THEN sum(flops_total) END,
    quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.95),
    coalesce(string_agg(DISTINCT grader_version, ', ' ORDER BY grader_version), ''),
    count(*) - count(verdict)
FROM verdicts
"""
CLASSES = """
SELECT problem_id, answer_class, count(*), count(*) FILTER (correct)
FROM verdicts GROUP BY ALL ORDER BY ALL
"""


class NotGraded(ValueError):  # noqa: N818 - named for what it is
    """The run has no verdicts, or none that can be read."""


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """The verdicts of one problem; answers outside `classes` are no answers."""

    rows: int
    correct: int
    classes: tuple[AnswerClass, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a run's verdict rows; None where no row has the figure, or one lacks the FLOPs.

    `vote_lost` counts attempts that are not correct though one of their tracks is.
    """

    rows: int
    no_answer: int
    truncated: int
    repeated: int
    ungradable: int
    errors: int
    vote_lost: int
    target_tokens: int
    draft_tokens: int
    draft_kept: int | None
    drafted: int | None
    flops_decode: float | None
    flops_total: float | None
    seconds_p50: float | None
    seconds_p95: float | None
    grader_version: str


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """A run's verdicts, counted by problem and over all."""

    problems: dict[str, ProblemCounts]
    totals: Totals


def verdict_table(run: Path) -> VerdictTable:
    """Count the verdicts of a run directory.

    Raises:
        NotGraded: there is no verdicts.jsonl, or a line of it is broken.
    """
    file = run / "verdicts.jsonl"
    if not file.is_file():
        raise NotGraded(f"{run} has no verdicts yet; grade it first: speclrm grade {run}")
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as database:
        _load(database, file)
        totals = _totals(database, file)
        return VerdictTable(_problems(database), totals)


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a run directory.

    Raises:
        NotGraded: the file is missing or broken.
    """
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise NotGraded(f"{file.parent} is not a run directory (it has no {file.name}).") from error
    except ValueError as error:
        raise NotGraded(f"{file} is broken ({error}).") from error
    return content


def _load(database: duckdb.DuckDBPyConnection, file: Path) -> None:
    columns = json.dumps(COLUMNS).replace('"', "'")
    query = SLIM.format(columns=columns, size=LONGEST_LINE_BYTES)
    try:
        database.execute(query, [glob.escape(str(file))])
    except duckdb.Error as error:
        raise NotGraded(
            f"{file}, line {_broken_line(file)} is broken; grade again: speclrm grade {file.parent}"
        ) from error


def _broken_line(file: Path) -> int:
    """The first line that is not JSON, counted from 1; 0 where every line is."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                json.loads(line)
            except ValueError:
                return number
    return 0


def _totals(database: duckdb.DuckDBPyConnection, file: Path) -> Totals:
    row = database.execute(TOTALS).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without GROUP BY has one row
    *_, unjudged = row
    if unjudged:
        raise NotGraded(
            f"{file} is broken ({unjudged} lines have no verdict); "
            f"grade again: speclrm grade {file.parent}"
        )
    return Totals(*row[:-1])


def _problems(database: duckdb.DuckDBPyConnection) -> dict[str, ProblemCounts]:
    found: dict[str, ProblemCounts] = {}
    for problem_id, answer_class, rows, correct in database.execute(CLASSES).fetchall():
        before = found.get(problem_id, ProblemCounts(0, 0, ()))
        joined = () if answer_class is None else (AnswerClass(rows, correct),)
        found[problem_id] = ProblemCounts(
            before.rows + rows, before.correct + correct, before.classes + joined
        )
    return found
