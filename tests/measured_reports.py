"""Reports of measurements as `speclrm measure` writes them, made up."""

import json
from pathlib import Path
from statistics import fmean

from evaluators.statistics.uncertainty import mean_interval

TOKENS = 100


def spread(values):
    interval = mean_interval(values)
    return {
        "mean": fmean(values),
        "interval": None if interval is None else list(interval),
        "deviation": None,
        "passes": list(values),
    }


def entry(decoder, seconds, **more):
    """A decoder whose passes took these seconds; `more` goes before what is made up."""
    base = {
        "decoder": decoder,
        "means": f"what {decoder} does",
        "status": "ok",
        "error": None,
        "passes": len(seconds),
        "unverified": False,
        "requested": {"temperature": 0},
        "effective": {"cache": "DynamicCache", "dtype": "float32", "warnings": []},
        "seconds": spread(seconds),
        "tokens": TOKENS,
        "tokens_per_second": spread([TOKENS / one for one in seconds]),
        "latency": spread([one / 2 for one in seconds]),
        "latency_by_prompt": {str(n): fmean(seconds) / 2 + n / 100 for n in range(6)},
        "latency_quantiles": [fmean(seconds) / 2 * (0.5 + n / 20) for n in range(21)],
        "first_call": 1.5,
        "warm_up": [1.5, 0.5],
        "memory": {
            "weights": 9_000_000,
            "assistant_weights": None,
            "peak": 2_000_000,
            "reserved": None,
            "measured": "peak",
            "peaks": [2_000_000] * len(seconds),
        },
        "pooled": {
            "tokens": TOKENS * len(seconds),
            "first_token": 0.01,
            "inter_token": {"p50": 0.01, "p90": 0.02, "p99": 0.03},
            "latency": {"p50": 0.1, "p90": 0.2, "p99": 0.3},
            "seconds_per_token": 0.01,
            "target_forwards": TOKENS * len(seconds),
            "assistant_forwards": 0,
            "tokens_per_target_forward": 1.0,
            "acceptance": None,
        },
        "against_reference": None,
        "agreement": None,
    }
    return base | more


def report(*decoders, **more):
    """A report of these entries, and of the plan that they follow from."""
    names = [one["decoder"] for one in decoders]
    return {
        "schema": 1,
        "settings": {"main_model": "pocket-target", "temperature": 0},
        "repeats": max((one["passes"] for one in decoders), default=1),
        "prompts": 6,
        "completions": 6,
        "plan": [{"asked": one, "measured": one, "reason": None} for one in names],
        "reference": "standard" if "standard" in names else None,
        "versions": {"torch": "2.13.0"},
        "hardware": {"processor": "a processor", "cores": 2},
        "decoders": list(decoders),
    } | more


def written(folder: Path, made) -> Path:
    """The folder, with the report in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(made))
    return folder
