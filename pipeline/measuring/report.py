"""What passes come to: speed, memory and agreement of each decoder, and how decoders differ."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from evaluators.statistics.cost_ratios import cost_ratio
from evaluators.statistics.uncertainty import mean_interval
from pipeline.measuring.asking import Asked
from pipeline.measuring.decoder import REFERENCE
from pipeline.measuring.judged import Judged
from pipeline.measuring.metrics import figures
from pipeline.measuring.passes import PassFile, Record, times_of
from pipeline.measuring.planning import Planned, measured
from pipeline.measuring.speed import speed_of
from pipeline.measuring.table import DECODERS
from pipeline.measuring.unknown import why_unknown

SCHEMA = 1
QUANTILES = [place / 20 for place in range(21)]
"""Enough to draw how latencies are distributed."""
Key = tuple[str, int]


def report_of(
    asked: Asked,
    planned: tuple[Planned, ...],
    passes: PassFile,
    judged: Mapping[str, Judged],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """The report as JSON has it; docs/measure.md says what each number is.

    `judged` are decoders' runs, once they are graded; `machine` has versions and hardware.
    """
    names = [one.name for one in measured(planned)]
    done = {name: [one for one in passes.of(name) if one["error"] is None] for name in names}
    there = [name for name in names if done[name]]
    reference = REFERENCE if REFERENCE in there else next(iter(there), None)
    return {
        "schema": SCHEMA,
        "settings": asked.config.identity,
        "repeats": asked.config.repeats,
        "prompts": len({ask.prompt_id for ask in asked.asks}),
        "completions": len(asked.asks),
        "plan": [one.record for one in planned],
        "reference": reference,
        "versions": machine["versions"],
        "hardware": machine["hardware"],
        "turns": machine.get("turns"),
        "decoders": [
            _decoder(name, passes.of(name), done, reference, asked)
            | (asdict(judged[name]) if name in judged else {})
            for name in names
        ],
    }


def _decoder(
    name: str,
    records: Sequence[Record],
    done: Mapping[str, Sequence[Record]],
    reference: str | None,
    asked: Asked,
) -> dict[str, Any]:
    good = done[name]
    failed = next((one for one in records if one["error"] is not None), None)
    entry: dict[str, Any] = {
        "decoder": name,
        "means": DECODERS[name].means,
        "status": "error" if failed is not None else "ok" if good else "missing",
        "error": None if failed is None else failed["error"],
        "passes": len(good),
        "unverified": DECODERS[name].unverified,
    }
    if not good:
        return entry
    passes = [[times_of(call) for call in one["calls"]] for one in good]
    speeds = [speed_of(calls) for calls in passes]
    base = done.get(reference or "", ())
    pooled = [call for calls in passes for call in calls]
    entry |= {
        "requested": good[0]["requested"],
        "effective": good[-1]["effective"],
        "seconds": _spread([one.seconds for one in speeds]),
        "tokens": speeds[0].tokens,
        "tokens_per_second": _spread([one.tokens_per_second for one in speeds]),
        "latency": _spread([statistics.fmean(_latencies(one).values()) for one in good]),
        "latency_by_prompt": _per_prompt(good),
        "latency_quantiles": np.quantile(
            [each for one in good for each in _latencies(one).values()], QUANTILES
        ).tolist(),
        "loading": next((o["loading"] for o in good if o["loading"] is not None), None),
        "first_call": next((o["first_call"] for o in good if o["first_call"] is not None), None),
        "warm_up": next((one["warm_up"] for one in good if one["warm_up"] is not None), None),
        "memory": _memory(good),
        "pooled": asdict(speed_of(pooled)),
        "metrics": figures(passes),
        "against_reference": None if name == reference or not base else _against(good, base),
        "agreement": _agreement(name, good[0], base, asked),
        "unknown": why_unknown(DECODERS[name], pooled, speed_of(pooled), _memory(good)),
    }
    return entry


def _spread(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean, 95 % interval and standard deviation over passes; None where one is unknown."""
    known = [one for one in values if one is not None]
    if not known or len(known) < len(values):
        return None
    interval = mean_interval(known)
    return {
        "mean": statistics.fmean(known),
        "interval": None if interval is None else list(interval),
        "deviation": statistics.stdev(known) if len(known) > 1 else None,
        "passes": known,
    }


