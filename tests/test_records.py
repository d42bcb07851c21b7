"""The attempt line survives the round trip, and nothing else is taken for one."""

import pytest
from hypothesis import given
from strategies import attempts

from pipeline import records


@given(attempts())
def test_a_line_reads_back_as_the_attempt_it_was(attempt):
    assert records.decode(records.encode(attempt)) == attempt


@given(attempts())
def test_an_attempt_is_exactly_one_line(attempt):
    assert records.encode(attempt).count(b"\n") == 1


@given(attempts())
def test_no_proper_prefix_of_a_line_is_an_attempt(attempt):
    line = records.encode(attempt).rstrip(b"\n")
    with pytest.raises(records.CorruptRecord, match=r".+"):
        records.decode(line[: len(line) // 2])


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
    line = records.encode(attempt).replace(b'"schema":1', b'"schema":99')
    with pytest.raises(records.CorruptRecord, match="schema 99 is newer"):
        records.decode(line)
