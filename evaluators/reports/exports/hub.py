"""Results for a model's page on the Hugging Face hub.

Two forms: entries for `.eval_results/*.yaml`, which the hub shows on the page of the model and of
the benchmark, and a model card whose front matter has the older `model-index`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evaluators.reports import board_columns, leaderboard
from evaluators.reports.safe_text import markdown_text, safe
from evaluators.run_files.whole_file import whole_file
from evaluators.statistics.metrics import GradedRun, RunMetrics, measured_runs

TASK_TYPE = "text-generation"
PERCENT_DIGITS = 2


class NoHubForm(ValueError):  # noqa: N818 - named for what it is
    """The runs do not fit into this form of the hub's."""


@dataclass(frozen=True, slots=True)
class HubDataset:
    """Where a run's dataset is on the hub; `task` is its configuration."""

    id: str
    task: str
    split: str


def write_hub(runs: Sequence[Path], file: Path, datasets: Sequence[HubDataset | None]) -> int:
    """Write the results of graded runs of one model: `.yaml` entries, or an `.md` model card.

    `datasets` says for each run where its dataset is on the hub, None for one that is not there.

    Raises:
        NotGraded: a run is not graded, or a file of it is broken.
        NoHubForm: the runs are of several models, or one of a dataset that the hub lacks.
        OSError: the file cannot be written.
    """
    measured = measured_runs(runs)
    models = sorted({one.metrics.model for one in measured})
    if len(models) > 1:
        raise NoHubForm(
            f"A model's page holds results of one model, and these runs are of {', '.join(models)}."
        )
    made = [
        (one.run, one.metrics, dataset) for one, dataset in zip(measured, datasets, strict=True)
    ]
    if file.suffix == ".md":
        content = _card(models[0], made)
    elif file.suffix in {".yaml", ".yml"}:
        content = yaml.safe_dump([_entry(*one) for one in made], sort_keys=False, width=100)
    else:
        raise NoHubForm(f"{file.name} is neither a .yaml for .eval_results nor an .md model card.")
    with whole_file(file) as out:
        out.write(safe(content).encode())
    return len(made)


def _entry(run: GradedRun, row: RunMetrics, dataset: HubDataset | None) -> dict[str, Any]:
    if dataset is None:
        raise NoHubForm(
            f"{run.name} is on {row.dataset}, which is not on the hub, and .eval_results lists "
            "results by the hub's datasets; an .md model card can hold it."
        )
    where: dict[str, Any] = {"id": dataset.id, "task_id": dataset.task}
    if run.manifest.dataset.revision:
        where["revision"] = run.manifest.dataset.revision
    entry: dict[str, Any] = {"dataset": where, "value": _percent(row.accuracy)}
    if run.manifest.started is not None:
        entry["date"] = run.manifest.started
    return entry | {"notes": _notes(run, row)}


def _notes(run: GradedRun, row: RunMetrics) -> str:
    """What the number means: a value alone would hide the budget, the repeats and the slice."""
    interval = row.uncertainty.population
    rows, identity = run.manifest.dataset.rows, run.identity
    helped = {role: model for role, model in run.models.items() if role != "target"}
    said = [
        f"accuracy in percent, avg@{row.repeats} over {row.problems} problems"
        + (f" of {rows}" if rows else ""),
        f"95 % interval {_percent(interval.low)} to {_percent(interval.high)}"
        if interval is not None
        else None,
        row.reasoner
        + "".join(
            f" with {role} {board_columns.model_name(model)}" for role, model in helped.items()
        ),
        f"token budget {identity.token_budget}" if identity.token_budget else None,
        f"temperature {identity.temperature}" if identity.temperature is not None else None,
        f"SpecLRM grader {row.grader_version}",
    ]
    return "; ".join(part for part in said if part is not None)


def _card(model: str, made: Sequence[tuple[GradedRun, RunMetrics, HubDataset | None]]) -> str:
    # Imported here: the hub's client takes a second, and no other export needs it.
    from huggingface_hub import EvalResult, ModelCardData  # noqa: PLC0415

    results = [
        EvalResult(
            task_type=TASK_TYPE,
            dataset_type=dataset.id if dataset is not None else row.dataset,
            dataset_name=row.dataset,
            dataset_config=dataset.task if dataset is not None else None,
            dataset_split=dataset.split if dataset is not None else None,
            dataset_revision=run.manifest.dataset.revision,
            metric_type=kind,
            metric_name=f"{name}, {row.reasoner}, {run.name}",
            metric_value=_percent(value),
        )
        for run, row, dataset in made
        for kind, name, value in (
            ("accuracy", f"avg@{row.repeats}", row.accuracy),
            ("pass@k", f"pass@{row.k}", row.pass_at_k),
            ("maj@k", f"maj@{row.k}", row.maj_at_k),
        )
        if value is not None and (kind == "accuracy" or row.repeats > 1)
    ]
    data = ModelCardData(model_name=board_columns.model_name(model), eval_results=results)
    table = board_columns.as_markdown(leaderboard.rows([row for _, row, _ in made]))
    notes = "\n".join(
        f"- {markdown_text(f'{run.name}: {_notes(run, row)}')}" for run, row, _ in made
    )
    return f"---\n{data.to_yaml()}\n---\n\n## Evaluation\n\n{table}\n\n{notes}\n"


def _percent(share: float) -> float:
    return round(100 * share, PERCENT_DIGITS)
