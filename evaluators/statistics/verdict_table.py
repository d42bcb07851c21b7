"""A run's verdicts as counts: one pass over verdicts.jsonl in DuckDB, with bounded memory."""

import glob
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evaluators.run_files.attempt_lines import as_written, open_regular
from evaluators.run_files.freshness import GradedFile, stale_rows
from evaluators.run_files.run_manifest import Slice
from evaluators.run_files.verdict_rows import UNWRITTEN, VERDICTS, NotGraded
from evaluators.statistics.estimators import AnswerClass
from evaluators.statistics.track_table import TrackTable, track_table
from evaluators.verdict import Status

MEMORY_LIMIT = "1GB"
"""What DuckDB may hold; a million slim rows need about a tenth of it."""

# Only what the counts need is read; the rest of each line is skipped.
COLUMNS = {
    "dataset": "VARCHAR",
    "problem_id": "VARCHAR",
    "repeat_id": "VARCHAR",
    "status": "VARCHAR",
    "verdict": "VARCHAR",
    "grader_version": "VARCHAR",
    "answer_class": "BIGINT",
    "stop": "VARCHAR",
    "usage": "MAP(VARCHAR, MAP(VARCHAR, STRUCT(generated BIGINT, forwards BIGINT)))",
    "flops": "STRUCT(decode DOUBLE, total DOUBLE)",
    "seconds": "DOUBLE",
    "extracted": "VARCHAR",
    "tracks": "STRUCT(verdict VARCHAR, role VARCHAR, method VARCHAR, tokens BIGINT, "
    "chosen BOOLEAN)[]",
    "steps": 'STRUCT("all" BIGINT, judged BIGINT, rewritten BIGINT)',
    "made_from": "STRUCT(file VARCHAR, bytes BIGINT, modified_ns BIGINT, digest VARCHAR)",
}
NEEDED = (
    "problem_id",
    "repeat_id",
    "status",
    "verdict",
    "stop",
    "usage",
    "flops",
    "seconds",
    "grader_version",
)
"""What every verdict row has, null where an imported attempt does not say."""
MADE_FROM = {"file", "digest"}
STATUSES = ("ok", "error")
MOST_REPEATS = 999_999_999
SLIM = """
CREATE TABLE verdicts AS SELECT
    problem_id, try_cast(repeat_id AS INTEGER) AS repeat_id, verdict, answer_class, seconds,
    grader_version, made_from.file AS file, made_from.bytes AS bytes,
    made_from.modified_ns AS modified_ns, made_from.digest AS digest,
    status = 'error' AS failed,
    verdict = 'correct' AS correct,
    stop IN ('budget', 'length') AS truncated,
    stop = 'repeated' AS repeated,
    extracted IS NOT NULL AND status = 'ok' AS answered,
    list_transform(
        list_filter(tracks, lambda t: coalesce(t.role, t.method) IS NOT NULL),
        lambda t: {{'name': coalesce(t.role, t.method), 'correct': t.verdict = 'correct'}}
    ) AS guided,
    list_contains(list_transform(tracks, lambda t: t.verdict), 'correct') AS track_correct,
    list_sum(list_transform(list_filter(tracks, lambda t: t.chosen), lambda t: t.tokens))
        AS chosen_tokens,
    flops.decode AS flops_decode, flops.total AS flops_total,
    list_transform(map_entries(usage), lambda m: {{
        'role': m.key,
        'generated': list_sum(list_transform(map_values(m.value), lambda u: u.generated)),
        'written': list_sum(list_transform(list_filter(map_entries(m.value),
            lambda u: NOT list_contains({unwritten}, u.key)), lambda u: u.value.generated)),
        'forwards': CASE WHEN NOT list_contains(list_transform(map_values(m.value),
                lambda u: u.forwards IS NULL), true)
            THEN list_sum(list_transform(map_values(m.value), lambda u: u.forwards)) END
    }}) AS tokens,
    list_contains(list_transform(flatten(list_transform(map_values(usage),
        lambda uses: map_values(uses))), lambda u: u.generated IS NULL), true) AS unsaid,
    usage IS NOT NULL AND NOT unsaid AS counted, stop IS NULL AS endless,
    usage['draft']['draft_kept'].generated AS draft_kept,
    usage['draft']['draft_dropped'].generated AS draft_dropped,
    steps."all" AS steps, steps.judged AS judged, steps.rewritten AS rewritten,
    NOT coalesce(
        problem_id IS NOT NULL AND coalesce(dataset = ?, true)
        AND regexp_full_match(repeat_id, '[0-9]{{1,9}}')
        AND status IN ('ok', 'error')
        AND verdict IN ('correct', 'wrong', 'no_answer', 'ungradable')
        AND grader_version IS NOT NULL
        AND made_from.file IS NOT NULL AND made_from.digest IS NOT NULL
        AND coalesce(answer_class >= 0, true) AND coalesce(seconds >= 0, true)
        AND coalesce(flops.decode >= 0, true) AND coalesce(flops.total >= 0, true),
        false
    ) AS incomplete
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
    CASE WHEN count(*) FILTER (unsaid) = 0 THEN count(*) FILTER (counted) ELSE 0 END,
    CASE WHEN count(*) FILTER (unsaid) = 0 THEN sum(draft_kept) END,
    CASE WHEN count(*) FILTER (unsaid) = 0
        THEN sum(coalesce(draft_kept, 0) + coalesce(draft_dropped, 0)) END,
    sum(steps), sum(judged), sum(rewritten),
    CASE WHEN count(*) = count(flops_decode) THEN sum(flops_decode) END,
    CASE WHEN count(*) = count(flops_total) THEN sum(flops_total) END,
    quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.95),
    coalesce(string_agg(DISTINCT grader_version, ', ' ORDER BY grader_version), ''),
    count(*) FILTER (incomplete)
FROM verdicts
"""
TOKENS = """
SELECT one.role, coalesce(sum(one.generated), 0), coalesce(sum(one.written), 0),
    CASE WHEN count(*) = count(one.forwards) THEN sum(one.forwards) END
FROM (SELECT unnest(tokens) AS one FROM verdicts) GROUP BY one.role ORDER BY one.role
"""
CLASSES = """
SELECT problem_id, answer_class, count(*), count(*) FILTER (correct), max(repeat_id) + 1
FROM verdicts GROUP BY ALL ORDER BY ALL
"""
COSTS = """
SELECT problem_id,
    CASE WHEN count(*) = count(*) FILTER (counted)
        THEN avg(coalesce(list_sum(list_transform(tokens, lambda t: t.generated)), 0)) END,
    CASE WHEN count(*) = count(flops_decode) THEN avg(flops_decode) END,
    CASE WHEN count(*) = count(flops_total) THEN avg(flops_total) END,
    CASE WHEN count(*) = count(seconds) THEN avg(seconds) END
FROM verdicts GROUP BY problem_id
"""
TWICE = """
SELECT problem_id, repeat_id, count(*) FROM verdicts GROUP BY ALL HAVING count(*) > 1
ORDER BY ALL LIMIT 1
"""
FILES = """
SELECT file,
    CASE WHEN min(bytes) = max(bytes) AND count(bytes) = count(*) THEN min(bytes) END,
    CASE WHEN min(modified_ns) = max(modified_ns) THEN min(modified_ns) END,
    count(*)
FROM verdicts GROUP BY file
"""
OUTSIDE = "DELETE FROM verdicts WHERE repeat_id >= ? OR NOT list_contains(?, problem_id)"
DIGESTS = "SELECT digest FROM verdicts WHERE file = ?"


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """The verdicts of one problem; answers outside `classes` are no answers.

    `repeats` is one more than the highest repeat that has a verdict.
    """

    rows: int
    correct: int
    classes: tuple[AnswerClass, ...]
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class ProblemCosts:
    """What one recorded attempt at a problem costs on average; None where one does not say.

    `tokens` are generated ones, of all models.
    """

    tokens: float | None
    flops_decode: float | None
    flops_total: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a run's verdict rows; None where no row has the figure, or one lacks the FLOPs.

    Where one row does not say how its attempt ended, how many were cut or repeated is unknown.
    `counted` are the rows whose tokens are known, and none where a server did not count those of
    one: a failed attempt's 0 tokens are no mean of the others. `tokens` are generated ones, by the
    roles of the models; `written` are those of them that are text, and `forwards` the passes that
    gave them, of roles of which every attempt says them. `vote_lost` counts attempts that are not
    correct though one of their tracks is.
    """

    rows: int
    no_answer: int
    truncated: int | None
    repeated: int | None
    ungradable: int
    errors: int
    vote_lost: int
    counted: int
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
    tokens: dict[str, int]
    written: dict[str, int]
    forwards: dict[str, int]


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """A run's verdicts, counted by problem and over all."""

    problems: dict[str, ProblemCounts]
    costs: dict[str, ProblemCosts]
    totals: Totals
    tracks: TrackTable


