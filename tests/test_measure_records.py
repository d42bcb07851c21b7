"""What a decoder's calls become in a run: who computed what, and when; nothing lost, no model."""

import json
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.protocol import Computed
from pipeline.measuring.ask import Ask
from pipeline.measuring.clock import CallTimes
from pipeline.measuring.passes import Pass, PassFile, times_of
from pipeline.measuring.recording import completed
from pipeline.measuring.written import Written, cut, own_work

END = 9


class Words:
    """A tokenizer of digits."""

    eos_ids = frozenset({END})

    def decode(self, ids):
        return "".join(str(one) for one in ids if one != END)


def call(rows, target=None, assistant=None, latencies=None):
    asks = tuple(Ask(f"p{n}", 0, (1,) * 5, 100 + n, 8) for n in range(len(rows)))
    times = CallTimes(
        seconds=2.0,
        tokens=tuple(map(len, rows)),
        token_times=None,
        latencies=latencies,
        target_forwards=None,
        assistant_forwards=None,
        target_computed=None,
        assistant_computed=None,
        proposed=None,
        accepted=None,
        target_work=target,
        assistant_work=assistant,
    )
    return Written(asks, tuple(rows), times)


def recorded(*calls):
    return json.loads(json.dumps(Pass("batched", 0, 0, calls=calls).record))["calls"]


def total(works):
    return [sum(parts) for parts in zip(*(astuple(one) for one in works if one), strict=True)]


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        ((1, 2, END, 0, 0), (1, 2, END)),
        ((1, 2, 3), (1, 2, 3)),
        ((END, END), (END,)),
        ((1, 2, 3, 4, 5, END), (1, 2, 3, 4)),
        ((), ()),
    ],
)
def test_a_text_ends_with_its_first_end_and_at_its_room(tokens, kept):
    assert cut(tokens, {END}, 4) == kept


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=5),
    st.tuples(*[st.integers(0, 10_000)] * 5),
    st.tuples(*[st.integers(0, 1_000)] * 5),
)
def test_all_that_was_computed_is_booked_once(lengths, more, guessed):
    rows = [(1,) * (length - 1) + (END,) for length in lengths]
    own = [own_work(5, 0, len(row)) for row in rows]
    whole = Computed(*(a + b for a, b in zip(total(own), more, strict=True)))
    [one] = recorded(call(rows, whole, Computed(*guessed)))
    found = [completion for _, completion in completed(one, Words())]
    assert len(found) == len(rows)
    if any(more):
        assert total([completion.refused for completion in found]) == list(more)
    else:
        assert all(completion.refused is None for completion in found)
    if any(guessed):
        assert total([completion.assisted for completion in found]) == list(guessed)


def test_a_completion_says_how_it_ended_and_how_long_it_took():
    [one] = recorded(call([(1, 2, END), (3, 4)], latencies=(0.5, 1.5)))
    assert [
        (seed, each.text, each.finish_reason, each.seconds, each.generated)
        for seed, each in completed(one, Words())
    ] == [(100, "12", "stop", 0.5, 3), (101, "34", "length", 1.5, 2)]


def test_without_latencies_a_completion_takes_as_long_as_its_call():
    [one] = recorded(call([(1, END)]))
    assert [each.seconds for _, each in completed(one, Words())] == [2.0]


def test_times_come_back_from_a_line_as_they_were():
    written = call([(1, END)], Computed(5, 15, 1, 6), Computed(5, 15, 2, 13), (0.25,))
    [one] = recorded(written)
    assert times_of(one) == written.times


def test_a_torn_line_is_cut_off_and_the_latest_pass_counts(tmp_path):
    file = PassFile.opened(tmp_path)
    failed = Pass("batched", 0, 0, error={"type": "MemoryError", "message": "no room"})
    for one in (failed, Pass("batched", 1, 0), Pass("batched", 0, 0), Pass("standard", 0, 1)):
        file.add(one)
    with (tmp_path / "passes.jsonl").open("ab") as end:
        end.write(b'{"schema": 1, "decoder": "ba')
    again = PassFile.opened(tmp_path)
    assert [(one["repeat"], one["status"]) for one in again.of("batched")] == [(0, "ok"), (1, "ok")]
    assert len(again.records) == 4
    assert b'"ba' in (tmp_path / "torn.txt").read_bytes()
