"""A measurement's figures as texts: few digits, the interval beside the mean, a dash for none."""

from collections.abc import Sequence

from evaluators.reports.measured.report_file import Entry, Spread

UNKNOWN = "–"
MEGABYTE = 1e6
GIGA = 1e9


def number(value: float | None) -> str:
    """Three significant digits, or all before the point; a count is whole."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    for least, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if size >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.4f}" if value else "0"


def signed(value: float) -> str:
    """The same, with its sign."""
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"


def spread(one: Spread | None) -> str:
    """A mean of what is never below 0, and its interval."""
    if one is None:
        return UNKNOWN
    if one.interval is None:
        return number(one.mean)
    low, high = (max(0.0, end) for end in one.interval)
    return f"{number(one.mean)} [{number(low)}, {number(high)}]"


def change(one: Spread | None) -> str:
    """A mean difference and its interval."""
    if one is None:
        return UNKNOWN
    if one.interval is None:
        return signed(one.mean)
    return f"{signed(one.mean)} [{', '.join(map(signed, one.interval))}]"


def each(values: Sequence[float | None]) -> str:
    """Several figures in one cell; one dash where none is known."""
    texts = [number(one) for one in values]
    return UNKNOWN if set(texts) <= {UNKNOWN} else " / ".join(texts)


def megabytes(count: float | None) -> str:
    """Bytes in millions."""
    return UNKNOWN if count is None else number(count / MEGABYTE)


def percent(share: float | None, interval: tuple[float, float] | None = None) -> str:
    """A share of 1 in percent, and its interval."""
    if share is None:
        return UNKNOWN
    ends = "" if interval is None else f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
    return f"{100 * share:.1f}{ends}"


def equal(one: Entry) -> str:
    """Of how many completions how many have the tokens of `standard`."""
    if one.agreement is None:
        return UNKNOWN
    return f"{one.agreement.equal} of {one.agreement.completions}"