def verdict_table(run: Path, dataset: str, asked: Slice | None = None) -> VerdictTable:
    """Count the verdicts of a run directory, which is one on `dataset`; with `asked` only of these.

    Raises:
        NotGraded: there is no verdicts.jsonl, a line of it is broken or of another dataset, an
            attempt has two rows, or an attempt has changed since it was graded.
    """
    file = run / VERDICTS
    if not file.is_file():
        raise NotGraded(f"{run} has no verdicts yet; grade it first: speclrm grade {run}")
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as database:
        _load(database, file, dataset)
        totals = _totals(database, file, dataset)
        _refuse_two_rows(database, file)
        _refuse_stale(database, run, totals.rows)
        if asked is not None:
            database.execute(OUTSIDE, [asked.repeats, list(asked.problem_ids)])
            totals = _totals(database, file, dataset)
        costs = {name: ProblemCosts(*sums) for name, *sums in database.execute(COSTS).fetchall()}
        return VerdictTable(_problems(database), costs, totals, track_table(database))


def _load(database: duckdb.DuckDBPyConnection, file: Path, dataset: str) -> None:
    query = SLIM.format(columns=COLUMNS, size=LONGEST_LINE_BYTES, unwritten=list(UNWRITTEN))
    try:
        database.execute(query, [dataset, glob.escape(str(file))])
    except duckdb.Error as error:
        raise _broken(file, dataset) from error


