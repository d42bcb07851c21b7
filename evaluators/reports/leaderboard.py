"""Many runs as one table: terminal, Markdown, CSV or JSON."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePath
from typing import Any

from evaluators.reports.safe_text import csv_cell, markdown_text
from evaluators.run_files.run_names import NoSuchBaseline
from evaluators.statistics.estimators import MAX_WORK
from evaluators.statistics.metrics import TWO_ROLES, Costs, RunMetrics
from evaluators.statistics.track_table import Times
from evaluators.statistics.uncertainty import Interval

HEADINGS = (
    "run",
    "reasoner",
    "model",
    "accuracy (95 %)",
    "label",
    "SE problems / samples",
    "pass@k",
    "maj@k",
    "any",
    "no answer",
    "undecided",
    "truncated",
    "errors",
    "missing",
    "tokens target / draft",
    "drafts kept",
    "steps rewritten",
    "draft tokens kept",
    "GFLOPs decode / total",
    "× decode / total",
    "seconds p50 / p95",
)
TIME_HEADINGS = (
    "run",
    "seconds: mean / median / least / longest",
    "of answered attempts",
    "tokens of the chosen track",
)
RATES = {
    "no answer": "no_answer",
    "undecided": "ungradable",
    "truncated": "truncated",
    "errors": "error",
    "missing": "missing",
}
"""The shares of attempts that did not come to a verdict by themselves, and their fields."""
GUIDED_HEADINGS = ("run", "role or method", "tracks", "correct", "accuracy")
NOTES = (
    "(95 %): interval over the population of problems. SE problems: over that population; "
    "samples: over new samples of the same problems. ±: SE over problems. Errors and missing "
    "attempts count as not correct. Costs: per attempt; ×: against the baseline."
)
UNCOUNTED = (
    f" maj@k: – where k times the attempts per problem is above {MAX_WORK:,}, too many to be "
    "exact; a smaller k, or all attempts, has one."
)
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Relative:
    """A run's costs divided by the baseline's; None where either is unknown or the divisor is 0."""

    tokens: float | None
    flops_decode: float | None
    flops_total: float | None
    seconds_p50: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A run and, where a baseline was chosen, its relative costs."""

    metrics: RunMetrics
    relative: Relative | None


def rows(runs: Sequence[RunMetrics], baseline: str | None = None) -> list[Row]:
    """The rows of a leaderboard, best accuracy first and ties by name.

    Raises:
        NoSuchBaseline: no run has the name `baseline`.
    """
    ordered = sorted(runs, key=lambda metrics: (-metrics.accuracy, metrics.run))
    if baseline is None:
        return [Row(metrics, None) for metrics in ordered]
    base = named(runs, baseline)
    return [Row(metrics, relative_costs(metrics.costs, base.costs)) for metrics in ordered]


def named(runs: Sequence[RunMetrics], baseline: str) -> RunMetrics:
    """The first run with this name.

    Raises:
        NoSuchBaseline: no run has it.
    """
    base = next((metrics for metrics in runs if metrics.run == baseline), None)
    if base is None:
        names = ", ".join(sorted(metrics.run for metrics in runs))
        raise NoSuchBaseline(f"The baseline {baseline!r} is not one of the runs ({names}).")
    return base


def relative_costs(costs: Costs, base: Costs) -> Relative:
    """`costs` divided by `base`; tokens are those of all models together."""
    return Relative(
        tokens=_ratio(_tokens(costs), _tokens(base)),
        flops_decode=_ratio(costs.flops_decode, base.flops_decode),
        flops_total=_ratio(costs.flops_total, base.flops_total),
        seconds_p50=_ratio(costs.seconds_p50, base.seconds_p50),
    )


