"""Numbers of one graded run: accuracy with its uncertainty, what went wrong, and what it cost.

Accuracy is the mean over problems of per-problem means; attempts that failed or are missing stay in
the denominator of every rate.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evaluators.run_files.attempt_lines import as_written
from evaluators.run_files.run_manifest import Identity, RunManifest, Slice, run_manifest
from evaluators.run_files.run_names import distinct_names
from evaluators.run_files.verdict_rows import VERDICTS, NotGraded
from evaluators.statistics.estimators import maj_at_k, pass_at_k, votes_are_countable
from evaluators.statistics.track_table import TrackTable
from evaluators.statistics.uncertainty import Uncertainty, population_error, uncertainty
from evaluators.statistics.verdict_table import (
    ProblemCosts,
    ProblemCounts,
    Totals,
    VerdictTable,
    verdict_table,
)

TWO_ROLES = ("target", "draft")
"""The models that every run's costs name; those of other roles follow."""
NO_ROWS = ProblemCounts(0, 0, ())


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the planned attempts, from 0 to 1; None where an attempt does not say how it ended.

    `vote_lost`: not correct though one of its tracks is.
    """

    no_answer: float
    truncated: float | None
    repeated: float | None
    ungradable: float
    error: float
    missing: float
    vote_lost: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs per recorded attempt; None where unknown.

    `tokens` are generated ones by the roles of the models, target and draft first, of the attempts
    that were counted; an imported one may not be. `forwards` are the passes of each model, and
    `tokens_a_forward` how many of its tokens that became text one of them gave, of models of which
    every attempt says it.
    `draft_kept` is the share of the draft's step tokens that were kept, `acceptance` the share of
    judged drafts that were kept, `rewrites` the share of steps that the target wrote after a
    rejection. `flops_decode` count generated tokens alone, `flops_total` with the prompt tokens
    that were not cached.
    """

    tokens: dict[str, float] | None
    forwards: dict[str, float]
    tokens_a_forward: dict[str, float]
    draft_kept: float | None
    acceptance: float | None
    rewrites: float | None
    flops_decode: float | None
    flops_total: float | None
    seconds_p50: float | None
    seconds_p95: float | None

    @property
    def target_tokens(self) -> float | None:
        """Tokens that the target generated."""
        return None if self.tokens is None else self.tokens["target"]

    @property
    def draft_tokens(self) -> float | None:
        """Tokens that the draft generated."""
        return None if self.tokens is None else self.tokens["draft"]


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """One row of a leaderboard; all accuracies are shares of 1.

    `accuracy` is avg@k with k = `repeats`; `pass_at_k` and `maj_at_k` are for this row's `k`,
    with their standard errors over the population of problems (None for one problem), and
    `maj_at_k` None where it is too much work (see `evaluators.statistics.estimators`); `models`
    are the names of all by their roles, `model` the target's; `any_correct` is the share of
    problems that any attempt got right. `unverified` says that a model's tokens may be others than
    it would choose.
    """

    run: str
    dataset: str
    reasoner: str
    model: str
    models: dict[str, str]
    problems: int
    repeats: int
    accuracy: float
    uncertainty: Uncertainty
    k: int
    pass_at_k: float
    pass_at_k_error: float | None
    maj_at_k: float | None
    maj_at_k_error: float | None
    any_correct: float
    rates: Rates
    costs: Costs
    tracks: TrackTable
    grader_version: str
    unverified: bool


@dataclass(frozen=True, slots=True)
class GradedRun:
    """A run's manifest and its counted verdicts, with a row for every planned problem.

    `costs` has the problems with recorded attempts.
    """

    name: str
    manifest: RunManifest
    problems: dict[str, ProblemCounts]
    costs: dict[str, ProblemCosts]
    totals: Totals
    tracks: TrackTable = field(default_factory=TrackTable)

    @property
    def models(self) -> dict[str, str]:
        """The names of the models by their roles, the target first and assistants last."""
        return self.identity.names

    @property
    def identity(self) -> Identity:
        """The settings of the experiment."""
        return self.manifest.identity

    @property
    def repeats(self) -> int:
        """How many attempts at each problem were asked for."""
        return self.manifest.slice.repeats

    @property
    def means(self) -> dict[str, float]:
        """Each problem's share of right attempts."""
        return {name: row.correct / self.repeats for name, row in self.problems.items()}


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A run's folder, what was read there, and what it comes to."""

    path: Path
    run: GradedRun
    metrics: RunMetrics


