"""A run as an evaluation log of Inspect (inspect_ai), which `inspect view` opens.

Written as the log's own JSON, in version 2 of its format, so that Inspect need not be installed:
a `.json` file, or an `.eval` archive that holds each sample as a file of its own.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from evaluators.reports.board_columns import model_name
from evaluators.reports.exports import inspect_sample
from evaluators.reports.exports.inspect_sample import SCORER
from evaluators.reports.statements import Statement, hides_text
from evaluators.run_files.graded_attempts import graded_attempts
from evaluators.run_files.whole_file import whole_file
from evaluators.statistics.metrics import (
    TWO_ROLES,
    GradedRun,
    RunMetrics,
    graded_run,
    metrics_of,
)

LOG_VERSION = 2
EPOCH_START = "1970-01-01T00:00:00+00:00"
"""Inspect's logs must say when they began; an imported run does not know it."""
SUMMARY_CHARACTERS = 1_000
"""Inspect keeps the start of a long input in its list of samples."""
SAMPLING = ("temperature", "top_p", "top_k", "presence_penalty", "seed")
"""Settings that Inspect knows under the same names."""
SETTINGS = (*TWO_ROLES, "decoder")
NAMES = ("model", "tokenizer", "lora", "assistant_model", "assistant")
"""Settings of a model or a decoder whose values may be folders of this machine."""

Json = dict[str, Any]


class NoInspectForm(ValueError):  # noqa: N818 - named for what it is
    """The file's name is of no format that Inspect reads."""


@dataclass(slots=True)
class _Sums:
    """What the log's head says of all samples."""

    usage: dict[str, Json] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)
    samples: int = 0
    failed: int = 0

    def add(self, sample: Json) -> None:
        """Count one sample."""
        self.samples += 1
        self.failed += sample["error"] is not None
        right = sample["scores"][SCORER]["value"] == inspect_sample.CORRECT
        self.values.setdefault(sample["id"], []).append(float(right))
        for model, counts in sample["model_usage"].items():
            before = self.usage.setdefault(model, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                before[name] = before.get(name, 0) + count


def write_inspect(
    run: Path, file: Path, statements: Mapping[str, Statement], hidden_datasets: tuple[str, ...]
) -> int:
    """Write a graded run as `file`, ending in `.json` or `.eval`; how many samples it has.

    `statements` are the problems as they were asked, by id; the attempts do not hold them. Where
    one is missing, the sample says so. They are left out, as all model texts are, for a dataset
    whose name starts with one of `hidden_datasets`.

    Raises:
        NotGraded: the run is not graded, or a file of it is broken.
        NoInspectForm: the file ends in neither.
        OSError: the file cannot be written.
    """
    graded = graded_run(run)
    metrics = metrics_of(graded)
    sums = _Sums()
    hidden = hides_text(graded.identity.dataset, hidden_datasets)
    names = inspect_sample.Names.of(graded)
    samples = (
        inspect_sample.sample(attempt, names, statements, hide_text=hidden)
        for attempt in graded_attempts(run)
    )
    writers = {".json": _write_json, ".eval": _write_archive}
    if file.suffix not in writers:
        raise NoInspectForm(f"{file.name} must end in .json or .eval, the formats that it reads.")
    with whole_file(file) as out:
        writers[file.suffix](graded, metrics, samples, sums, out)
    return sums.samples


def _write_json(
    run: GradedRun, metrics: RunMetrics, samples: Iterator[Json], sums: _Sums, out: IO[bytes]
) -> None:
    """One JSON object; its fields stand in the order that Inspect's reader of heads expects.

    That order puts the sums before the samples, so the samples wait in a file: beside, or, where
    `out` is a pipe or a device, in the system's folder for such files.
    """
    beside = Path(out.name).parent if Path(str(out.name)).is_file() else None
    with tempfile.TemporaryFile(dir=beside) as waiting:
        for number, sample in enumerate(samples):
            sums.add(sample)
            waiting.write((",\n" if number else "").encode() + _encoded(sample))
        waiting.seek(0)
        head = {"version": LOG_VERSION, "status": _status(run, sums)} | _head(run, metrics, sums)
        out.write(_encoded(head)[:-1] + b', "samples": [\n')
        shutil.copyfileobj(waiting, out)
    out.write(b'\n], "reductions": ' + _encoded(_reductions(sums)) + b"}\n")


def _write_archive(
    run: GradedRun, metrics: RunMetrics, samples: Iterator[Json], sums: _Sums, out: IO[bytes]
) -> None:
    """A zip archive: head, a file for each sample, and the list of samples."""
    summaries = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        spec = _head(run, metrics, sums)
        start = {"version": LOG_VERSION, "eval": spec["eval"], "plan": spec["plan"]}
        archive.writestr("_journal/start.json", _encoded(start))
        for sample in samples:
            sums.add(sample)
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, _encoded(sample))
            summaries.append(_summary(sample))
        archive.writestr("summaries.json", _encoded(summaries))
        archive.writestr("reductions.json", _encoded(_reductions(sums)))
        head = {"version": LOG_VERSION, "status": _status(run, sums)} | _head(run, metrics, sums)
        archive.writestr("header.json", _encoded(head))


