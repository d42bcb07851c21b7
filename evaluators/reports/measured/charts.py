"""A measurement drawn: speed against accuracy or agreement, and how latencies are distributed.

Plain boxes in percent of their place, so that a chart fits any screen and needs no script.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.reports.measured.figures import number, percent
from evaluators.reports.measured.report_file import Entry, Report
from evaluators.reports.parts import text

QUANTILES = 21
"""0, 5, 10, … 100 %, as a report has them."""
LOW, QUARTER, MIDDLE, THREE_QUARTERS, HIGH = 1, 5, 10, 15, 19
STEPS = (1, 2, 5)
MOST_TICKS = 6
ROOM, INNER = 1.08, 0.92
"""Across and up, so that no point lies on the edge."""


@dataclass(frozen=True, slots=True)
class _Point:
    number: int
    name: str
    x: float
    x_interval: tuple[float, float] | None
    y: float
    y_interval: tuple[float, float] | None
    says: str


def charts(report: Report) -> str:
    """Both charts as sections of a page; one that has nothing to draw is left out."""
    return "\n".join(one for one in (_scatter(report), _latencies(report)) if one)


def _scatter(report: Report) -> str:
    graded = any(one.accuracy for one in report.measured)
    what = "accuracy" if graded else "agreement"
    points = [
        point
        for place, one in enumerate(report.measured, 1)
        if (point := _point(place, one, report, graded=graded)) is not None
    ]
    if not points:
        return ""
    most = ROOM * max(one.x for one in points)
    ticks = "".join(
        f'<i class="tick" style="left:{_share(tick, most)}"><span>{number(tick)}</span></i>'
        for tick in _even_ticks(most)
    )
    levels = "".join(
        f'<i class="level" style="bottom:{_height(level / 100)}"><span>{level}</span></i>'
        for level in range(0, 101, 25)
    )
    drawn = "".join(_marks(one, most) for one in points)
    legend = "".join(
        f"<li><b>{one.number}</b> {text(one.name)}: {text(one.says)}</li>" for one in points
    )
    whole = "of answers that are right" if graded else "of completions with standard's tokens"
    return (
        f'<section aria-labelledby="h-speed"><h2 id="h-speed">Speed and {what}</h2>\n'
        f'<div class="plot" role="img" aria-label="Speed against {what}; the list below has every '
        f'figure">{levels}{ticks}{drawn}</div>\n'
        f'<p class="note">Across: tokens/s. Up: % {whole}. Lines are 95 % intervals, cut at the '
        f'edge.</p>\n<ol class="numbered">{legend}</ol></section>'
    )


def _point(place: int, one: Entry, report: Report, *, graded: bool) -> _Point | None:
    speed = one.tokens_per_second
    if speed is None:
        return None
    if graded:
        known = one.accuracy
        share, interval = (known.mean, known.interval) if known is not None else (None, None)
    else:
        share, interval = (one.agreement.share if one.agreement else None), None
        # The others are compared with its tokens.
        if one.decoder == report.reference and any(each.agreement for each in report.measured):
            share = 1.0
    if share is None:
        return None
    says = f"{number(speed.mean)} tokens/s, {percent(share)} %"
    return _Point(place, one.decoder, speed.mean, speed.interval, share, interval, says)


def _marks(one: _Point, most: float) -> str:
    left, bottom = _share(one.x, most), _height(one.y)
    drawn = ""
    if one.x_interval is not None:
        low, high = (min(max(end, 0.0), most) for end in one.x_interval)
        width = _share(high - low, most)
        drawn += (
            f'<i class="span" style="left:{_share(low, most)};bottom:{bottom};width:{width}"></i>'
        )
    if one.y_interval is not None:
        low, high = one.y_interval
        drawn += (
            f'<i class="span up" style="left:{left};bottom:{_height(low)};'
            f'height:{_share((high - low) * INNER, 1)}"></i>'
        )
    return drawn + (
        f'<b class="dot" style="left:{left};bottom:{bottom}" title="{text(one.name)}">'
        f"{one.number}</b>"
    )


def _latencies(report: Report) -> str:
    drawn = [
        one
        for one in report.measured
        if len(one.latency_quantiles) == QUANTILES and min(one.latency_quantiles) > 0
    ]
    if not drawn:
        return ""
    low = min(one.latency_quantiles[LOW] for one in drawn) / ROOM
    high = max(one.latency_quantiles[HIGH] for one in drawn) * ROOM
    ticks = [
        f'<i class="tick" style="left:{_place(tick, low, high)}"><span>{tick:g}</span></i>'
        for tick in _log_ticks(low, high)
    ]
    rows = "".join(_box(one, low, high) for one in drawn)
    return (
        '<section aria-labelledby="h-latency"><h2 id="h-latency">Latencies</h2>\n'
        f'<div class="boxes">{rows}<span></span><div class="axis">{"".join(ticks)}</div></div>\n'
        '<p class="note">Seconds from a completion\'s call to its last token, over all completions '
        "of all passes, on a logarithmic scale. The box has the middle half of them, the line in "
        "it the median, and the thin line goes from 5 % to 95 %.</p></section>"
    )


def _box(one: Entry, low: float, high: float) -> str:
    cuts = [one.latency_quantiles[n] for n in (LOW, QUARTER, MIDDLE, THREE_QUARTERS, HIGH)]
    said = ", ".join(number(cut) for cut in cuts)
    ends = [_log_share(cut, low, high) for cut in cuts]
    return (
        f'<span class="name">{text(one.decoder)}</span>'
        f'<div class="lane" role="img" aria-label="{text(one.decoder)}: 5, 25, 50, 75 and 95 % of '
        f'{said} seconds" title="{said} s">'
        f'<i class="thin" style="left:{ends[0]:.2f}%;width:{ends[4] - ends[0]:.2f}%"></i>'
        f'<i class="box" style="left:{ends[1]:.2f}%;width:{ends[3] - ends[1]:.2f}%"></i>'
        f'<i class="median" style="left:{ends[2]:.2f}%"></i></div>'
    )


def _share(value: float, whole: float) -> str:
    return f"{100 * value / whole:.2f}%" if whole > 0 else "0%"


def _height(share: float) -> str:
    return _share((1 - INNER) / 2 + share * INNER, 1)


def _log_share(value: float, low: float, high: float) -> float:
    share = 100 * math.log(value / low) / math.log(high / low)
    return min(100.0, max(0.0, share))


def _place(value: float, low: float, high: float) -> str:
    return f"{_log_share(value, low, high):.2f}%"


def _even_ticks(most: float) -> Sequence[float]:
    """Round numbers from 0 to `most`."""
    if not 0 < most < math.inf:
        return []
    rough = most / MOST_TICKS
    size = 10 ** math.floor(math.log10(rough))
    step = next(each * size for each in (*STEPS, 10) if each * size >= rough)
    return [step * n for n in range(int(most / step) + 1)]


def _log_ticks(low: float, high: float) -> Sequence[float]:
    """Round numbers between the two, a few of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [step * 10.0**power for power in range(first, last + 1) for step in STEPS]
    within = [one for one in every if low <= one <= high]
    return within[:: math.ceil(len(within) / MOST_TICKS) or 1]
