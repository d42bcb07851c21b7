"""A report against an earlier one: what got slower, bigger or less right, beyond its interval."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evaluators.reports.measured.figures import UNKNOWN, equal, megabytes, number, percent
from evaluators.reports.measured.report_file import RUNS, Entry, Report
from evaluators.reports.parts import Part
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.comparison import NotComparable, compare_runs
from evaluators.statistics.cost_ratios import FEWEST_PROBLEMS, cost_ratio
from evaluators.statistics.metrics import graded_run
from evaluators.statistics.uncertainty import mean_interval

FEWEST_PASSES = 3
"""Of two the interval is so wide that nothing would ever be found."""
What = Literal["time", "memory", "accuracy", "agreement", "measured"]
WORSE: Mapping[What, str] = {
    "time": "slower",
    "memory": "bigger",
    "accuracy": "less accurate",
    "agreement": "less in agreement with standard",
    "measured": "no longer measured",
}
BETTER: Mapping[What, str] = {
    "time": "faster",
    "memory": "smaller",
    "accuracy": "more accurate",
    "agreement": "more in agreement with standard",
}
UNCHANGED = "no difference shown"
NOTES = """\
time = seconds per token, peak = bytes, accuracy in points; [ ] = 95 % interval of the change.
Changes are paired: time and peak by repeat, or time by prompt; accuracy by problem.
{margin}"""


@dataclass(frozen=True, slots=True)
class Change:
    """How a decoder's figure differs from the earlier one.

    `change` and `interval` are shares of the earlier figure, of an accuracy differences of shares;
    None where nothing is paired, which `verdict` then says. `is_worse`: beyond interval and margin.
    """

    decoder: str
    what: What
    before: str
    now: str
    change: float | None
    interval: tuple[float, float] | None
    verdict: str
    is_worse: bool = False
    is_judged: bool = True


@dataclass(frozen=True, slots=True)
class Earlier:
    """A report compared with an earlier one.

    `settings` and `machine` say in a line each what differs between the two measurements;
    `margin` is a share of 1 by which something may get worse.
    """

    name: str
    margin: float
    settings: tuple[str, ...]
    machine: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def regressions(self) -> list[str]:
        """A sentence for each change to the worse."""
        return [_sentence(one, self) for one in self.changes if one.is_worse]

    @property
    def judged(self) -> bool:
        """Whether anything could be judged."""
        return any(one.is_judged for one in self.changes)


def against(
    report: Report, folder: Path, earlier: Report, place: Path, *, margin: float = 0.0
) -> Earlier:
    """Compare a report with an earlier one; the runs of both, where there are, lie beside them."""
    changes = []
    for before in earlier.decoders:
        if before.seconds is None:
            continue
        now = report.entry(before.decoder)
        if now is None or now.seconds is None:
            changes += _gone(before, report)
            continue
        changes += [
            _time(before, now, margin),
            *_memory(before, now, margin),
            *_agreement(before, now),
            *_accuracy(before, now, (place, folder), margin),
        ]
    return Earlier(
        name=str(place),
        margin=margin,
        settings=tuple(_differing(earlier.settings, report.settings)),
        machine=tuple(
            line
            for name in ("hardware", "versions")
            for line in _differing(getattr(earlier, name), getattr(report, name))
        ),
        changes=tuple(changes),
    )


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if not before or not now:
        return
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"{name}: {_short(before.get(name))} then, {_short(now.get(name))} now"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - a part of a line


def _gone(before: Entry, report: Report) -> list[Change]:
    """A decoder that was measured and is not: worse where it was asked for."""
    plan = next((one for one in report.plan if one.asked == before.decoder), None)
    if plan is None:
        return []
    entry = report.entry(before.decoder)
    why = plan.reason or "it is missing"
    if entry is not None and entry.error is not None:
        why = f"{entry.error.type}: {entry.error.message}"
    return [Change(before.decoder, "measured", "yes", "no", None, None, f"no longer: {why}", True)]


def _time(before: Entry, now: Entry, margin: float) -> Change:
    shown = [
        f"{number(None if one.tokens_per_second is None else one.tokens_per_second.mean)} tokens/s"
        for one in (before, now)
    ]
    change, interval = _relative(*(_per_token(one) for one in (before, now)))
    if interval is None:
        shared = [one for one in before.latency_by_prompt if one in now.latency_by_prompt]
        ratio = cost_ratio(
            [before.latency_by_prompt[one] for one in shared],
            [now.latency_by_prompt[one] for one in shared],
        )
        if ratio is not None:
            change = ratio.ratio - 1
            interval = (ratio.interval.low - 1, ratio.interval.high - 1)
    return _judged(now.decoder, "time", shown, change, interval, margin)


def _per_token(one: Entry) -> Sequence[float]:
    speeds = () if one.tokens_per_second is None else one.tokens_per_second.passes
    return [1 / speed for speed in speeds if speed > 0]


def _relative(
    before: Sequence[float], now: Sequence[float]
) -> tuple[float | None, tuple[float, float] | None]:
    """The mean change of passes of the same repeat, as a share of the earlier mean."""
    pairs = list(zip(before, now, strict=False))
    base = statistics.fmean(one for one, _ in pairs) if pairs else 0.0
    if base <= 0:
        return None, None
    changes = [(after - one) / base for one, after in pairs]
    interval = mean_interval(changes) if len(changes) >= FEWEST_PASSES else None
    return statistics.fmean(changes), None if interval is None else (interval.low, interval.high)


def _memory(before: Entry, now: Entry, margin: float) -> list[Change]:
    if before.memory is None and now.memory is None:
        return []
    peaks = [() if one.memory is None else one.memory.peaks for one in (before, now)]
    shown = [
        f"{megabytes(None if one.memory is None else one.memory.peak)} MB" for one in (before, now)
    ]
    change, interval = _relative(peaks[0], peaks[1])
    return [_judged(now.decoder, "memory", shown, change, interval, margin)]


def _agreement(before: Entry, now: Entry) -> list[Change]:
    """Exact counts: no interval, and no margin."""
    if before.agreement is None or now.agreement is None:
        return []
    shares = before.agreement.share, now.agreement.share
    if shares[0] is None or shares[1] is None:
        return []
    change = shares[1] - shares[0]
    verdict = WORSE["agreement"] if change < 0 else BETTER["agreement"] if change else "the same"
    return [
        Change(
            now.decoder, "agreement", equal(before), equal(now), change, None, verdict, change < 0
        )
    ]


def _accuracy(before: Entry, now: Entry, folders: tuple[Path, Path], margin: float) -> list[Change]:
    if before.accuracy is None or now.accuracy is None:
        return []
    shown = (f"{percent(before.accuracy.mean)} %", f"{percent(now.accuracy.mean)} %")
    runs = [folder / RUNS / now.decoder for folder in folders]
    try:
        [found] = compare_runs([graded_run(run) for run in runs])
    except (NotGraded, NotComparable) as error:
        why = f"not judged: {error}"
        return [Change(now.decoder, "accuracy", *shown, None, None, why, is_judged=False)]
    return [
        _judged(
            now.decoder,
            "accuracy",
            shown,
            found.difference,
            (found.interval.low, found.interval.high),
            margin,
            more_is_worse=False,
        )
    ]


def _judged(  # noqa: PLR0917 - what a change is made of
    decoder: str,
    what: What,
    shown: Sequence[str],
    change: float | None,
    interval: tuple[float, float] | None,
    margin: float,
    *,
    more_is_worse: bool = True,
) -> Change:
    """Worse where the whole interval lies beyond the margin, better where it lies below 0."""
    before, now = shown
    if interval is None:
        prompts = f", or {FEWEST_PROBLEMS} common prompts" if what == "time" else ""
        why = f"not judged: that takes {FEWEST_PASSES} passes of each{prompts}"
        return Change(decoder, what, before, now, change, None, why, is_judged=False)
    low, high = interval if more_is_worse else (-interval[1], -interval[0])
    worse = low > margin
    verdict = WORSE[what] if worse else BETTER[what] if high < 0 else UNCHANGED
    if low > 0 and not worse:
        verdict = f"{WORSE[what]}, within the margin"
    return Change(decoder, what, before, now, change, interval, verdict, worse)


def _sentence(one: Change, earlier: Earlier) -> str:
    if one.what == "measured":
        return f"{one.decoder} was measured in {earlier.name}, and is {one.verdict}."
    change = ""
    if one.change is not None and one.interval is not None:
        unit = " points" if one.what == "accuracy" else " %"
        ends = ", ".join(map(_percent, one.interval))
        change = f" ({_percent(one.change)}{unit} [{ends}], over {100 * earlier.margin:g})"
    return (
        f"{one.decoder} is {WORSE[one.what]} than in {earlier.name}: "
        f"{one.now}, and it was {one.before}{change}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}"


def part(earlier: Earlier) -> Part:
    """The comparison as a table."""
    lines = []
    for one in earlier.changes:
        change = UNKNOWN if one.change is None else _percent(one.change)
        if one.interval is not None:
            change += f" [{', '.join(map(_percent, one.interval))}]"
        lines.append((one.decoder, one.what, one.before, one.now, change, one.verdict))
    margin = f"Worse: the whole interval lies beyond {100 * earlier.margin:g} %, or points."
    told = [f"Settings differ: {line}" for line in earlier.settings]
    told += [f"Machine or versions differ: {line}" for line in earlier.machine]
    return Part(
        title=f"Against {earlier.name}",
        headings=("decoder", "what", "then", "now", "change % [95 %]", "verdict"),
        lines=tuple(lines),
        texts=2,
        notes="\n".join([NOTES.replace("{margin}", margin), *told]),
    )