def _broken(file: Path, dataset: str) -> NotGraded:
    """What to say of verdicts that could not be counted: the first bad line, where one is found."""
    advice = f"grade again: speclrm grade {file.parent}"
    with open_regular(file) as lines:
        for number, line in enumerate(lines, start=1):
            fault = _fault(line, dataset)
            if fault is not None:
                return NotGraded(f"{file}, line {number} {fault}; {advice}")
    return NotGraded(f"{file} has fields of a wrong type; {advice}")


def _fault(line: bytes, dataset: str) -> str | None:
    """What is wrong with a verdict line, if it can be told without reading it as a table."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is broken ({error})"
    if not isinstance(row, dict):
        return "is not a verdict row"
    missing = [name for name in NEEDED if name not in row]
    if missing:
        return f"has no {', '.join(missing)}"
    if not isinstance(row.get("made_from"), dict) or not row["made_from"].keys() >= MADE_FROM:
        return "does not say what it was made from, as an earlier version graded it"
    if type(row["repeat_id"]) is not int or not 0 <= row["repeat_id"] <= MOST_REPEATS:
        return f"has {row['repeat_id']!r} for its repeat"
    if row.get("dataset", dataset) != dataset:
        return f"is of the dataset {row['dataset']!r}, and the run of {dataset!r} by its run.json"
    if row["verdict"] not in list(Status):
        return f"has {row['verdict']!r} for its verdict"
    if row["status"] not in STATUSES:
        return f"has {row['status']!r} for its status"
    amounts = {"answer_class": row.get("answer_class"), "seconds": row["seconds"]}
    if isinstance(row["flops"], dict):
        amounts |= {f"flops.{name}": amount for name, amount in row["flops"].items()}
    for name, amount in amounts.items():
        if isinstance(amount, int | float) and amount < 0:
            return f"has {amount!r} for its {name}"
    return None


def _refuse_two_rows(database: duckdb.DuckDBPyConnection, file: Path) -> None:
    twice = database.execute(TWICE).fetchone()
    if twice is not None:
        problem, repeat, rows = twice
        raise NotGraded(
            f"{file} has {rows} verdicts for problem {as_written(problem)}, repeat {repeat}; "
            f"grade again: speclrm grade {file.parent}"
        )


def _refuse_stale(database: duckdb.DuckDBPyConnection, run: Path, rows: int) -> None:
    graded = [GradedFile(*one) for one in database.execute(FILES).fetchall()]
    try:
        stale = stale_rows(
            run, graded, lambda name: (d for (d,) in database.execute(DIGESTS, [name]).fetchall())
        )
    except OSError as error:
        raise NotGraded(f"{error.filename} cannot be read ({error.strerror}).") from error
    if stale:
        raise NotGraded(
            f"{run} was graded before its attempts changed: {stale} of its {rows} verdicts were "
            "made from attempts that no longer exist, or are duplicated; grade again: "
            f"speclrm grade {run}"
        )


def _totals(database: duckdb.DuckDBPyConnection, file: Path, dataset: str) -> Totals:
    row = database.execute(TOTALS).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without GROUP BY has one row
    *sums, incomplete = row
    if incomplete:
        raise _broken(file, dataset)
    roles = database.execute(TOKENS).fetchall()
    sums.append({role: generated for role, generated, _, _ in roles})
    sums.append({role: written for role, _, written, _ in roles})
    sums.append({role: forwards for role, *_, forwards in roles if forwards is not None})
    return Totals(*sums)


def _problems(database: duckdb.DuckDBPyConnection) -> dict[str, ProblemCounts]:
    found: dict[str, ProblemCounts] = {}
    counted = database.execute(CLASSES).fetchall()
    for problem_id, answer_class, rows, correct, repeats in counted:
        before = found.get(problem_id, ProblemCounts(0, 0, ()))
        joined = () if answer_class is None else (AnswerClass(rows, correct),)
        found[problem_id] = ProblemCounts(
            before.rows + rows,
            before.correct + correct,
            before.classes + joined,
            max(before.repeats, repeats),
        )
    return found