def cells(row: Row) -> list[str]:
    """One row as text, in the order of `HEADINGS`. Costs are per attempt."""
    metrics, rates, costs = row.metrics, row.metrics.rates, row.metrics.costs
    error = metrics.uncertainty
    return [
        metrics.run,
        metrics.reasoner,
        model_name(metrics.model),
        f"{metrics.accuracy:.1%}" + _interval(error.population),
        f"avg@{metrics.repeats} ({metrics.problems}×{metrics.repeats})",
        f"{_share(error.population_error)} / {_share(error.samples_error)}",
        _estimate(metrics.pass_at_k, metrics.pass_at_k_error, metrics.k),
        _estimate(metrics.maj_at_k, metrics.maj_at_k_error, metrics.k),
        _share(metrics.any_correct),
        _share(rates.no_answer),
        _share(rates.ungradable),
        _share(rates.truncated),
        _share(rates.error),
        _share(rates.missing),
        " / ".join(_tokens_by_role(costs)),
        _share(costs.acceptance),
        _share(costs.rewrites),
        _share(costs.draft_kept),
        f"{_giga(costs.flops_decode)} / {_giga(costs.flops_total)}",
        _times(row.relative),
        f"{_fixed(costs.seconds_p50)} / {_fixed(costs.seconds_p95)}",
    ]


def time_cells(table: Sequence[Row]) -> list[list[str]]:
    """Times and the chosen track's tokens, per attempt, in the order of `TIME_HEADINGS`."""
    return [
        [
            row.metrics.run,
            _four_times(row.metrics.tracks.every),
            _four_times(row.metrics.tracks.answered),
            _whole(row.metrics.tracks.chosen_tokens),
        ]
        for row in table
    ]


def guided_cells(table: Sequence[Row]) -> list[list[str]]:
    """Uses and accuracy by role and by method as text, in the order of `GUIDED_HEADINGS`.

    Empty where no track of a run has one.
    """
    return [
        [row.metrics.run, one.name, str(one.tracks), str(one.correct), _share(one.accuracy)]
        for row in table
        for one in row.metrics.tracks.guided
    ]


def shown_columns(table: Sequence[Row]) -> list[int]:
    """The columns worth their width: those of draft models and baselines only where they say some.

    Rates that are 0 in every row stay: that nothing went wrong is news too.
    """
    idle = set()
    if all(row.metrics.costs.draft_kept is None for row in table):
        idle.add("draft tokens kept")
    if all(row.metrics.costs.acceptance is None for row in table):
        idle |= {"drafts kept", "steps rewritten"}
    if all(row.relative is None for row in table):
        idle.add("× decode / total")
    if all(row.metrics.repeats == 1 for row in table):
        idle |= {"pass@k", "maj@k", "any"}  # all are the accuracy
    return [index for index, heading in enumerate(HEADINGS) if heading not in idle]


def notes(table: Sequence[Row]) -> str:
    """What the columns mean, for the line below the table."""
    counted = all(row.metrics.maj_at_k is not None for row in table)
    return NOTES if counted else NOTES + UNCOUNTED


def absent_rates(table: Sequence[Row]) -> list[str]:
    """The headings of the rates that are 0 for every run, which one sentence can say."""
    return [
        heading
        for heading, field in RATES.items()
        if all(getattr(row.metrics.rates, field) == 0 for row in table)
    ]


def as_markdown(table: Sequence[Row]) -> str:
    """A Markdown table; no name in it is taken for markup or HTML, or breaks it."""
    columns = shown_columns(table)
    lines = [[line[column] for column in columns] for line in (HEADINGS, *map(cells, table))]
    times = _markdown([TIME_HEADINGS, *time_cells(table)])
    guided = guided_cells(table)
    more = ["", *_markdown([GUIDED_HEADINGS, *guided])] if guided else []
    return "\n".join([*_markdown(lines), "", notes(table), "", *times, *more])


