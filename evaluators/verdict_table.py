"""A run's verdicts as counts: one pass over verdicts.jsonl in DuckDB, with bounded memory."""

import glob
import json
from dataclasses import dataclass
from pathlib import Path

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
    "steps": 'STRUCT("all" BIGINT, judged BIGINT, rewritten BIGINT)',
}
NEEDED = ("problem_id", "status", "verdict", "stop", "usage", "flops", "seconds", "grader_version")
"""What every verdict row has, null where an imported attempt does not say."""
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
    usage IS NOT NULL AS counted, stop IS NULL AS endless,
    usage['draft']['draft_kept'].generated AS draft_kept,
    usage['draft']['draft_dropped'].generated AS draft_dropped,
    steps."all" AS steps, steps.judged AS judged, steps.rewritten AS rewritten,
    problem_id IS NULL OR status IS NULL OR verdict IS NULL OR grader_version IS NULL AS incomplete
FROM read_json(?, format = 'newline_delimited', columns = {columns}, maximum_object_size = {size})
"""
LONGEST_LINE_BYTES = 64 * 1024 * 1024
TOTALS = """
SELECT count(*),
    count(*) FILTER (verdict = 'no_answer' AND NOT failed),
    CASE WHEN count(*) FILTER (endless) = 0 THEN count(*) FILTER (truncated) END,
    CASE WHEN count(*) FILTER (endless) = 0 THEN count(*) FILTER (repeated) END,
    count(*) FILTER (verdict = 'ungradable'),
    count(*) FILTER (failed),
    count(*) FILTER (NOT correct AND track_correct),
    count(*) FILTER (counted),
    coalesce(sum(target_tokens), 0), coalesce(sum(draft_tokens), 0),
    sum(draft_kept), sum(coalesce(draft_kept, 0) + coalesce(draft_dropped, 0)),
    sum(steps), sum(judged), sum(rewritten),
    CASE WHEN count(*) = count(flops_decode) THEN sum(flops_decode) END,
    CASE WHEN count(*) = count(flops_total) THEN sum(flops_total) END,
    quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.95),
    coalesce(string_agg(DISTINCT grader_version, ', ' ORDER BY grader_version), ''),
    count(*) FILTER (incomplete)
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

    Where one row does not say how its attempt ended, how many were cut or repeated is unknown.
    `counted` are the rows whose tokens are known. `vote_lost` counts attempts that are not correct
    though one of their tracks is.
    """

    rows: int
    no_answer: int
    truncated: int | None
    repeated: int | None
    ungradable: int
    errors: int
    vote_lost: int
    counted: int
    target_tokens: int
    draft_tokens: int
    draft_kept: int | None
    drafted: int | None
    steps: int | None
    judged: int | None
    rewritten: int | None
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


def _load(database: duckdb.DuckDBPyConnection, file: Path) -> None:
    query = SLIM.format(columns=COLUMNS, size=LONGEST_LINE_BYTES)
    try:
        database.execute(query, [glob.escape(str(file))])
    except duckdb.Error as error:
        raise _broken(file) from error


def _broken(file: Path) -> NotGraded:
    """What to say of verdicts that could not be counted: the first bad line, where one is found."""
    advice = f"grade again: speclrm grade {file.parent}"
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                return NotGraded(f"{file}, line {number} is broken ({error}); {advice}")
            if not isinstance(row, dict):
                return NotGraded(f"{file}, line {number} is not a verdict row; {advice}")
            missing = [name for name in NEEDED if name not in row]
            if missing:
                return NotGraded(f"{file}, line {number} has no {', '.join(missing)}; {advice}")
    return NotGraded(f"{file} has fields of a wrong type; {advice}")


def _totals(database: duckdb.DuckDBPyConnection, file: Path) -> Totals:
    row = database.execute(TOTALS).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without GROUP BY has one row
    *sums, incomplete = row
    if incomplete:
        raise _broken(file)
    return Totals(*sums)


def _problems(database: duckdb.DuckDBPyConnection) -> dict[str, ProblemCounts]:
    found: dict[str, ProblemCounts] = {}
    for problem_id, answer_class, rows, correct in database.execute(CLASSES).fetchall():
        before = found.get(problem_id, ProblemCounts(0, 0, ()))
        joined = () if answer_class is None else (AnswerClass(rows, correct),)
        found[problem_id] = ProblemCounts(
            before.rows + rows, before.correct + correct, before.classes + joined
        )
    return found
