"""Many runs as the rows of one table, with all their numbers as CSV or JSON."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from evaluators.reports.safe_text import csv_cell
from evaluators.run_files.run_names import NoSuchBaseline
from evaluators.statistics.groups import KINDS, GroupAccuracy
from evaluators.statistics.metrics import TWO_ROLES, Costs, RunMetrics


@dataclass(frozen=True, slots=True)
class Relative:
    """A run's costs divided by the baseline's; None where either is unknown or the divisor is 0."""

    tokens: float | None
    flops_decode: float | None
    flops_total: float | None
    seconds_p50: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A run, its costs relative to a chosen baseline's, and its accuracies by kind of group."""

    metrics: RunMetrics
    relative: Relative | None
    groups: Mapping[str, tuple[GroupAccuracy, ...]] = field(default_factory=dict)


def rows(
    runs: Sequence[RunMetrics],
    baseline: str | None = None,
    groups: Mapping[str, Mapping[str, tuple[GroupAccuracy, ...]]] | None = None,
) -> list[Row]:
    """The rows of a leaderboard, best accuracy first and ties by name.

    `groups` has the accuracies by kind of the runs that were asked for them, by name.

    Raises:
        NoSuchBaseline: no run has the name `baseline`.
    """
    ordered = sorted(runs, key=lambda metrics: (-metrics.accuracy, metrics.run))
    base = None if baseline is None else named(runs, baseline)
    return [
        Row(
            metrics,
            None if base is None else relative_costs(metrics.costs, base.costs),
            (groups or {}).get(metrics.run, {}),
        )
        for metrics in ordered
    ]


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
        tokens=_ratio(all_tokens(costs), all_tokens(base)),
        flops_decode=_ratio(costs.flops_decode, base.flops_decode),
        flops_total=_ratio(costs.flops_total, base.flops_total),
        seconds_p50=_ratio(costs.seconds_p50, base.seconds_p50),
    )


def as_csv(table: Sequence[Row]) -> str:
    """Every metric unrounded, one line a run; unknown values are empty, no name is a formula."""
    flat = [_with_columns_of_lists(flattened(row)) for row in table]
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

    A model beside the target is `_model` behind the name of its role. The tokens of each role are
    `_tokens` behind its name, its passes `_forwards` and the tokens of text that one of them gave
    `_tokens_a_forward`.
    """
    metrics: dict[str, Any] = asdict(row.metrics)
    uncertain, rates = metrics.pop("uncertainty"), metrics.pop("rates")
    costs, version = metrics.pop("costs"), metrics.pop("grader_version")
    del metrics["tracks"]
    named = {"draft": None} | metrics.pop("models")
    del named["target"]
    tokens = costs.pop("tokens") or dict.fromkeys(TWO_ROLES)
    passes = {
        f"{role}_{what}": of.get(role)
        for what, of in ((name, costs.pop(name)) for name in ("forwards", "tokens_a_forward"))
        for role in tokens
    }
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
        **{f"{role}_model": name for role, name in named.items()},
        **{f"{role}_tokens": made for role, made in tokens.items()},
        **passes,
        **costs,
        **times,
        "chosen_tokens": tracks.chosen_tokens,
        **ratios,
        "grader_version": version,
        "guided": guided,
        **{f"by_{kind}": [_group(one) for one in made] for kind, made in row.groups.items()},
    }


def _group(one: GroupAccuracy) -> dict[str, Any]:
    """A group's numbers by name; its interval as the whole accuracy's."""
    low, high = one.uncertainty.population or (None, None)
    return {
        "name": one.name,
        "problems": one.problems,
        "accuracy": one.accuracy,
        "population_error": one.uncertainty.population_error,
        "population_low": low,
        "population_high": high,
    }


def _with_columns_of_lists(flat: dict[str, Any]) -> dict[str, Any]:
    """The lists as columns: of roles and methods `tracks_NAME` and `accuracy_NAME`, of groups
    `level_NAME_accuracy` and so on.
    """
    guided = flat.pop("guided")
    grouped = {kind: flat.pop(f"by_{kind}", []) for kind in KINDS}
    return (
        flat
        | {f"tracks_{one['name']}": one["tracks"] for one in guided}
        | {f"accuracy_{one['name']}": one["accuracy"] for one in guided}
        | {
            f"{kind}_{one['name']}_{figure}": one[figure]
            for kind, made in grouped.items()
            for one in made
            for figure in one
            if figure != "name"
        }
    )


def all_tokens(costs: Costs) -> float | None:
    """The generated tokens of all models together."""
    return None if costs.tokens is None else sum(costs.tokens.values())


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