def _latencies(record: Record) -> dict[Key, float]:
    """Each completion's seconds from its call to its last token."""
    found: dict[Key, float] = {}
    for call in record["calls"]:
        times = times_of(call)
        ends = times.latencies or (times.seconds,) * len(call["rows"])
        for row, seconds in zip(call["rows"], ends, strict=True):
            found[row["prompt"], row["completion"]] = seconds
    return found


def _per_prompt(records: Sequence[Record]) -> dict[str, float]:
    """Each prompt's mean latency, over its completions and all passes."""
    seconds: dict[str, list[float]] = {}
    for record in records:
        for (prompt, _), latency in _latencies(record).items():
            seconds.setdefault(prompt, []).append(latency)
    return {prompt: statistics.fmean(all_of_it) for prompt, all_of_it in seconds.items()}


def _against(good: Sequence[Record], base: Sequence[Record]) -> dict[str, Any]:
    """Paired with the reference: passes of one repeat, and latencies of one prompt."""
    mine, theirs = _per_prompt(good), _per_prompt(base)
    both = [prompt for prompt in theirs if prompt in mine]
    ratio = cost_ratio([theirs[one] for one in both], [mine[one] for one in both])
    totals = {
        number: {one["repeat"]: _seconds(one) for one in records}
        for number, records in enumerate((base, good))
    }
    shared = [repeat for repeat in totals[0] if repeat in totals[1]]
    return {
        "latency_difference": _spread([mine[one] - theirs[one] for one in both]),
        "latency_ratio": None
        if ratio is None
        else {"ratio": ratio.ratio, "interval": list(ratio.interval)},
        "seconds_difference": _spread([totals[1][one] - totals[0][one] for one in shared]),
    }


def _seconds(record: Record) -> float:
    return sum((times_of(call).seconds for call in record["calls"]), 0.0)


def _memory(records: Sequence[Record]) -> dict[str, Any] | None:
    """The largest of all passes; None where it could not be measured."""
    known = [one["memory"] for one in records if one["memory"] is not None]
    if not known:
        return None
    peaks = [one["peak"] for one in known if one["peak"] is not None]
    reserved = [one["reserved"] for one in known if one["reserved"] is not None]
    return {
        **known[0],
        "peak": max(peaks, default=None),
        "peaks": peaks if len(peaks) == len(records) else [],
        "reserved": max(reserved, default=None),
    }


def _agreement(
    name: str, record: Record, base: Sequence[Record], asked: Asked
) -> dict[str, Any] | None:
    """How far the tokens are those of standard greedy decoding; None where they need not be."""
    decoder = DECODERS[name]
    if asked.config.temperature > 0 or decoder.own_sampling is not None or decoder.search:
        return None
    if not base or base[0]["decoder"] != REFERENCE or name == REFERENCE:
        return None
    theirs, mine, gaps = _tokens(base[0]), _tokens(record), _of_rows(base[0], "gaps")
    compared = [(key, theirs[key], mine[key]) for key in theirs if key in mine]
    differing = [
        {
            "prompt": key[0],
            "completion": key[1],
            "token": place,
            "gap": gaps[key][place] if place < len(gaps.get(key, ())) else None,
        }
        for key, one, other in compared
        if one != other
        for place in [_first_difference(one, other)]
    ]
    return {
        "must_be_equal": decoder.exact,
        "completions": len(compared),
        "equal": len(compared) - len(differing),
        "differing": differing,
    }


def _tokens(record: Record) -> dict[Key, list[int]]:
    return _of_rows(record, "token_ids")


def _of_rows(record: Record, name: str) -> dict[Key, list[Any]]:
    return {
        (row["prompt"], row["completion"]): row[name]
        for call in record["calls"]
        for row in call["rows"]
        if name in row
    }


def _first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    places = (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(places, min(len(one), len(other)))
