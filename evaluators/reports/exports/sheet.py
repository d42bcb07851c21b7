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
from evaluators.statistics.metrics import TWO_ROLES, GradedRun, graded_runs

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
        columns = [*COLUMNS, *_columns_of_others([run for _, run in graded])]
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        for path, run in graded:
            hidden = hides_text(str(run.identity["dataset"]), hidden_datasets)
            for attempt in attempts(path):
                row = _row(run, attempt, hidden=hidden)
                writer.writerow({name: csv_cell(row.get(name)) for name in columns})
                rows += 1
    return rows


def _columns_of_others(runs: Sequence[GradedRun]) -> list[str]:
    """Model and tokens of the roles beside target and draft, in the order of their appearance."""
    roles = dict.fromkeys(role for run in runs for role in run.models if role not in TWO_ROLES)
    return [f"{role}_{what}" for role in roles for what in ("model", "tokens")]


def _row(run: GradedRun, attempt: Attempt, *, hidden: bool) -> dict[str, Any]:
    line, verdict = attempt.line, attempt.verdict
    error, models = line.get("error"), run.models
    steps, flops = verdict.get("steps") or {}, verdict["flops"] or {}
    return (
        {
            "run": run.name,
            "problem_id": as_written(verdict["problem_id"]),
            "reasoner": run.identity["reasoner"],
            "model": model_name(models["target"]),
            "draft_model": model_name(models["draft"]) if "draft" in models else None,
            "correct": int(verdict["verdict"] == "correct"),
            "tracks": len(verdict["tracks"]),
            "tracks_correct": sum(track["verdict"] == "correct" for track in verdict["tracks"]),
            "steps": steps.get("all"),
            "drafts_judged": steps.get("judged"),
            "steps_rewritten": steps.get("rewritten"),
            "flops_decode": flops.get("decode"),
            "flops_total": flops.get("total"),
            "seed": line["seed"],
            "error": error
            and (error["type"] if hidden else f"{error['type']}: {error['message']}"),
            "response": None if hidden else line.get("response"),
        }
        | {f"{role}_tokens": _generated(verdict["usage"], role) for role in (*TWO_ROLES, *models)}
        | {
            f"{role}_model": model_name(model)
            for role, model in models.items()
            if role not in TWO_ROLES
        }
        | {
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
    )


def _generated(usage: Mapping[str, Any] | None, model: str) -> int | None:
    if usage is None:
        return None
    counts = [use["generated"] for use in usage.get(model, {}).values()]
    return None if None in counts else sum(counts)