def _markdown(lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, the first of them its head."""
    ruled = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return ["| " + " | ".join(map(markdown_text, line)) + " |" for line in ruled]


def as_csv(table: Sequence[Row]) -> str:
    """Every metric unrounded, one line a run; unknown values are empty, no name is a formula."""
    flat = [_with_columns_of_guided(flattened(row)) for row in table]
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in flat)
    return out.getvalue().rstrip("\n")


def as_json(table: Sequence[Row]) -> str:
    """Every metric unrounded, a list of objects."""
    return json.dumps([flattened(row) for row in table], indent=2)


def flattened(row: Row) -> dict[str, Any]:
    """All of a row's numbers by name: intervals as `_low` and `_high`, ratios as `relative_`.

    The tokens of each role are `_tokens` behind its name.
    """
    metrics: dict[str, Any] = asdict(row.metrics)
    uncertain, rates = metrics.pop("uncertainty"), metrics.pop("rates")
    costs, version = metrics.pop("costs"), metrics.pop("grader_version")
    del metrics["tracks"]
    tokens = costs.pop("tokens") or dict.fromkeys(TWO_ROLES)
    tracks = row.metrics.tracks
    times = {
        f"{prefix}seconds_{name}": value
        for prefix, of in (("", tracks.every), ("answered_", tracks.answered))
        for name, value in asdict(of).items()
    }
    guided = [asdict(one) | {"accuracy": one.accuracy} for one in tracks.guided]
    relative: Mapping[str, Any] = asdict(row.relative) if row.relative is not None else {}
    for name in ("population", "samples"):
        low, high = uncertain.pop(name) or (None, None)
        uncertain |= {f"{name}_low": low, f"{name}_high": high}
    ratios = {f"relative_{one.name}": relative.get(one.name) for one in fields(Relative)}
    return {
        **metrics,
        **uncertain,
        **rates,
        **{f"{role}_tokens": made for role, made in tokens.items()},
        **costs,
        **times,
        "chosen_tokens": tracks.chosen_tokens,
        **ratios,
        "grader_version": version,
        "guided": guided,
    }


def _with_columns_of_guided(flat: dict[str, Any]) -> dict[str, Any]:
    """The list of roles and methods as columns: `tracks_NAME` and `accuracy_NAME`."""
    guided = flat.pop("guided")
    return (
        flat
        | {f"tracks_{one['name']}": one["tracks"] for one in guided}
        | {f"accuracy_{one['name']}": one["accuracy"] for one in guided}
    )


def model_name(model: str) -> str:
    """A model's name on the hub as it is, a folder by its last part."""
    return PurePath(model).name if PurePath(model).is_absolute() else model


def _tokens(costs: Costs) -> float | None:
    return None if costs.tokens is None else sum(costs.tokens.values())


def _tokens_by_role(costs: Costs) -> list[str]:
    """The target's and the draft's, as the heading says, and those of further roles by name."""
    others = {role: made for role, made in (costs.tokens or {}).items() if role not in TWO_ROLES}
    return [
        _whole(costs.target_tokens),
        _whole(costs.draft_tokens),
        *(f"{role} {_whole(made)}" for role, made in others.items()),
    ]


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _interval(interval: Interval | None) -> str:
    return f" ({interval.low:.1%} to {interval.high:.1%})" if interval is not None else ""


def _estimate(share: float | None, error: float | None, k: int) -> str:
    return f"{share:.1%} ± {_share(error)} (k={k})" if share is not None else f"– (k={k})"


def _share(share: float | None) -> str:
    return f"{share:.1%}" if share is not None else "–"


def _whole(count: float | None) -> str:
    return f"{count:,.0f}" if count is not None else "–"


def _giga(flops: float | None) -> str:
    return f"{flops / GIGA:,.2f}" if flops is not None else "–"


def _times(relative: Relative | None) -> str:
    if relative is None:
        return "–"
    return f"{_fixed(relative.flops_decode)} / {_fixed(relative.flops_total)}"


def _four_times(times: Times) -> str:
    return " / ".join(map(_fixed, (times.mean, times.p50, times.least, times.longest)))


def _fixed(value: float | None) -> str:
    return f"{value:.2f}" if value is not None else "–"
