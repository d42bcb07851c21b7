"""A vote rule of a plug-in that fails: only its own use is refused, by its name and package."""

import json

import pytest

from pipeline.errors import UserMistake
from pipeline.reasoners.early_stop import is_decided
from pipeline.reasoners.settings import TrackSettings
from pipeline.reasoners.vote import vote
from pipeline.records import Step, Stop, Track
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

RULE = """
import math
from dataclasses import replace
from pipeline.reasoners.vote_rules import Decision, VoteRule, by_standing

def size(group):
    return float(group.size)

def decide(classes):
    return by_standing(classes, size, size, "it is")

def heaviest(weight):
    return lambda classes: by_standing(classes, lambda group: weight, lambda track: 0.0, "it is")

def other(**changes):
    return lambda classes: replace(by_standing(classes, size, lambda _: 0.0, "it is"), **changes)

ODD = VoteRule(**{"name": "odd", "decide": decide, "standing": size} | %s)
"""
FAILING = [
    ("{'decide': lambda classes: 1 / 0}", "ZeroDivisionError: division by zero"),
    ("{'decide': lambda classes: exit(3)}", "SystemExit: 3"),
    ("{'decide': lambda classes: None}", "AttributeError: 'NoneType' object has no attribute"),
    ("{'decide': heaviest(math.nan)}", "its standings are no finite numbers: nan, nan"),
    ("{'decide': heaviest(math.inf)}", "its standings are no finite numbers: inf, inf"),
    ("{'decide': other(standings=(1.0,))}", "it has 1 standings for 2 classes"),
    ("{'decide': other(chosen=5)}", "the track that it chose is none of the winner's"),
    ("{'decide': other(winner=5)}", "or the winner none of the classes"),
]
REFUSED = [
    ("{'name': 'even'}", "its entry is named 'even'"),
    ("{'decide': 5}", "what decides is no function"),
    ("{'standing': None}", "what weighs is no function"),
    ("{'most': -1}", "the most that a track adds is -1"),
    ("{'most': math.nan}", "the most that a track adds is nan"),
]


@pytest.fixture
def rule(offer):
    """Install the rule `odd`, with these changes to one that is well."""
    return lambda changes: offer("mine", "votes", "odd = mine:ODD", code=RULE % changes)


def track(name, answer):
    step = Step(text="x", author="target", tokens=1, finish="stop", seconds=0.0)
    return Track(id=name, steps=(step,), stop=Stop.FINISHED, answer=answer)


TRACKS = [track("0", "1"), track("1", "1"), track("2", "2")]


@pytest.mark.parametrize(("changes", "reason"), FAILING)
def test_a_rule_that_fails_is_blamed_in_a_sentence(rule, changes, reason):
    rule(changes)
    with pytest.raises(UserMistake) as told:
        vote(TRACKS, "integer", "odd")
    assert "The vote rule 'odd' of the package mine 1.0 cannot be used (" in str(told.value)
    assert reason in str(told.value)


@pytest.mark.parametrize(
    ("standing", "reason"), [("1 / 0", "ZeroDivisionError"), ("math.nan", "no finite number: nan")]
)
def test_a_standing_that_fails_is_blamed_too_where_it_would_end_an_attempt(rule, standing, reason):
    rule(f"{{'standing': lambda group: {standing}, 'most': 1}}")
    settings = TrackSettings(tracks=4, vote="odd", fast="exact")
    with pytest.raises(UserMistake, match=f"'odd' of the package mine 1.0 .*{reason}"):
        is_decided(TRACKS, 1, "integer", settings)


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_a_rule_that_does_not_hold_together_is_refused_before_the_run(
    rule, tmp_path, changes, reason
):
    place = Place.made(tmp_path)
    rule(changes)
    said = place.speclrm("parallel", "--vote odd")
    assert (said.code, reason in said.sentence) == (2, True)
    assert not place.run("parallel").exists()


@pytest.mark.parametrize("changes", [FAILING[0][0], FAILING[2][0], REFUSED[0][0]])
def test_the_other_rules_vote_and_the_one_that_fails_is_named(rule, tmp_path, changes):
    place = Place.made(tmp_path)
    assert place.speclrm("parallel").code == 0
    rule(changes)
    every = speclrm(f"vote {place.run('parallel')} --format json")
    assert every.code == 0
    assert "majority" in {one["rule"] for one in json.loads(every.out)}
    assert "Warning: The vote rule 'odd' of the package mine 1.0 cannot be used" in every.sentence
    alone = speclrm(f"vote {place.run('parallel')} --rule odd")
    assert (alone.code, alone.err.startswith("Error: The vote rule 'odd' of")) == (2, True)
    assert speclrm(f"vote {place.run('parallel')} --rule majority").err == ""


def test_a_rule_that_fails_in_a_run_is_an_error_record_with_its_own_place(rule, tmp_path):
    place = Place.made(tmp_path)
    rule(FAILING[0][0])
    assert place.speclrm("parallel", "--vote odd").code == 1
    for attempt in place.attempts("parallel"):
        assert "'odd' of the package mine 1.0" in attempt.error.message
        assert attempt.error.traceback[-1].startswith("mine/__init__.py:")
