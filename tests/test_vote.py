"""Votes over classes of equal answers, and the end of tracks that can no longer matter."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_world import TrackSettings

from pipeline.reasoners.early_stop import is_decided
from pipeline.reasoners.vote import vote
from pipeline.reasoners.vote_rules import VOTE_RULES
from pipeline.records import Step, Stop, Track
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place


def track(name, answer, tokens=10, scores=(), *, stop=Stop.FINISHED, rewritten=0):
    """A track of `tokens` tokens with kept drafts of these scores and some rewritten steps."""
    kept = [Step("s", "draft", 0, 0.0, "stop", score=float(score)) for score in scores]
    new = [Step("s", "target", 0, 0.0, "stop", score=1.0, draft_text="d")] * rewritten
    text = Step("t", "target", tokens, 0.0, "stop")
    return Track(str(name), (*kept, *new, text), stop, answer)


def test_equal_answers_are_one_class_however_they_are_written():
    voted = vote([track(0, "0.5"), track(1, "2"), track(2, "\\frac{1}{2}")], "latex", "majority")
    assert voted.classes == (("0", "2"), ("1",))
    assert (voted.winner, voted.standings, voted.chosen) == ("0.5", (2.0, 1.0), "0")


WINNERS = [
    ("majority", {"0", "3"}),
    ("longest", {"2"}),
    ("mean-score", {"1"}),
    ("score-weighted", {"3"}),
    ("ssr-v1", {"3"}),
    ("ssr-v2", {"3"}),
]
"""For each rule, the tracks of `RIVALS` that may be chosen; majority shows its class's first."""
RIVALS = [
    track(0, "5", 10, [1]),
    track(1, "6", 20, [9]),
    track(2, "7", 90, [2]),
    track(3, "5", 30, [8.5]),
]


@pytest.mark.parametrize(("rule", "chosen"), WINNERS)
def test_each_rule_has_its_own_winner(rule, chosen):
    assert vote(RIVALS, "integer", rule).chosen == min(chosen)


@pytest.mark.parametrize(("rule", "chosen"), WINNERS)
def test_every_rule_is_a_pure_function_of_the_tracks(rule, chosen):
    """Neither their order nor the votes before it change who wins, unless there is a tie."""
    other = [track(7, "8", 99, [9]), track(8, "8", 99, [9])]
    for order in itertools.permutations(RIVALS):
        assert vote(other, "integer", rule).winner == "8"
        assert vote(order, "integer", rule).chosen in chosen


@pytest.mark.parametrize("rule", VOTE_RULES)
def test_ties_go_to_the_first_track(rule):
    tracks = [track(n, str(n), 10, [5]) for n in range(3)]
    assert vote(tracks, "integer", rule).winner == "0"


def test_ssr_v2_counts_a_rewritten_step_as_nine():
    tracks = [track(0, "1", scores=[8]), track(1, "2", scores=[6], rewritten=3)]
    assert vote(tracks, "integer", "ssr-v2").winner == "2"
    assert vote(tracks, "integer", "mean-score").winner == "1"


def test_only_the_ssr_rules_want_a_finished_track():
    tracks = [track(0, "1", stop=Stop.BUDGET), track(1, "2", stop=Stop.REPEATED)]
    assert vote(tracks, "integer", "majority").winner == "1"
    voted = vote(tracks, "integer", "ssr-v1")
    assert voted.winner is None
    assert [(one.track, one.reason) for one in voted.excluded] == [
        ("0", "stopped by budget"),
        ("1", "stopped by repeated"),
    ]


@pytest.mark.parametrize("stop", [Stop.CANCELLED, Stop.ERROR])
def test_cancelled_and_failed_tracks_have_no_vote(stop):
    voted = vote([track(0, "1", stop=stop), track(1, "2")], "integer", "majority")
    assert (voted.winner, voted.excluded[0].reason) == ("2", stop.value)


def test_without_a_vote_the_longest_track_is_shown_and_nothing_won():
    voted = vote([track(0, None, 5), track(1, None, 9)], "integer", "majority")
    assert (voted.winner, voted.chosen) == (None, "1")


answers = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", None]), st.integers(0, 9), st.integers(1, 99)),
    min_size=1,
    max_size=6,
)


@given(answers, st.sampled_from(list(VOTE_RULES)), st.data())
def test_an_exact_early_stop_never_changes_the_winner(drawn, rule, data):
    tracks = [track(n, a, tokens, [score]) for n, (a, score, tokens) in enumerate(drawn)]
    order = data.draw(st.permutations(tracks))
    settings = TrackSettings(tracks=len(tracks), vote=rule, fast="exact")
    whole = vote(tracks, "integer", rule)
    for count in range(1, len(tracks)):
        ended = sorted(order[:count], key=lambda one: int(one.id))
        if is_decided(ended, len(tracks) - count, "integer", settings):
            assert vote(ended, "integer", rule).winner == whole.winner


def test_an_exact_stop_does_happen():
    two = [track(0, "1"), track(1, "1")]
    assert is_decided(two, 1, "integer", TrackSettings(tracks=3, fast="exact"))
    assert not is_decided(two, 2, "integer", TrackSettings(tracks=4, fast="exact"))


@pytest.mark.parametrize(
    ("fast", "ended", "over"),
    [
        ("1", ["1"], True),
        ("1", [None], False),
        ("2", ["1", "2"], False),
        ("2", ["1", "2", "1"], True),
        (None, ["1", "1", "1"], False),
    ],
)
def test_fast_modes_end_at_an_answer_or_at_two_that_agree(fast, ended, over):
    tracks = [track(n, answer) for n, answer in enumerate(ended)]
    assert is_decided(tracks, 3, "integer", TrackSettings(tracks=6, fast=fast)) is over


def test_every_rule_that_is_named_votes_once_and_in_the_order_of_their_names(tmp_path):
    place = Place.made(tmp_path)
    assert place.speclrm("parallel").code == 0
    asked = "--rule longest --rule majority --rule longest --format json"
    said = speclrm(f"vote {place.run('parallel')} {asked}")
    assert [one["rule"] for one in json.loads(said.out)] == ["longest", "majority"]
