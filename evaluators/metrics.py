"""Numbers of one graded run: accuracy with its uncertainty, what went wrong, and what it cost.

Accuracy is the mean over problems of per-problem means; attempts that failed or are missing stay in
the denominator of every rate.
"""

import statistics
from dataclasses import dataclass
from pathlib import Path

from evaluators.estimators import maj_at_k, pass_at_k
from evaluators.uncertainty import Uncertainty, uncertainty
from evaluators.verdict_table import (
    NotGraded,
    ProblemCounts,
    Totals,
    VerdictTable,
    read_json,
    verdict_table,
)

NO_ROWS = ProblemCounts(0, 0, ())


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the planned attempts, between 0 and 1.

    `vote_lost`: not correct though one of its tracks is.
    """

    no_answer: float
    truncated: float
    repeated: float
    ungradable: float
    error: float
    missing: float
    vote_lost: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs per recorded attempt; None where unknown.

    `draft_kept` is the share of the draft's step tokens that were kept; `flops_decode` count
    generated tokens alone, `flops_total` with the prompt tokens that were not cached.
    """

    target_tokens: float
    draft_tokens: float
    draft_kept: float | None
    flops_decode: float | None
    flops_total: float | None
    seconds_p50: float | None
    seconds_p95: float | None


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """One row of a leaderboard; all accuracies are shares of 1.

    `accuracy` is avg@k with k = `repeats`; `pass_at_k` and `maj_at_k` are for this row's `k`;
    `any_correct` is the share of problems that any attempt got right.
    """

    run: str
    dataset: str
    reasoner: str
    model: str
    problems: int
    repeats: int
    accuracy: float
    uncertainty: Uncertainty
    k: int
    pass_at_k: float
    maj_at_k: float
    any_correct: float
    rates: Rates
    costs: Costs
    grader_version: str


@dataclass(frozen=True, slots=True)
class GradedRun:
    """A run's manifest and its counted verdicts, with a row for every planned problem."""

    name: str
    identity: dict[str, object]
    dataset: dict[str, object]
    repeats: int
    problems: dict[str, ProblemCounts]
    totals: Totals

    @property
    def means(self) -> dict[str, float]:
        """Each problem's share of right attempts."""
        return {name: row.correct / self.repeats for name, row in self.problems.items()}


def graded_run(run: Path) -> GradedRun:
    """Read a run directory's manifest and verdicts.

    Raises:
        NotGraded: a file of it is missing or broken, or the two do not belong together.
    """
    manifest = read_json(run / "run.json")
    table = verdict_table(run)
    planned = [str(problem_id) for problem_id in manifest["slice"]["problem_ids"]]
    _refuse_strangers(run, table, planned)
    return GradedRun(
        name=run.name or run.resolve().name,
        identity=manifest["identity"],
        dataset=manifest.get("dataset", {}),
        repeats=int(manifest["slice"]["repeats"]),
        problems={name: table.problems.get(name, NO_ROWS) for name in planned},
        totals=table.totals,
    )


def run_metrics(run: Path, k: int | None = None) -> RunMetrics:
    """The metrics of a graded run directory; pass@k and maj@k for `k`, or for all repeats.

    Raises:
        NotGraded: there is no run.json or no verdicts.jsonl, or a line of it is broken.
        TooFewAttempts: the run has fewer repeats than `k`.
    """
    return metrics_of(graded_run(run), k)


def metrics_of(run: GradedRun, k: int | None = None) -> RunMetrics:
    """The metrics of a run that has been read; see `run_metrics`."""
    counts = list(run.problems.values())
    size = run.repeats if k is None else k
    target = run.identity["target"]
    return RunMetrics(
        run=run.name,
        dataset=str(run.identity["dataset"]),
        reasoner=str(run.identity["reasoner"]),
        model=str(target["model"]) if isinstance(target, dict) else str(target),
        problems=len(counts),
        repeats=run.repeats,
        accuracy=statistics.fmean(run.means.values()),
        uncertainty=uncertainty([row.correct for row in counts], run.repeats),
        k=size,
        pass_at_k=statistics.fmean(pass_at_k(run.repeats, row.correct, size) for row in counts),
        maj_at_k=statistics.fmean(maj_at_k(run.repeats, row.classes, size) for row in counts),
        any_correct=statistics.fmean(row.correct > 0 for row in counts),
        rates=_rates(run.totals, len(counts) * run.repeats),
        costs=_costs(run.totals),
        grader_version=run.totals.grader_version,
    )


def _refuse_strangers(run: Path, table: VerdictTable, planned: list[str]) -> None:
    strangers = sorted(table.problems.keys() - set(planned))
    if not planned:
        raise NotGraded(f"{run} has no problems; run it again.")
    if strangers:
        raise NotGraded(
            f"{run / 'verdicts.jsonl'} judges problem {strangers[0]}, which its run.json does not "
            f"name; grade again: speclrm grade {run}"
        )


def _rates(totals: Totals, planned: int) -> Rates:
    return Rates(
        no_answer=totals.no_answer / planned,
        truncated=totals.truncated / planned,
        repeated=totals.repeated / planned,
        ungradable=totals.ungradable / planned,
        error=totals.errors / planned,
        missing=(planned - totals.rows) / planned,
        vote_lost=totals.vote_lost / planned,
    )


def _costs(totals: Totals) -> Costs:
    rows = max(totals.rows, 1)
    decode, total = totals.flops_decode, totals.flops_total
    return Costs(
        target_tokens=totals.target_tokens / rows,
        draft_tokens=totals.draft_tokens / rows,
        draft_kept=(totals.draft_kept or 0) / totals.drafted if totals.drafted else None,
        flops_decode=None if decode is None else decode / rows,
        flops_total=None if total is None else total / rows,
        seconds_p50=totals.seconds_p50,
        seconds_p95=totals.seconds_p95,
    )
