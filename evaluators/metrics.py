"""Numbers of one graded run: accuracy, what went wrong, and what it cost.

Accuracy is the mean over problems of per-problem means; attempts that failed or are missing stay in
the denominator.
"""

import json
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRUNCATED = ("budget", "length")
NEEDED = ("problem_id", "status", "verdict", "stop", "usage", "flops", "seconds", "grader_version")
"""What metrics read of a verdict row."""


class NotGraded(ValueError):  # noqa: N818 - named for what it is
    """The run has no verdicts, or none that can be read."""


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """One row of a leaderboard.

    `accuracy` and the rates are shares of 1; `standard_error` is over the population of problems
    (Miller 2024, arXiv 2411.00640, eq. 1), None for fewer than two problems. Tokens, FLOPs and
    seconds are per recorded attempt. `flops` are None where a model's shape is unknown.
    `acceptance` is the share of judged drafts that were kept and `rewrites` the share of accepted
    steps that the target wrote after a rejection; None where nothing was drafted.
    """

    run: str
    dataset: str
    reasoner: str
    model: str
    problems: int
    repeats: int
    accuracy: float
    standard_error: float | None
    no_answer: float
    truncated: float
    ungradable: float
    error: float
    missing: float
    target_tokens: float
    draft_tokens: float
    acceptance: float | None
    rewrites: float | None
    flops_decode: float | None
    flops_total: float | None
    seconds_p50: float | None
    seconds_p95: float | None
    grader_version: str


def run_metrics(run: Path) -> RunMetrics:
    """The metrics of a graded run directory, one verdict row in memory at a time.

    Raises:
        NotGraded: there is no run.json or no verdicts.jsonl, or a line of it is broken.
    """
    asked = _read_manifest(run / "run.json")
    repeats = asked.repeats
    planned = len(asked.problem_ids) * repeats
    correct = dict.fromkeys(asked.problem_ids, 0)
    tally = _Tally()
    for row in verdict_rows(run):
        tally.add(row)
        correct[row["problem_id"]] += row["verdict"] == "correct"
    means = [count / repeats for count in correct.values()]
    return RunMetrics(
        run=run.name or run.resolve().name,
        dataset=asked.dataset,
        reasoner=asked.reasoner,
        model=asked.model,
        problems=len(asked.problem_ids),
        repeats=repeats,
        accuracy=statistics.fmean(means),
        standard_error=statistics.stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None,
        no_answer=tally.no_answer / planned,
        truncated=tally.truncated / planned,
        ungradable=tally.ungradable / planned,
        error=tally.errors / planned,
        missing=(planned - tally.rows) / planned,
        target_tokens=tally.per_row(tally.target_tokens),
        draft_tokens=tally.per_row(tally.draft_tokens),
        acceptance=1 - tally.rewritten / tally.judged if tally.judged else None,
        rewrites=tally.rewritten / tally.steps if tally.judged else None,
        flops_decode=tally.per_row(tally.flops_decode) if tally.flops_known else None,
        flops_total=tally.per_row(tally.flops_total) if tally.flops_known else None,
        seconds_p50=percentile(tally.seconds, 0.50),
        seconds_p95=percentile(tally.seconds, 0.95),
        grader_version=tally.grader_version,
    )


def verdict_rows(run: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run's verdicts.jsonl.

    Raises:
        NotGraded: the file is missing or a line is not a verdict row.
    """
    file = run / "verdicts.jsonl"
    advice = f"grade again: speclrm grade {run}"
    try:
        lines = file.open(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotGraded(
            f"{run} has no verdicts yet; grade it first: speclrm grade {run}"
        ) from error
    with lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise NotGraded(f"{file}, line {number} is broken ({error}); {advice}") from error
            if not isinstance(row, dict):
                raise NotGraded(f"{file}, line {number} is not a verdict row; {advice}")
            missing = [name for name in NEEDED if name not in row]
            if missing:
                raise NotGraded(f"{file}, line {number} has no {', '.join(missing)}; {advice}")
            yield row


def percentile(values: list[float], share: float) -> float | None:
    """The value below which `share` of the values lie, interpolated; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


class _Tally:
    """Running sums over verdict rows."""

    def __init__(self) -> None:
        self.rows = self.no_answer = self.truncated = self.ungradable = self.errors = 0
        self.target_tokens = self.draft_tokens = 0
        self.steps = self.judged = self.rewritten = 0
        self.flops_decode = self.flops_total = 0.0
        self.flops_known = True
        self.seconds: list[float] = []
        self.grader_version = ""

    def add(self, row: Mapping[str, Any]) -> None:
        failed = row["status"] == "error"
        self.rows += 1
        self.errors += failed
        self.no_answer += row["verdict"] == "no_answer" and not failed
        self.ungradable += row["verdict"] == "ungradable"
        self.truncated += row["stop"] in TRUNCATED
        self.target_tokens += _generated(row["usage"].get("target", {}))
        self.draft_tokens += _generated(row["usage"].get("draft", {}))
        steps = row.get("steps") or {}
        self.steps += steps.get("all", 0)
        self.judged += steps.get("judged", 0)
        self.rewritten += steps.get("rewritten", 0)
        if row["flops"] is None:
            self.flops_known = False
        else:
            self.flops_decode += row["flops"]["decode"]
            self.flops_total += row["flops"]["total"]
        self.seconds.append(row["seconds"])
        self.grader_version = row["grader_version"]

    def per_row(self, total: float) -> float:
        return total / self.rows if self.rows else 0.0


def _generated(uses: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(tokens["generated"] for tokens in uses.values())


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a manifest says of its run."""

    problem_ids: tuple[str, ...]
    repeats: int
    dataset: str
    reasoner: str
    model: str


def _read_manifest(file: Path) -> _Asked:
    try:
        content: Any = json.loads(file.read_bytes())
        identity = content["identity"]
        return _Asked(
            problem_ids=tuple(str(problem_id) for problem_id in content["slice"]["problem_ids"]),
            repeats=int(content["slice"]["repeats"]),
            dataset=identity["dataset"],
            reasoner=identity["reasoner"],
            model=identity["target"]["model"],
        )
    except FileNotFoundError as error:
        raise NotGraded(f"{file.parent} is not a run directory (it has no {file.name}).") from error
    except ValueError as error:
        raise NotGraded(f"{file} is broken ({error}).") from error
    except KeyError as error:
        raise NotGraded(f"{file} is not the manifest of a run: it has no {error}.") from error
    except TypeError as error:
        raise NotGraded(f"{file} is not the manifest of a run ({error}).") from error
