"""Attempts as a CSV file for a spreadsheet: one row an attempt."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluators.reports.leaderboard import model_name
from evaluators.reports.safe_text import csv_cell
from evaluators.reports.statements import hides_text
from evaluators.reports.traces import Attempt, attempts
from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.whole_file import whole_file
from evaluators.statistics.metrics import GradedRun, graded_runs

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as the machine's old code page."""
COLUMNS = (
    "run",
    "dataset",
    "problem_id",
    "repeat_id",
    "reasoner",
    "model",
    "draft_model",
    "status",
    "verdict",
    "correct",
    "gold",
    "extracted",
    "rule",
    "stop",
    "tracks",
    "tracks_correct",
    "steps",
    "drafts_judged",
    "steps_rewritten",
    "target_tokens",
    "draft_tokens",
    "flops_decode",
    "flops_total",
    "seconds",
    "seed",
    "grader_version",
    "error",
    "response",
)


def write_sheet(runs: Sequence[Path], file: Path, hidden_datasets: tuple[str, ...]) -> int:
    """Write the attempts of graded runs, one row each; how many.

    Texts are left out for datasets whose name starts with one of `hidden_datasets`.

    Raises:
        NotGraded: a run is not graded, or a file of it is broken.
        OSError: the file cannot be written.
    """
    rows = 0
    graded = list(zip(runs, graded_runs(runs), strict=True))
    with whole_file(file) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as out:
        out.write(BYTE_ORDER_MARK)
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        for path, run in graded:
            hidden = hides_text(str(run.identity["dataset"]), hidden_datasets)
            for attempt in attempts(path):
                row = _row(run, attempt, hidden=hidden)
                writer.writerow({name: csv_cell(row[name]) for name in COLUMNS})
                rows += 1
    return rows


def _row(run: GradedRun, attempt: Attempt, *, hidden: bool) -> dict[str, Any]:
    line, verdict = attempt.line, attempt.verdict
    draft, error = run.identity.get("draft"), line.get("error")
    steps, flops = verdict.get("steps") or {}, verdict["flops"] or {}
    return {
        "run": run.name,
        "problem_id": as_written(verdict["problem_id"]),
        "reasoner": run.identity["reasoner"],
        "model": model_name(run.identity["target"]["model"]),
        "draft_model": model_name(draft["model"]) if draft else None,
        "correct": int(verdict["verdict"] == "correct"),
        "tracks": len(verdict["tracks"]),
        "tracks_correct": sum(track["verdict"] == "correct" for track in verdict["tracks"]),
        "steps": steps.get("all"),
        "drafts_judged": steps.get("judged"),
        "steps_rewritten": steps.get("rewritten"),
        "target_tokens": _generated(verdict["usage"], "target"),
        "draft_tokens": _generated(verdict["usage"], "draft"),
        "flops_decode": flops.get("decode"),
        "flops_total": flops.get("total"),
        "seed": line["seed"],
        "error": error and (error["type"] if hidden else f"{error['type']}: {error['message']}"),
        "response": None if hidden else line.get("response"),
    } | {
        name: verdict[name]
        for name in (
            "dataset",
            "repeat_id",
            "status",
            "verdict",
            "gold",
            "extracted",
            "rule",
            "stop",
            "seconds",
            "grader_version",
        )
    }


def _generated(usage: Mapping[str, Any] | None, model: str) -> int | None:
    if usage is None:
        return None
    counts = [use["generated"] for use in usage.get(model, {}).values()]
    return None if None in counts else sum(counts)
