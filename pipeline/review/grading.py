"""From attempts to verdict rows: the one bridge from the pipeline to the evaluators.

Verdicts are disposable: they are rewritten from the attempts, whole or not at all.
"""

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

import evaluators
from evaluators.run_files.attempt_lines import line_digest, open_regular
from evaluators.run_files.verdict_rows import (
    VERDICTS,
    MadeFrom,
    RowFlops,
    StepTotals,
    TrackVerdict,
    Usage,
    UseTokens,
    VerdictRow,
)
from evaluators.run_files.whole_file import whole_file
from pipeline.cost import attempt_flops
from pipeline.errors import UserMistake
from pipeline.records import Attempt, Stop, Track
from pipeline.runs.directory import (
    attempt_files,
    read_attempts,
    read_lines,
    read_manifest,
)
from pipeline.runs.stored_runs import send_verdicts

ATTEMPT_ERROR = "attempt_error"
"""The rule that decides an attempt that failed: it has no answer."""
FILES_AHEAD = 2
"""Graded files that may wait for the writer, per thread."""

Rows = list[VerdictRow]


@dataclass(frozen=True, slots=True)
class Grading:
    """How many attempts of a run got each verdict, and how many of those a limit decided."""

    run: Path
    counts: dict[str, int]
    limited: int

    @property
    def total(self) -> int:
        """All attempts graded."""
        return sum(self.counts.values())


def grade_run(run: Path, progress: Callable[[int], None] | None = None) -> Grading:
    """Grade every attempt of a run directory into its verdicts.jsonl.

    `progress` is called with the number of attempts graded so far.

    Raises:
        UserMistake: there is no run, a line of it is unreadable, or it cannot be written to.
        evaluators.NoWorker: symbolic work cannot be done on this machine.
    """
    manifest = read_manifest(run)
    verdicts = run / VERDICTS
    if verdicts.exists() and not verdicts.is_file():
        raise UserMistake(f"{verdicts} is a pipe, a folder or a device; move it out of the run.")
    graded = _in_parallel(lambda file: list(_verdict_rows(file, manifest)), attempt_files(run))
    try:
        with contextlib.closing(graded), whole_file(verdicts) as out:
            grading = _write(run, graded, out, progress)
    except OSError as error:
        raise UserMistake(
            f"Cannot write the verdicts {verdicts} ({error.strerror}); free space, or grade "
            "a copy of the run in a folder that can be written."
        ) from error
    send_verdicts(run)
    return grading


def verdicts_of(run: Path) -> dict[tuple[str, int], str]:
    """The verdict of every attempt by the run's last grading; none before the first.

    Raises:
        UserMistake: a line is broken.
    """
    file = run / VERDICTS
    if not file.exists():
        return {}
    verdicts = {}
    number = 0
    try:
        with open_regular(file) as lines:
            for line in lines:
                number += 1
                row = json.loads(line)
                verdicts[str(row["problem_id"]), int(row["repeat_id"])] = str(row["verdict"])
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserMistake(
            f"{file}, line {number} is not a verdict ({error}); grade without --diff first."
        ) from error
    return verdicts


def graded_cases(run: Path) -> Iterator[dict[str, str]]:
    """The attempts of a run that have a response, graded, as rows of a case file.

    Raises:
        UserMistake: there is no run, or a line of it is unreadable.
    """
    for attempt in read_attempts(run):
        if attempt.response is not None:
            verdict = _grade(attempt)
            yield {
                "gold": attempt.gold,
                "output": attempt.response,
                "kind": attempt.kind,
                "verdict": verdict.status.value,
                "rule": verdict.rule,
            }


def _write(
    run: Path, graded: Iterator[Rows], out: IO[bytes], progress: Callable[[int], None] | None
) -> Grading:
    """Put the rows on the disk, and count them."""
    counts: dict[str, int] = {}
    limited = 0
    for rows in graded:
        for row in rows:
            counts[row.verdict] = counts.get(row.verdict, 0) + 1
            limited += evaluators.is_at_a_limit(row.rule)
            out.write(json.dumps(msgspec.to_builtins(row), ensure_ascii=False).encode() + b"\n")
        if progress is not None:
            progress(sum(counts.values()))
    out.flush()
    os.fsync(out.fileno())
    return Grading(run, counts, limited)


