"""What a run writes is what graders and reports read: every field filled, through each reader."""

import itertools
import json
import types
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from evaluators.run_files import attempt_record, verdict_rows
from evaluators.run_files.attempt_record import attempt_line
from evaluators.run_files.run_manifest import Identity
from evaluators.run_files.verdict_rows import UseTokens, VerdictRow
from evaluators.statistics.verdict_table import COLUMNS, verdict_table
from pipeline import records
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment
from pipeline.reasoners.settings import StepSettings

READERS = {
    records.Attempt: attempt_record.AttemptLine,
    records.Track: attempt_record.TrackLine,
    records.Step: attempt_record.StepLine,
    records.Vote: attempt_record.VoteLine,
    records.Failure: attempt_record.FailureLine,
}
LEFT_OUT = {
    # What grading puts into the verdict row, the run's own settings, and what no report shows.
    records.Attempt: {
        *("dataset", "reasoner", "gold", "choice_order", "usage"),
        *("answer", "selection", "schema"),
    },
    records.Track: {"answer", "early"},
    records.Step: {
        *("finish", "digits", "draft_tokens", "draft_seconds", "score_seconds", "notes"),
    },
    records.Vote: {"answers", "standings", "excluded"},
    records.Failure: {"traceback"},
}
"""Fields of the record that no report reads."""


def filled(kind: Any, numbers: Any = None) -> Any:
    """A value of a type with every field of it filled, each with something else."""
    numbers = itertools.count(1) if numbers is None else numbers
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=False)
        return kind(**{one.name: filled(hints[one.name], numbers) for one in fields(kind)})
    if origin is Annotated:
        return filled(inner[0], numbers)
    if origin in {Union, types.UnionType}:
        return filled(next(one for one in inner if one is not type(None)), numbers)
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return (filled(inner[0], numbers),)
    if origin is dict:
        return {f"name_{next(numbers)}": filled(inner[1], numbers)}
    if issubclass(kind, Enum):
        return next(iter(kind))
    return {
        str: lambda: f"text_{next(numbers)}",
        int: lambda: next(numbers),
        float: lambda: next(numbers) + 0.5,
        bool: lambda: True,
    }[kind]()


def full_attempt() -> records.Attempt:
    """An attempt without an empty field that the record's own reader takes."""
    made = filled(records.Attempt)
    [track], vote = made.tracks, made.vote
    return replace(
        made, choice_order=(0,), schema=records.SCHEMA, vote=replace(vote, chosen=track.id)
    )


def test_an_attempt_with_every_field_filled_is_read_back_by_the_run() -> None:
    full = full_attempt()
    assert records.decode(records.encode(full)) == full


@pytest.mark.parametrize("record", READERS, ids=lambda record: record.__name__)
def test_each_field_of_a_record_is_read_by_reports_or_named_as_left_out(record: type) -> None:
    written = {one.name for one in fields(record)}
    read = {one.name for one in fields(READERS[record])}
    assert read | LEFT_OUT[record] == written
    assert not read & LEFT_OUT[record]


def test_an_attempt_with_every_field_filled_reaches_reports_as_it_was_written() -> None:
    full = full_attempt()
    assert_same(attempt_line(records.encode(full)), full)


def assert_same(read: Any, written: Any) -> None:
    """Every field that a reader has is what the record has, down to the last step."""
    if isinstance(read, tuple):
        for ours, theirs in zip(read, written, strict=True):
            assert_same(ours, theirs)
    elif is_dataclass(read):
        for one in fields(read):
            assert_same(getattr(read, one.name), getattr(written, one.name))
    else:
        assert read == written
        assert read is not None


def test_tokens_of_a_verdict_row_are_those_of_the_attempt() -> None:
    assert [one.name for one in fields(UseTokens)] == [one.name for one in fields(records.Tokens)]


def test_the_settings_that_reports_read_are_those_of_an_experiment() -> None:
    engine = EngineSettings("scripted", "m")
    full = Experiment(
        "spec",
        engine,
        draft=engine,
        others={"reward": engine},
        sections=(StepSettings(),),
        # Part of the settings only where they are not what they always were.
        top_k=20,
        min_p=0.1,
        presence_penalty=0.5,
        repetition_penalty=1.1,
    )
    # A measured decoder's settings are put beside those of the experiment.
    read = msgspec.convert({**full.settings(), "decoder": {"name": "standard"}}, Identity)
    assert set(read.models) == {"reward"}
    assert [one.name for one in fields(read) if getattr(read, one.name) is None] == []


@pytest.fixture
def full_row(tmp_path) -> VerdictRow:
    """A verdict row without an empty field, as the only one of a run in `tmp_path`."""
    row = filled(VerdictRow)
    uses = ("draft_kept", "draft_dropped")
    usage = {model: {use: filled(UseTokens) for use in uses} for model in ("target", "draft")}
    row = replace(row, usage=usage)
    line = json.dumps(msgspec.to_builtins(row))
    (tmp_path / "verdicts.jsonl").write_text(line + "\n")
    return row


def test_a_verdict_row_with_every_field_filled_reaches_reports_as_it_was_written(
    tmp_path, full_row
) -> None:
    assert list(verdict_rows.verdict_rows(tmp_path)) == [full_row]


def test_a_verdict_row_with_every_field_filled_leaves_no_number_of_the_table_unknown(
    tmp_path, full_row
) -> None:
    table = verdict_table(tmp_path, full_row.dataset)
    [costs] = table.costs.values()
    for part in (table.totals, table.tracks, table.tracks.every, costs):
        assert [one.name for one in fields(part) if getattr(part, one.name) is None] == []
    assert [guided.name for guided in table.tracks.guided] == [full_row.tracks[0].role]


def test_the_columns_of_the_table_are_fields_of_a_verdict_row() -> None:
    assert set(COLUMNS) <= {one.name for one in fields(VerdictRow)}
