"""Passes: one decoder through all that is asked, once; each a line in a file, or an error there."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluators.run_files.typed_json import typed
from pipeline.engines.protocol import Computed
from pipeline.errors import UserMistake
from pipeline.measuring.clock import CallTimes
from pipeline.measuring.written import Written
from pipeline.runs.directory import append_synced
from pipeline.runs.torn_lines import repair_end

SCHEMA = 1
PASSES, TORN = "passes.jsonl", "torn.txt"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did; `error` says why there is nothing of it.

    `position` is the place that it had in its round. `loading` are the seconds in which its models
    were loaded, `first_call` those of the first call that the process made with it, `warm_up`
    those of all calls before its first pass; None in later passes. `memory` is in bytes. `compiled`
    is how many graphs torch compiled during the pass.
    """

    decoder: str
    repeat: int
    position: int
    calls: tuple[Written, ...] = ()
    requested: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] | None = None
    compiled: int = 0
    loading: float | None = None
    first_call: float | None = None
    warm_up: tuple[float, ...] | None = None
    error: Mapping[str, str] | None = None

    @property
    def record(self) -> Record:
        """As the file has it."""
        return {
            "schema": SCHEMA,
            "decoder": self.decoder,
            "repeat": self.repeat,
            "position": self.position,
            "status": "ok" if self.error is None else "error",
            "requested": dict(self.requested),
            "effective": dict(self.effective),
            "memory": self.memory,
            "compiled": self.compiled,
            "loading": self.loading,
            "first_call": self.first_call,
            "warm_up": self.warm_up,
            "error": self.error,
            "calls": [_call(one) for one in self.calls],
        }


@dataclass(frozen=True, slots=True)
class PassFile:
    """The file of passes, which grows line by line."""

    folder: Path
    records: list[Record]

    @classmethod
    def opened(cls, folder: Path) -> "PassFile":
        """The passes that are there; a torn last line is cut off.

        Raises:
            UserMistake: the file holds something else, or cannot be read.
        """
        file = folder / PASSES
        if not file.exists():
            return cls(folder, [])
        try:
            repair_end(file, folder / TORN)
            lines = enumerate(file.read_bytes().splitlines(), start=1)
            records = [typed(json.loads(line), Mapping[str, Any], f"line {n}") for n, line in lines]
        except (OSError, ValueError, RecursionError) as error:
            raise UserMistake(f"{file} cannot be read ({error}).") from error
        return cls(folder, records)

    def add(self, one: Pass) -> None:
        """Put a pass on the disk; raises `RunStopped` where that fails."""
        record = json.loads(json.dumps(one.record))
        append_synced(self.folder / PASSES, json.dumps(record).encode() + b"\n")
        self.records.append(record)

    def of(self, decoder: str) -> list[Record]:
        """The latest record of each pass of a decoder, by repeat."""
        latest = {one["repeat"]: one for one in self.records if one["decoder"] == decoder}
        return [latest[repeat] for repeat in sorted(latest)]


def times_of(call: Record) -> CallTimes:
    """The times of a recorded call."""
    times = dict(call["times"])
    for name in ("target_work", "assistant_work"):
        times[name] = None if times[name] is None else Computed(**times[name])
    for name in ("tokens", "latencies"):
        times[name] = None if times[name] is None else tuple(times[name])
    if times["token_times"] is not None:
        times["token_times"] = tuple(tuple(row) for row in times["token_times"])
    return CallTimes(**times)


def _call(call: Written) -> Record:
    cached = call.cached or (0,) * len(call.asks)
    gaps = call.gaps or (None,) * len(call.asks)
    rows = [
        {
            "prompt": ask.prompt_id,
            "completion": ask.completion,
            "seed": ask.seed,
            "prompt_tokens": len(ask.prompt),
            "cached_prompt_tokens": kept,
            "token_ids": list(row),
            **({} if ahead is None else {"gaps": list(ahead)}),
        }
        for ask, row, kept, ahead in zip(call.asks, call.tokens, cached, gaps, strict=True)
    ]
    return {"began": call.began, "rows": rows, "times": asdict(call.times)}
