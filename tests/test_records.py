"""The attempt line survives the round trip, and nothing else is taken for one."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attempts

from pipeline import records

ATTEMPT = records.Attempt(
    dataset="sums",
    problem_id="7",
    repeat_id=0,
    seed=1,
    reasoner="baseline",
    status="ok",
    gold="4",
    kind="integer",
    choice_order=(),
    prompt_sha256=None,
    tracks=(records.Track("0", (), records.Stop.FINISHED, "4"),),
    vote=None,
    response="\\boxed{4}",
    answer="4",
    usage=None,
    seconds=1.5,
    started="2026-01-01T00:00:00+00:00",
)


@given(attempts())
def test_a_line_reads_back_as_the_attempt_it_was(attempt):
    assert records.decode(records.encode(attempt)) == attempt


@given(attempts())
def test_an_attempt_is_exactly_one_line(attempt):
    assert records.encode(attempt).count(b"\n") == 1


STEP = records.Step("so", "target", tokens=2, seconds=0.5, finish="stop")
TOKENS = records.Tokens(1, 0, 2, 1, 5, 1)


def with_step(**changes):
    return {
        "tracks": (records.Track("0", (replace(STEP, **changes),), records.Stop.FINISHED, "4"),)
    }


def with_tokens(**changes):
    return {"usage": {"target": {"plain": replace(TOKENS, **changes)}}}


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"response": "half \ud835 a character"},
        {"repeat_id": "0"},
        {"status": "well"},
        {"response": 7},
        with_step(score=math.nan),
        with_step(digits=(0.5, math.nan)),
        with_step(seconds=-math.inf),
        with_step(text=None),
        with_tokens(generated=10**30),
        with_tokens(generated=-1),
        with_tokens(generated=math.nan),
        with_tokens(prompt_new="1"),
        with_tokens(prompt_new=1.5),
        with_step(tokens=-1),
        with_step(draft_tokens=-1),
        with_step(seconds=-0.5),
        {"seconds": -0.5},
        {"choice_order": (5, 5)},
        {"choice_order": (1, 2)},
        {"tracks": ()},
        {"vote": records.Vote("majority", (("0",),), "4", "alone", chosen="1")},
    ],
    ids=str,
)
def test_what_could_not_be_read_back_is_not_written(change):
    with pytest.raises(records.UnreadableAttempt, match="cannot be written so that it is read"):
        records.encode(replace(ATTEMPT, **change))


def test_no_proper_prefix_of_a_line_is_an_attempt():
    line = records.encode(ATTEMPT).rstrip(b"\n")
    assert records.decode(line) == ATTEMPT
    for end in range(len(line)):
        with pytest.raises(records.CorruptRecord, match=r".+"):
            records.decode(line[:end])


@given(attempts(), st.floats(0, 1, exclude_max=True))
def test_no_cut_turns_any_attempt_into_another(attempt, share):
    line = records.encode(attempt).rstrip(b"\n")
    with pytest.raises(records.CorruptRecord, match=r".+"):
        records.decode(line[: int(share * len(line))])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "truncated"),
        (b"{}", "missing required field"),
        (b"[1]", "Expected `object`"),
        (b'{"dataset": 3}', "Expected `str`"),
        (b"\xff\xfe", "malformed"),
    ],
)
def test_what_is_not_an_attempt_is_refused_with_its_reason(line, complaint):
    with pytest.raises(records.CorruptRecord, match=complaint):
        records.decode(line)


@given(attempts())
def test_a_newer_schema_is_refused(attempt):
    line = records.encode(attempt).replace(b'"schema":2', b'"schema":99')
    with pytest.raises(records.CorruptRecord, match="schema 99 is newer"):
        records.decode(line)


def test_a_line_of_schema_1_reads_with_its_requests_and_forwards_unknown():
    counts = b'{"prompt_new":5,"prompt_cached":0,"generated":2,"attended_prompt":15,'
    usage = b'{"target":{"plain":' + counts + b'"attended_generated":13}}}'
    line = records.encode(ATTEMPT).replace(b'"usage":null', b'"usage":' + usage)
    old = records.decode(line.replace(b'"schema":2', b'"schema":1'))
    assert old.schema == 1
    counted = records.Tokens(5, 0, 2, 15, 13, requests=None, forwards=None)
    assert old.usage == {"target": {"plain": counted}}
