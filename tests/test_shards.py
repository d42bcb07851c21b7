"""A shard as it is written, and that shards share work out without a rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserMistake
from pipeline.shards import Shard


@pytest.mark.parametrize(
    ("text", "shard"),
    [("1/1", Shard(1, 1)), ("2/8", Shard(2, 8)), ("8/8", Shard(8, 8)), ("10/64", Shard(10, 64))],
)
def test_a_shard_reads_as_it_is_written(text, shard):
    assert Shard.read(text) == shard
    assert str(shard) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "2", "/", "2/", "/8", "0/8", "9/8", "-1/8", "1/0", "01/8", "1/8/2", " 1/8", "1/8\n"),
        *("a/b", "1.0/8", "\u0662/8", "1/99999999999999999999"),
    ],
)
def test_what_names_no_shard_is_refused_in_a_sentence(text):
    with pytest.raises(UserMistake, match=r"shard"):
        Shard.read(text)


@given(st.integers(1, 70), st.integers(0, 10_000))
def test_every_place_of_the_work_is_in_exactly_one_shard(count, place):
    shards = [Shard(number, count) for number in range(1, count + 1)]
    assert sum(shard.holds(place) for shard in shards) == 1
