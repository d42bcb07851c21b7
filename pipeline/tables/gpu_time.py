"""How long engines worked for each attempt: time is divided among all that are in flight."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)
Span = tuple[float, float]


def shared_seconds(spans: Mapping[Name, Span]) -> dict[Name, float]:
    """Seconds for each name: at every moment time is divided among all that are in flight.

    Their sum is the time in which any was in flight.
    """
    changes = sorted(
        (moment, step, number)
        for number, span in enumerate(spans.values())
        for moment, step in zip(span, (1, -1), strict=True)
    )
    # What one that had been in flight all the time would have got.
    of_each = before = 0.0
    in_flight = 0
    seconds = [0.0] * len(spans)
    for moment, step, number in changes:
        if in_flight:
            of_each += (moment - before) / in_flight
        before = moment
        in_flight += step
        seconds[number] -= step * of_each
    return dict(zip(spans, seconds, strict=True))