def _encoded(value: object) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def _status(run: GradedRun, sums: _Sums) -> str:
    """A run with attempts still missing is one that was stopped."""
    return "success" if sums.samples == len(run.problems) * run.repeats else "cancelled"


def _summary(sample: Json) -> Json:
    keep = ("id", "epoch", "choices", "target", "metadata", "scores", "model_usage", "role_usage")
    times = ("started_at", "completed_at", "total_time", "working_time", "uuid")
    limit, error = sample["limit"], sample["error"]
    return {name: sample[name] for name in (*keep, *times)} | {
        "input": sample["input"][:SUMMARY_CHARACTERS],
        "error": error["message"] if error else None,
        "limit": limit["type"] if limit else None,
        "completed": True,
        "message_count": len(sample["messages"]),
    }


def _head(run: GradedRun, metrics: RunMetrics, sums: _Sums) -> Json:
    began = run.manifest.started or EPOCH_START
    identity, recorded = run.identity, run.manifest.recorded
    others = {
        role: {"model": model_name(model)} for role, model in run.models.items() if role != "target"
    }
    known = {name: getattr(identity, name) for name in SAMPLING}
    sampling = {name: value for name, value in known.items() if value is not None}
    dataset = {
        "name": metrics.dataset,
        "location": run.manifest.dataset.source,
        "samples": len(run.problems),
        "sample_ids": list(run.problems),
    }
    return {
        "eval": {
            "eval_id": run.name,
            "run_id": run.name,
            "created": began,
            "task": f"speclrm/{metrics.dataset}",
            "task_id": run.name,
            "solver": metrics.reasoner,
            "dataset": dataset,
            "model": model_name(metrics.model),
            "model_generate_config": sampling,
            "model_roles": others or None,
            "config": {"epochs": run.repeats, "epochs_reducer": ["mean"]},
            "metadata": {
                "identity": _shareable(recorded["identity"]),
                "dataset": recorded.get("dataset", {}),
            },
            "scorers": [{"name": SCORER}],
        },
        "plan": {"name": "plan", "steps": [{"solver": metrics.reasoner}], "config": sampling},
        "results": _results(run, metrics, sums),
        "stats": {"started_at": began, "completed_at": began, "model_usage": sums.usage},
    }


def _shareable(identity: Mapping[str, Any]) -> Json:
    """The settings, with folders of models and their parts by their last part only."""
    shown = {
        name: _with_short_names(value) if name in SETTINGS and value else value
        for name, value in identity.items()
    }
    others = identity.get("models", {})
    return shown | (
        {"models": {role: _with_short_names(one) for role, one in others.items()}} if others else {}
    )


def _with_short_names(settings: Mapping[str, Any]) -> Json:
    return {
        name: model_name(value) if name in NAMES and isinstance(value, str) else value
        for name, value in settings.items()
    }


def _results(run: GradedRun, metrics: RunMetrics, sums: _Sums) -> Json:
    """Ours, not means of the logged samples: missing attempts count as wrong here, too."""
    values = {
        "accuracy": metrics.accuracy,
        "stderr": metrics.uncertainty.population_error,
    }
    score = {
        "name": SCORER,
        "scorer": SCORER,
        "reducer": "mean",
        "scored_samples": len(sums.values),
        "unscored_samples": len(run.problems) - len(sums.values),
        "metrics": {
            name: {"name": name, "value": value}
            for name, value in values.items()
            if value is not None
        },
    }
    return {
        "total_samples": len(run.problems) * run.repeats,
        "completed_samples": sums.samples - sums.failed,
        "scores": [score],
    }


def _reductions(sums: _Sums) -> list[Json]:
    means = [
        {"sample_id": name, "value": sum(values) / len(values)}
        for name, values in sums.values.items()
    ]
    return [{"scorer": SCORER, "reducer": "mean", "samples": means}]