def _in_parallel(work: Callable[[Path], Rows], files: list[Path]) -> Generator[Rows, None, None]:
    """The results in the order of `files`, with only a few of them waiting at a time.

    Closing it begins no other file.
    """
    threads = os.cpu_count() or 1
    waiting: deque[Future[Rows]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for file in files:
            waiting.append(pool.submit(work, file))
            if len(waiting) > FILES_AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _verdict_rows(file: Path, manifest: dict[str, Any]) -> Iterator[VerdictRow]:
    """The rows of one problem, with the classes of its answers numbered in order of appearance."""
    classes: dict[str, int] = {}
    # Asked before the lines are read: what is added meanwhile makes the file another one.
    seen = file.stat()
    for line, attempt in read_lines(file, manifest["identity"]):
        verdict = _grade(attempt)
        flops = attempt_flops(attempt.usage, manifest["models"])
        yield VerdictRow(
            dataset=attempt.dataset,
            problem_id=attempt.problem_id,
            repeat_id=attempt.repeat_id,
            status=attempt.status,
            gold=attempt.gold,
            extracted=verdict.extracted,
            verdict=verdict.status,
            rule=verdict.rule,
            grader_version=evaluators.GRADER_VERSION,
            answer_class=None
            if verdict.extracted is None
            else classes.setdefault(
                evaluators.class_key(verdict.extracted, attempt.kind), len(classes)
            ),
            stop=_stop(attempt),
            usage=_usage(attempt),
            flops=RowFlops(**asdict(flops)) if flops is not None else None,
            seconds=attempt.seconds,
            steps=_step_totals(attempt),
            tracks=tuple(_track_verdict(track, attempt) for track in attempt.tracks),
            made_from=MadeFrom(
                file=file.name,
                bytes=seen.st_size,
                modified_ns=seen.st_mtime_ns,
                digest=line_digest(line),
            ),
        )


def _grade(attempt: Attempt) -> evaluators.Verdict:
    if attempt.status == "error":
        reason = attempt.error.message if attempt.error is not None else ""
        return evaluators.Verdict(
            status=evaluators.Status.NO_ANSWER,
            extracted=None,
            rule=ATTEMPT_ERROR,
            explanation=f"the attempt failed: {reason}",
        )
    return evaluators.grade(attempt.response or "", attempt.gold, attempt.kind)


def _usage(attempt: Attempt) -> Usage | None:
    if attempt.usage is None:
        return None
    return {
        model: {use: UseTokens(**asdict(tokens)) for use, tokens in uses.items()}
        for model, uses in attempt.usage.items()
    }


def _track_verdict(track: Track, attempt: Attempt) -> TrackVerdict:
    verdict = evaluators.grade(track.text, attempt.gold, attempt.kind)
    return TrackVerdict(
        id=track.id,
        role=track.role,
        method=track.method,
        extracted=verdict.extracted,
        verdict=verdict.status,
        tokens=_tokens(track),
        chosen=track is _chosen(attempt),
    )


def _tokens(track: Track) -> int | None:
    """Tokens of the accepted steps; None where one does not say."""
    counts = [step.tokens for step in track.steps]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _step_totals(attempt: Attempt) -> StepTotals:
    steps = [step for track in attempt.tracks for step in track.steps]
    return StepTotals(
        all=len(steps),
        judged=sum(step.is_judged for step in steps),
        rewritten=sum(step.draft_text is not None for step in steps),
    )


def _chosen(attempt: Attempt) -> Track | None:
    """The track whose text is the response: the chosen one, or the only one."""
    chosen = attempt.vote.chosen if attempt.vote is not None else None
    return next((track for track in attempt.tracks if chosen in {None, track.id}), None)


def _stop(attempt: Attempt) -> str | None:
    """Why the chosen track ended."""
    track = _chosen(attempt)
    if track is None:
        return Stop.ERROR.value
    return track.stop.value if track.stop is not None else None
