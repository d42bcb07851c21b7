"""A measurement's report for programs: CSV with a line a decoder, and JSON with everything."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evaluators.reports.measured.earlier import Earlier
from evaluators.reports.measured.report_file import Entry, Report
from evaluators.reports.safe_text import csv_cell


def as_json(report: Report, earlier: Earlier | None = None) -> str:
    """Every number unrounded; `against` is the comparison with an earlier report."""
    against = {} if earlier is None else {"against": asdict(earlier)}
    return json.dumps(asdict(report) | against, indent=2)


def as_csv(report: Report, earlier: Earlier | None = None) -> str:
    """Every number unrounded, a line a decoder; unknown is empty, no text is a formula."""
    rows = [_flat(one) | _changes(one.decoder, earlier) for one in report.decoders]
    rows += [
        {"decoder": one.asked, "status": "unsupported", "reason": one.reason}
        for one in report.plan
        if one.measured is None
    ]
    names = dict.fromkeys(name for row in rows for name in row) or {"decoder": None}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue().rstrip("\n")


def _flat(one: Entry) -> dict[str, Any]:
    """A decoder's numbers by name; ends of intervals are `_low` and `_high`."""
    against, pooled = one.against_reference, one.pooled
    parts: Sequence[tuple[str, Any]] = [
        ("seconds", one.seconds),
        ("tokens_per_second", one.tokens_per_second),
        ("latency", one.latency),
        ("seconds_difference", against and against.seconds_difference),
        ("latency_difference", against and against.latency_difference),
        ("latency_ratio", against and against.latency_ratio),
        ("accuracy", one.accuracy),
        ("accuracy_difference", one.difference),
    ]
    flat: dict[str, Any] = {
        "decoder": one.decoder,
        "status": one.status,
        "reason": f"{one.error.type}: {one.error.message}" if one.error else None,
        "passes": one.passes,
        "tokens": one.tokens,
    }
    for name, part in parts:
        flat |= _ends(name, part)
    flat |= {"p": one.difference.p, "holm_p": one.difference.adjusted_p} if one.difference else {}
    flat |= {
        "loading": one.loading,
        "first_call": one.first_call,
        "warm_up": sum(one.warm_up) if one.warm_up else None,
    }
    for name in ("inter_token", "latency"):
        found = getattr(pooled, name)
        flat |= {f"{name}_{key}": value for key, value in (asdict(found) if found else {}).items()}
    flat["pooled_tokens"] = pooled.tokens
    for name in ("first_token", "seconds_per_token", "target_forwards", "assistant_forwards"):
        flat[name] = getattr(pooled, name)
    flat |= {
        "tokens_per_target_forward": pooled.tokens_per_target_forward,
        "acceptance": pooled.acceptance,
    }
    flat |= {f"memory_{name}": value for name, value in _memory(one).items()}
    if one.agreement is not None:
        flat |= {"completions": one.agreement.completions, "equal": one.agreement.equal}
    flat |= asdict(one.costs) if one.costs else {}
    for name, metric in one.metrics.items():
        flat |= _ends(f"metric_{name}", metric)
    return flat | {f"effective_{name}": _text(value) for name, value in one.effective.items()}


def _memory(one: Entry) -> Mapping[str, int | None]:
    known = asdict(one.memory) if one.memory else {}
    known.pop("peaks", None)
    return known


def _ends(name: str, part: Any) -> dict[str, float | None]:
    mean = getattr(part, "ratio", None) if hasattr(part, "ratio") else getattr(part, "mean", None)
    low, high = getattr(part, "interval", None) or (None, None)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _text(value: object) -> object:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _changes(decoder: str, earlier: Earlier | None) -> dict[str, Any]:
    if earlier is None:
        return {}
    flat: dict[str, Any] = {}
    for one in earlier.changes:
        if one.decoder == decoder:
            low, high = one.interval or (None, None)
            name = f"change_{one.what}"
            flat |= {name: one.change, f"{name}_low": low, f"{name}_high": high}
            flat[f"{name}_verdict"] = one.verdict
    return flat
