"""Metrics: figures of a pass beside those of speed and memory, ours and those of plug-ins."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators.statistics.uncertainty import mean_interval
from pipeline.errors import Misdeclared
from pipeline.measuring.clock import CallTimes
from pipeline.registry import Registry


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure: `of` the calls of a pass, None where they do not tell. `means` is its formula."""

    name: str
    means: str
    of: Callable[[Sequence[CallTimes]], float | None]

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no metric."""
        if not callable(self.of):
            raise Misdeclared("what computes it is no function")


def computed_per_token(calls: Sequence[CallTimes]) -> float | None:
    """Tokens that went through the model, prompts apart, for each that was kept."""
    works = [call.target_work for call in calls]
    tokens = sum(sum(call.tokens) for call in calls)
    if None in works or not tokens:
        return None
    return sum(work.tokens for work in works if work is not None) / tokens


METRICS = Registry(
    "metrics",
    Metric,
    {
        "computed-per-token": Metric(
            "computed-per-token",
            "tokens that went through the model, without prompts / tokens that were kept",
            computed_per_token,
        ),
    },
)


def figures(passes: Sequence[Sequence[CallTimes]]) -> dict[str, dict[str, Any]]:
    """Every metric of some passes, as the report has it; without those that are not known.

    Raises:
        UserMistake: a plug-in's metric fails, or gives no number.
    """
    found = {}
    for name in METRICS:
        metric = METRICS[name]
        with METRICS.blamed(name):
            values = [metric.of(calls) for calls in passes]
            known = [float(value) for value in values if value is not None]
            if not all(map(math.isfinite, known)):
                raise Misdeclared(f"it gives {known}")
        if not known or len(known) < len(values):
            continue
        interval = mean_interval(known)
        found[name] = {
            "means": metric.means,
            "mean": statistics.fmean(known),
            "interval": None if interval is None else list(interval),
            "passes": known,
        }
    return found
