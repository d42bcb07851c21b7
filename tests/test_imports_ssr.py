"""Pickles of the SSR scripts become attempts with their tracks, steps and votes."""

from dataclasses import replace

import foreign_results as foreign
import numpy as np
from foreign_results import RIGHT, WRONG, dump, quiz_file, ssr_spec, step, the_attempt
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import records
from pipeline.imports import ssr
from pipeline.imports.entries import Solved
from pipeline.runs.directory import read_attempts, read_manifest


def test_an_ssr_baseline_is_one_track_with_its_model_and_time(bring, tmp_path):
    said, run = bring("ssr", dump(foreign.ssr_baseline(RIGHT), tmp_path / "60-2.pickle"))
    assert said.code == 0, said.err
    [attempt] = read_attempts(run)
    assert (attempt.reasoner, attempt.repeat_id, attempt.seconds) == ("baseline", 2, 2.5)
    assert attempt.usage["target"]["plain"].generated == 30
    assert read_manifest(run)["identity"]["target"]["model"] == "Qwen/QwQ-32B"


def test_a_count_that_no_reader_could_add_is_an_error_record(bring, tmp_path):
    record = foreign.ssr_baseline(RIGHT)
    record["reasoning"]["num_tokens"] = 10**30
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert (attempt.status, attempt.error.type) == ("error", "UnreadableAttempt")


def test_the_gold_answer_is_ours_and_never_the_foreign_files(bring, tmp_path):
    file = dump(foreign.ssr_baseline(RIGHT), tmp_path / "60-0.pickle")
    assert the_attempt(bring, "ssr", file).gold == "2"


def test_parallel_results_become_tracks_with_the_vote_as_it_was_held(bring, tmp_path):
    record = foreign.ssr_parallel(WRONG, RIGHT, RIGHT, chosen=1)
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert (attempt.reasoner, len(attempt.tracks)) == ("parallel", 3)
    assert attempt.vote.classes == (("0",), ("1", "2"))
    assert (attempt.vote.chosen, attempt.vote.winner, attempt.response) == ("1", "2", RIGHT)
    assert attempt.usage["target"]["plain"].generated == 90


def test_without_a_winner_there_is_no_response(bring, tmp_path):
    record = foreign.ssr_parallel(WRONG, "nothing", chosen=None)
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert (attempt.status, attempt.response, attempt.vote.chosen) == ("ok", None, None)


def test_method_tracks_have_our_methods_names(bring, tmp_path):
    tracks = {"A1": [step("So."), step(RIGHT)], "M1": [step(WRONG)]}
    record = ssr_spec(tracks, best="A1")
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert [track.method for track in attempt.tracks] == ["algebraic-simplification", "unknown"]
    assert (attempt.vote.chosen, attempt.answer) == ("A1", "2")


def test_numbers_of_numpy_are_numbers(bring, tmp_path):
    record = ssr_spec({"A1": [step(RIGHT, score=np.float64(8.5))]}, best="A1")
    attempt = the_attempt(bring, "ssr", dump(record, tmp_path / "60-0.pickle"))
    assert attempt.tracks[0].steps[0].score == 8.5


def test_a_record_without_tracks_is_a_failed_attempt(bring, tmp_path):
    said, run = bring("ssr", dump(ssr_spec({}), tmp_path / "60-0.pickle"))
    assert "1 of them unreadable and kept as errors" in said.out
    [attempt] = read_attempts(run)
    assert attempt.error.message.endswith("holds no track: the script failed on this problem")


def test_ssr_shows_choices_in_their_stored_order(bring, tmp_path):
    file = dump(ssr_spec({"A1": [step("\\boxed{C}")]}, best="A1"), tmp_path / "60-0.pickle")
    _, run = bring("ssr", file, rows=quiz_file(tmp_path))
    [attempt] = read_attempts(run)
    assert (attempt.gold, attempt.choice_order) == ("C", (0, 1, 2, 3))


ATTEMPT = records.Attempt(
    dataset="sums",
    problem_id="60",
    repeat_id=0,
    seed=None,
    reasoner="spec",
    status="ok",
    gold="2",
    kind="latex",
    choice_order=(),
    prompt_sha256=None,
    tracks=(),
    vote=None,
    response=None,
    answer=None,
    usage=None,
    seconds=None,
    started=None,
)


def places(value, way=()):
    """The way to every value inside `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        yield (*way, key)
        if isinstance(part, dict | list):
            yield from places(part, (*way, key))


RECORDS = {
    "baseline": lambda: foreign.ssr_baseline(RIGHT),
    "parallel": lambda: foreign.ssr_parallel(WRONG, RIGHT, chosen=1),
    "spec": lambda: ssr_spec({"A1": [step("So."), step(RIGHT)], "B1": [step(WRONG)]}, best="A1"),
}
DAMAGE = [None, True, -1, 2.5, float("inf"), 10**400, "x", "\ud800", b"x", [], [[]], {}, {1: 2}]


@example(kind="baseline", place=160, damage=-1)  # negative seconds
@given(
    kind=st.sampled_from(list(RECORDS)),
    place=st.integers(0, 10_000),
    damage=st.sampled_from(DAMAGE),
)
def test_any_damage_to_a_record_leaves_one_attempt_read_or_failed(
    tmp_path_factory, kind, place, damage
):
    record = RECORDS[kind]()
    ways = list(places(record))
    *way, last = ways[place % len(ways)]
    holder = record
    for key in way:
        holder = holder[key]
    holder[last] = damage
    file = dump(record, tmp_path_factory.mktemp("damaged") / "60-0.pickle")
    [entry] = ssr.entries((file,))
    if isinstance(entry.found, Solved):
        attempt = replace(ATTEMPT, tracks=entry.found.tracks, vote=entry.found.vote)
        assert records.decode(records.encode(attempt)).tracks == entry.found.tracks
