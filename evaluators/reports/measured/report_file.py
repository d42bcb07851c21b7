"""A measurement's report as it is read from its file: docs/measure.md says what each field is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.run_files.typed_json import WrongJson, read_typed

MANIFEST, REPORT = "measure.json", "report.json"
RUNS, ANSWERS = "runs", "answers"
"""Folders beside the report: decoders' runs on problems, or files of their answers to prompts."""
SCHEMA = 1
OK = "ok"


class NoReport(ValueError):  # noqa: N818 - named for what it is
    """A path leads to no report of a measurement."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over passes, prompts or problems, and the mean's 95 % interval."""

    mean: float
    interval: tuple[float, float] | None = None
    passes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """A further figure over passes, and its formula."""

    means: str
    mean: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with its 95 % interval."""

    ratio: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of seconds."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Pooled:
    """Over all calls of all passes."""

    tokens: int | None = None
    first_token: float | None = None
    inter_token: Percentiles | None = None
    latency: Percentiles | None = None
    target_forwards: int | None = None
    assistant_forwards: int | None = None
    seconds_per_token: float | None = None
    tokens_per_target_forward: float | None = None
    acceptance: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes; `peaks` are those of the passes."""

    weights: int | None = None
    assistant_weights: int | None = None
    peak: int | None = None
    reserved: int | None = None
    peaks: tuple[int, ...] = ()

    @property
    def added(self) -> int | None:
        """What the decoder needs beside the model: its peak, and the assistant's weights."""
        return None if self.peak is None else self.peak + (self.assistant_weights or 0)


@dataclass(frozen=True, slots=True)
class AgainstReference:
    """Paired differences to the reference; see `evaluators.statistics`."""

    seconds_difference: Spread | None = None
    latency_difference: Spread | None = None
    latency_ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class Differing:
    """The first token that differs from that of `standard`.

    `gap` is how far that was ahead there: its log-probability minus that of the next likeliest.
    """

    prompt: str
    completion: int
    token: int
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many completions have the very tokens of `standard`."""

    must_be_equal: bool
    completions: int
    equal: int
    differing: tuple[Differing, ...] = ()

    @property
    def share(self) -> float | None:
        """Of 1; None where nothing was compared."""
        return self.equal / self.completions if self.completions else None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the answers are right."""

    mean: float
    interval: tuple[float, float] | None
    problems: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An accuracy minus the reference's, problem by problem."""

    mean: float
    interval: tuple[float, float]
    p: float
    adjusted_p: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Of an attempt on average."""

    flops_decode: float | None = None
    flops_total: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a decoder."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One decoder; of one without a pass only what became of it."""

    decoder: str
    means: str
    status: str
    passes: int
    error: Failure | None = None
    requested: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    seconds: Spread | None = None
    tokens: int | None = None
    tokens_per_second: Spread | None = None
    latency: Spread | None = None
    latency_by_prompt: Mapping[str, float] = field(default_factory=dict)
    latency_quantiles: tuple[float, ...] = ()
    first_call: float | None = None
    warm_up: tuple[float, ...] | None = None
    memory: Memory | None = None
    pooled: Pooled = field(default_factory=Pooled)
    against_reference: AgainstReference | None = None
    agreement: Agreement | None = None
    accuracy: Accuracy | None = None
    difference: Difference | None = None
    costs: Costs | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    loading: float | None = None
    unverified: bool = False
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a decoder that was asked for."""

    asked: str
    measured: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Turns:
    """Decoders whose passes took turns, group after group, and why they were not one group."""

    groups: tuple[tuple[str, ...], ...] = ()
    apart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report."""

    schema: int
    settings: Mapping[str, Any]
    repeats: int
    prompts: int
    completions: int
    plan: tuple[Asked, ...]
    reference: str | None
    decoders: tuple[Entry, ...]
    versions: Mapping[str, Any] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    turns: Turns | None = None

    @property
    def measured(self) -> list[Entry]:
        """The decoders of which there is a pass."""
        return [one for one in self.decoders if one.seconds is not None]

    @property
    def title(self) -> str:
        """What is measured, in a line."""
        return f"Decoders of {self.settings.get('main_model')}"

    def entry(self, decoder: str) -> Entry | None:
        """The entry of that decoder, where there is one."""
        return next((one for one in self.decoders if one.decoder == decoder), None)


def read_report(path: Path) -> Report:
    """The report that a measurement's folder, or a file, holds.

    Raises:
        NoReport: there is none, or it is not one that can be read.
    """
    file = path / REPORT if path.is_dir() else path
    try:
        report = read_typed(file, Report)
    except WrongJson as error:
        raise NoReport(f"{file} is no report of speclrm measure: {error}.") from error
    if report.schema != SCHEMA:
        raise NoReport(
            f"{file} has schema {report.schema}, and this version reads {SCHEMA}; measure again."
        )
    return report
