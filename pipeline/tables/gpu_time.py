"""How long engines worked for each attempt: time is divided among all that are in flight."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pipeline.runs.directory import Key, read_attempts

Name = TypeVar("Name", bound=Hashable)
Span = tuple[float, float]


def attempt_spans(run: Path) -> dict[Key, Span]:
    """When each attempt of a run began and ended, in seconds; a beginning is known to the second.

    Raises:
        UserMistake: an attempt of it cannot be read.
    """
    spans = {}
    for attempt in read_attempts(run):
        if attempt.started is not None and attempt.seconds is not None:
            began = datetime.fromisoformat(attempt.started).timestamp()
            spans[attempt.key] = (began, began + attempt.seconds)
    return spans


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
