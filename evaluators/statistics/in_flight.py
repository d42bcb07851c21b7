"""The time in which any attempt was in flight: what several attempts share counts once."""

from collections.abc import Iterable
from datetime import datetime

Span = tuple[float, float]


def attempt_span(started: str | None, seconds: float | None) -> Span | None:
    """When an attempt began and ended, in seconds since 1970; None where it does not say."""
    began = instant(started)
    return None if began is None or seconds is None else (began, began + seconds)


def covered(spans: Iterable[Span]) -> float:
    """The length of a union of spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def instant(written: str | None) -> float | None:
    """Seconds since 1970 of a time as records have it; None for what is none."""
    try:
        return None if written is None else datetime.fromisoformat(written).timestamp()
    except ValueError:
        return None
