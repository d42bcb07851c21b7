"""Figures of speed, each by one formula, from the times of one call or several."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.measuring.clock import CallTimes


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The median and two high percentiles, interpolated between the values beside them."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed over some calls. None where a call does not know, or nothing is there to divide by.

    - `seconds`: Σ seconds of the calls; `tokens`: Σ new tokens, each text's end counted once.
    - `tokens_per_second` = tokens / seconds: what the device gives, of all sequences together.
    - `first_token` = mean over sequences of the time of their first token, from their call's start.
      In a beam search that is the first step, whose choice may change.
    - `inter_token`: percentiles of the pauses between successive commits of a sequence, pooled over
      all sequences. The tokens of one window come together, and count as one commit.
    - `latency`: percentiles over sequences of the time from their call's start to their completion.
    - `seconds_per_token` = mean over sequences of two tokens and more of
      (time of the last - time of the first) / (tokens - 1): its own pace without its prompt.
    - `tokens_per_target_forward` = tokens / Σ forwards of the target, so about the rows of a batch
      where nothing is guessed.
    - `acceptance` = Σ accepted / Σ proposed guesses.
    """

    seconds: float
    tokens: int
    tokens_per_second: float | None
    first_token: float | None
    inter_token: Percentiles | None
    latency: Percentiles | None
    seconds_per_token: float | None
    target_forwards: int | None
    assistant_forwards: int | None
    tokens_per_target_forward: float | None
    acceptance: float | None


def speed_of(calls: Sequence[CallTimes]) -> Speed:
    """The figures of some calls together."""
    seconds = sum(call.seconds for call in calls)
    tokens = sum(sum(call.tokens) for call in calls)
    rows = _rows(calls)
    target = _total(call.target_forwards for call in calls)
    return Speed(
        seconds=seconds,
        tokens=tokens,
        tokens_per_second=_ratio(tokens, seconds),
        first_token=_mean([row[0] for row in rows]),
        inter_token=_percentiles([pause for row in rows for pause in _pauses(row)]),
        latency=_percentiles(_latencies(calls)),
        seconds_per_token=_mean([(r[-1] - r[0]) / (len(r) - 1) for r in rows if len(r) > 1]),
        target_forwards=target,
        assistant_forwards=_total(call.assistant_forwards for call in calls),
        tokens_per_target_forward=_ratio(tokens, target),
        acceptance=_ratio(
            _total(call.accepted for call in calls), _total(call.proposed for call in calls)
        ),
    )


def _rows(calls: Sequence[CallTimes]) -> list[tuple[float, ...]]:
    """The token times of all sequences that have a token; none where a call does not know them."""
    if any(call.token_times is None for call in calls):
        return []
    return [row for call in calls for row in call.token_times or () if row]


def _pauses(row: tuple[float, ...]) -> Iterable[float]:
    commits = sorted(set(row))
    return (after - before for before, after in pairwise(commits))


def _latencies(calls: Sequence[CallTimes]) -> list[float]:
    if any(call.latencies is None for call in calls):
        return []
    return [latency for call in calls for latency in call.latencies or ()]


def _total(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known or not known else sum(one for one in known if one is not None)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percentiles(values: Sequence[float]) -> Percentiles | None:
    if not values:
        return None
    p50, p90, p99 = (float(one) for one in np.quantile(values, [0.5, 0.9, 0.99]))
    return Percentiles(p50, p90, p99)