def graded_run(run: Path, asked: Slice | None = None) -> GradedRun:
    """Read a run directory's manifest and verdicts; with `asked` as if it were all of the run.

    Raises:
        NotGraded: a file of it is missing or broken, or the two do not belong together.
    """
    manifest = run_manifest(run)
    if manifest.slice.shard is not None:
        raise NotGraded(
            f"{run} is shard {manifest.slice.shard} of a run; put its shards together with "
            "`speclrm merge`, then grade the run."
        )
    table = verdict_table(run, manifest.identity.dataset, asked)
    if asked is not None:
        manifest = replace(manifest, slice=asked)
    _refuse_strangers(run, table, manifest.slice)
    return GradedRun(
        name=run.name or run.resolve().name,
        manifest=manifest,
        problems={name: table.problems.get(name, NO_ROWS) for name in manifest.slice.problem_ids},
        costs=table.costs,
        totals=table.totals,
        tracks=table.tracks,
    )


def graded_runs(runs: Sequence[Path]) -> list[GradedRun]:
    """Several runs, with names that tell them apart; see `graded_run`."""
    names = distinct_names(runs)
    return [replace(graded_run(run), name=name) for run, name in zip(runs, names, strict=True)]


def measured_runs(runs: Sequence[Path], k: int | None = None) -> list[MeasuredRun]:
    """Several runs with their metrics; see `graded_runs` and `run_metrics`."""
    read = zip(runs, graded_runs(runs), strict=True)
    return [MeasuredRun(path, run, metrics_of(run, k)) for path, run in read]


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
    passing = [pass_at_k(run.repeats, row.correct, size) for row in counts]
    voting = None
    if votes_are_countable(run.repeats, size):
        voting = [maj_at_k(run.repeats, row.classes, size) for row in counts]
    return RunMetrics(
        run=run.name,
        dataset=run.identity.dataset,
        reasoner=run.identity.procedure,
        model=run.models["target"],
        models=run.models,
        problems=len(counts),
        repeats=run.repeats,
        accuracy=statistics.fmean(run.means.values()),
        uncertainty=uncertainty([row.correct for row in counts], run.repeats),
        k=size,
        pass_at_k=statistics.fmean(passing),
        pass_at_k_error=population_error(passing),
        maj_at_k=None if voting is None else statistics.fmean(voting),
        maj_at_k_error=None if voting is None else population_error(voting),
        any_correct=statistics.fmean(row.correct > 0 for row in counts),
        rates=_rates(run.totals, len(counts) * run.repeats),
        costs=_costs(run.totals),
        tracks=run.tracks,
        grader_version=run.totals.grader_version,
        unverified=run.identity.unverified,
    )


def _refuse_strangers(run: Path, table: VerdictTable, asked: Slice) -> None:
    """Verdicts on attempts that the manifest does not ask for: an older manifest was put back."""
    cause = "its run.json does not ask for: it is older than the attempts; run the experiment again"
    if not asked.problem_ids or asked.repeats < 1:
        raise NotGraded(f"{run} has no problems; run it again.")
    strangers = sorted(table.problems.keys() - set(asked.problem_ids))
    if strangers:
        raise NotGraded(
            f"{run / VERDICTS} judges problem {as_written(strangers[0])}, which "
            f"{cause} with a --problem-id that covers it, and run.json is widened."
        )
    repeats = max((counts.repeats for counts in table.problems.values()), default=0)
    if repeats > asked.repeats:
        raise NotGraded(
            f"{run / VERDICTS} judges {repeats} repeats, which {cause} "
            f"with --repeats {repeats}, and run.json is widened."
        )


def _rates(totals: Totals, planned: int) -> Rates:
    return Rates(
        no_answer=totals.no_answer / planned,
        truncated=None if totals.truncated is None else totals.truncated / planned,
        repeated=None if totals.repeated is None else totals.repeated / planned,
        ungradable=totals.ungradable / planned,
        error=totals.errors / planned,
        missing=(planned - totals.rows) / planned,
        vote_lost=totals.vote_lost / planned,
    )


def _costs(totals: Totals) -> Costs:
    rows = max(totals.rows, 1)
    decode, total = totals.flops_decode, totals.flops_total
    counted = totals.counted if totals.rows else rows
    tokens = dict.fromkeys(TWO_ROLES, 0) | totals.tokens
    forwards = {role: passes for role, passes in totals.forwards.items() if passes and counted}
    return Costs(
        forwards={role: passes / counted for role, passes in forwards.items()},
        tokens_a_forward={
            role: totals.written[role] / passes
            for role, passes in forwards.items()
            if totals.written[role]
        },
        tokens={role: made / counted for role, made in tokens.items()} if counted else None,
        draft_kept=(totals.draft_kept or 0) / totals.drafted if totals.drafted else None,
        acceptance=1 - (totals.rewritten or 0) / totals.judged if totals.judged else None,
        rewrites=(totals.rewritten or 0) / totals.steps if totals.judged and totals.steps else None,
        flops_decode=None if decode is None else decode / rows,
        flops_total=None if total is None else total / rows,
        seconds_p50=totals.seconds_p50,
        seconds_p95=totals.seconds_p95,
    )
