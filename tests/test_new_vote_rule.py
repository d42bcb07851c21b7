"""A vote rule is one entry: from it come the option, the vote, its retaking and the page."""

import json
from pathlib import Path

import pytest

from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.reasoners import vote_rules, with_defaults
from pipeline.reasoners.answer_classes import AnswerClass, tokens_of
from pipeline.reasoners.settings import TrackSettings
from pipeline.reasoners.vote_rules import Decision, VoteRule, by_standing
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place


def brevity(group: AnswerClass) -> float:
    return -float(min(map(tokens_of, group.tracks)))


def decide(classes: list[AnswerClass]) -> Decision:
    return by_standing(classes, brevity, lambda track: -tokens_of(track), "the shortest track")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setitem(vote_rules.VOTE_RULES.built_in, "terse", VoteRule("terse", decide, brevity))
    return Place.made(tmp_path)


def test_one_entry_brings_a_rule_to_the_options_of_every_reasoner_that_votes(place: Place) -> None:
    for reasoner in ("parallel", "spec", "spec-async", "spec-methods"):
        assert "terse" in speclrm(f"run {reasoner} --help").out


@pytest.mark.parametrize("fast", ["", "--fast exact", "--fast 2"])
def test_a_new_rule_votes_is_taken_again_resumed_graded_and_shown(place: Place, fast: str) -> None:
    assert place.speclrm("parallel", f"--vote terse {fast}").code == 0
    run = place.run("parallel")
    assert {one.vote.rule for one in place.attempts("parallel") if one.vote} == {"terse"}
    assert "0 made, 6 already" in place.speclrm("parallel", f"--vote terse {fast}").out
    other = place.speclrm("parallel", fast)
    assert (other.code, "tracks.vote: 'terse' recorded, 'majority' asked" in other.err) == (2, True)
    assert speclrm(f"grade {run}").code == 0
    again = json.loads(speclrm(f"vote {run} --rule terse --format json").out)
    assert [(one["rule"], one["changed"]) for one in again] == [("terse", 0.0)]
    assert "vote by terse: the shortest track" in speclrm(f"show {run} --problem-id 1").out
    page = place.folder / "page.html"
    assert speclrm(f"leaderboard {run} --html {page}").code == 0
    assert "terse" in page.read_text()


def test_a_rule_that_there_is_not_is_refused_before_the_run(place: Place) -> None:
    loudest = Experiment(
        "parallel", EngineSettings("scripted", "m"), sections=(TrackSettings(3, vote="loudest"),)
    )
    with pytest.raises(
        UserMistake, match=r"no vote rule 'loudest' \(did you mean longest\?\); there are: majority"
    ):
        with_defaults(loudest)
    place.speclrm("parallel")
    said = speclrm(f"vote {place.run('parallel')} --rule loudest")
    assert (said.code, "There is no vote rule 'loudest'" in said.err) == (2, True)
