"""Attempts as a CSV file for a spreadsheet: one row per attempt."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluators.reports.board_columns import model_name
from evaluators.reports.safe_text import csv_cell
from evaluators.reports.statements import hides_text
from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.graded_attempts import GradedAttempt, graded_attempts
from evaluators.run_files.whole_file import whole_file
from evaluators.statistics.metrics import TWO_ROLES, GradedRun, graded_runs
from evaluators.verdict import Status

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
    "target_written_tokens",
    "draft_written_tokens",
    "target_forwards",
    "draft_forwards",
    "flops_decode",
    "flops_total",
    "seconds",
    "seed",
    "grader_version",
    "error",
    "response",
)
COUNTED = ("tokens", "written_tokens", "forwards")


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
            hidden = hides_text(run.identity.dataset, hidden_datasets)
            for attempt in graded_attempts(path):
                row = _row(run, attempt, hidden=hidden)
                writer.writerow({name: csv_cell(row.get(name)) for name in columns})
                rows += 1
    return rows


def _columns_of_others(runs: Sequence[GradedRun]) -> list[str]:
    """Of the roles beside target and draft, in the order of their appearance; assistants last,
    which write no text.
    """
    own = {role for run in runs for role in run.identity.by_role}
    every = (role for run in runs for role in (*run.models, *run.totals.tokens))
    others = [role for role in dict.fromkeys(every) if role not in TWO_ROLES]
    kept = [what for what in COUNTED if what != "written_tokens"]
    return [
        *(f"{role}_{what}" for role in others if role in own for what in ("model", *COUNTED)),
        *(f"{role}_{what}" for role in others if role not in own for what in ("model", *kept)),
    ]


def _row(run: GradedRun, attempt: GradedAttempt, *, hidden: bool) -> dict[str, Any]:
    line, verdict = attempt.line, attempt.verdict
    error, models = line.error, run.models
    steps, flops = verdict.steps, verdict.flops
    roles = dict.fromkeys((*TWO_ROLES, *models, *run.totals.tokens))
    sums = verdict.generated, verdict.written, verdict.forwards
    tokens = {
        f"{role}_{what}": of(role) for role in roles for what, of in zip(COUNTED, sums, strict=True)
    }
    others = {
        f"{role}_model": model_name(model)
        for role, model in models.items()
        if role not in TWO_ROLES
    }
    return (
        tokens
        | others
        | {
            "run": run.name,
            "dataset": verdict.dataset,
            "problem_id": as_written(verdict.problem_id),
            "repeat_id": verdict.repeat_id,
            "reasoner": run.identity.reasoner,
            "model": model_name(models["target"]),
            "draft_model": model_name(models["draft"]) if "draft" in models else None,
            "status": verdict.status,
            "verdict": verdict.verdict,
            "correct": int(verdict.is_correct),
            "gold": verdict.gold,
            "extracted": verdict.extracted,
            "rule": verdict.rule,
            "stop": verdict.stop,
            "tracks": len(verdict.tracks),
            "tracks_correct": sum(track.verdict is Status.CORRECT for track in verdict.tracks),
            "steps": steps and steps.all,
            "drafts_judged": steps and steps.judged,
            "steps_rewritten": steps and steps.rewritten,
            "flops_decode": flops and flops.decode,
            "flops_total": flops and flops.total,
            "seconds": verdict.seconds,
            "seed": line.seed,
            "grader_version": verdict.grader_version,
            "error": error and (error.type if hidden else error.text),
            "response": None if hidden else line.response,
        }
    )
