"""Many runs as one table: terminal, Markdown, CSV or JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from evaluators.metrics import RunMetrics

HEADINGS = (
    "run",
    "reasoner",
    "model",
    "accuracy ± SE",
    "label",
    "no answer",
    "truncated",
    "errors",
    "missing",
    "tokens target / draft",
    "drafts kept",
    "steps rewritten",
    "GFLOPs decode / total",
    "seconds p50 / p95",
)
GIGA = 1e9


def ranked(runs: Sequence[RunMetrics]) -> list[RunMetrics]:
    """Best accuracy first; ties by name."""
    return sorted(runs, key=lambda metrics: (-metrics.accuracy, metrics.run))


def cells(metrics: RunMetrics) -> list[str]:
    """One row as text, in the order of `HEADINGS`. Costs are per attempt."""
    error = metrics.standard_error
    return [
        metrics.run,
        metrics.reasoner,
        metrics.model,
        f"{metrics.accuracy:.1%}" + (f" ± {error:.1%}" if error is not None else ""),
        f"avg@{metrics.repeats} ({metrics.problems}×{metrics.repeats})",
        f"{metrics.no_answer + metrics.ungradable:.1%}",
        f"{metrics.truncated:.1%}",
        f"{metrics.error:.1%}",
        f"{metrics.missing:.1%}",
        f"{metrics.target_tokens:,.0f} / {metrics.draft_tokens:,.0f}",
        _percent(metrics.acceptance),
        _percent(metrics.rewrites),
        f"{_giga(metrics.flops_decode)} / {_giga(metrics.flops_total)}",
        f"{_seconds(metrics.seconds_p50)} / {_seconds(metrics.seconds_p95)}",
    ]


def as_markdown(runs: Sequence[RunMetrics]) -> str:
    """A Markdown table; a bar in a name cannot break it."""
    rows = [list(HEADINGS), ["---"] * len(HEADINGS), *(cells(run) for run in ranked(runs))]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    )


def as_csv(runs: Sequence[RunMetrics]) -> str:
    """Every metric unrounded, one line a run."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(RunMetrics.__dataclass_fields__))
    writer.writeheader()
    writer.writerows(asdict(run) for run in ranked(runs))
    return out.getvalue().rstrip("\n")


def as_json(runs: Sequence[RunMetrics]) -> str:
    """Every metric unrounded, a list of objects."""
    return json.dumps([asdict(run) for run in ranked(runs)], indent=2)


def _percent(share: float | None) -> str:
    return f"{share:.1%}" if share is not None else "–"


def _giga(flops: float | None) -> str:
    return f"{flops / GIGA:,.2f}" if flops is not None else "–"


def _seconds(seconds: float | None) -> str:
    return f"{seconds:.2f}" if seconds is not None else "–"
