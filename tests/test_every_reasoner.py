"""What holds of every reasoner's runs: the contract, and what only ours with drafts do."""

import re
import signal

import pytest

from pipeline.reasoners import REASONERS
from speclrm_testing.commands import speclrm
from speclrm_testing.reasoner_contract import SLOW, ReasonerContract
from speclrm_testing.scripted_runs import EVERY, PROBLEMS, Place, ended, once

WITH_DRAFT = [name for name, known in REASONERS.items() if known.uses_draft]


class TestBaseline(ReasonerContract):
    reasoner = "baseline"
    change = "--temperature 0.1", "temperature: 0.6 recorded, 0.1 asked"


class TestParallel(ReasonerContract):
    reasoner = "parallel"
    change = "--use-role-prompts", "tracks.prompts: 'same' recorded, 'roles' asked"


class TestSpec(ReasonerContract):
    reasoner = "spec"
    change = "--score-method average", "steps.score_method: 'greedy' recorded, 'average' asked"


class TestSpecAsync(ReasonerContract):
    reasoner = "spec-async"
    change = "--draft-model other", "draft.model: 'scripted' recorded, 'other' asked"


class TestSpecMethods(ReasonerContract):
    reasoner = "spec-methods"
    change = "--method-num 2", "tracks.tracks: 3 recorded, 2 asked"


def test_every_built_in_reasoner_is_held_to_the_contract():
    held = {each.reasoner for each in ReasonerContract.__subclasses__()}
    assert held >= set(REASONERS)


@pytest.fixture
def place(tmp_path):
    return Place.made(tmp_path)


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("reasoner", ["parallel", "spec-async", "spec-methods"])
def test_sigterm_drops_the_tracks_in_flight_and_the_same_command_completes(place, reasoner, blow):
    place.script("target", latency=SLOW)
    place.script("draft", latency=SLOW)
    said = place.struck(reasoner, blow, "--concurrency 2")
    made = place.keys(reasoner)
    assert (said.code, "in flight were dropped" in said.sentence) == (3, True)
    assert "Traceback" not in said.err
    assert 1 <= len(made) < PROBLEMS
    place.script("target")
    place.script("draft")
    assert place.speclrm(reasoner).out.startswith(f"Attempts: {PROBLEMS - len(made)} made")
    assert place.keys(reasoner) == once()


@pytest.mark.parametrize("reasoner", WITH_DRAFT)
class TestADraftEngineInTrouble:
    def test_that_hangs_is_given_up_and_the_target_writes_its_steps(self, place, reasoner):
        place.script("draft", faults={"hang": EVERY})
        said = ended(place.process(reasoner, "--draft-request-timeout 0.02"))
        assert said.code == 0
        self.is_all_the_targets(place.attempts(reasoner), "not finished within 0.02 s")

    def test_that_fails_every_request_leaves_its_steps_to_the_target(self, place, reasoner):
        place.script("draft", faults={"fail": EVERY})
        assert place.speclrm(reasoner).code == 0
        self.is_all_the_targets(place.attempts(reasoner), "fail")

    def is_all_the_targets(self, attempts, why):
        steps = [step for one in attempts for track in one.tracks for step in track.steps]
        assert [attempt.answer for attempt in attempts] == [str(n + 1) for n in range(PROBLEMS)]
        assert {step.author for step in steps} == {"target"}
        assert all("no draft: " in step.notes[0] and why in step.notes[0] for step in steps)

    def test_with_a_context_too_short_for_the_problem_ends_in_error_records(self, place, reasoner):
        place.script("draft", context=8)
        assert place.speclrm(reasoner).code == 1
        assert {one.error.type for one in place.attempts(reasoner)} == {"PromptTooLong"}


def test_another_reasoner_is_told_first_and_its_templates_in_one_line(place):
    place.speclrm("baseline", "--problem-id first:1")
    one = place.run("baseline")
    said = speclrm(f"{place.command('spec')} --seed 4 --output-dir {one}")
    assert said.code == 2
    assert "leave it out (then each run has its own in results/)" in said.err
    lines = said.err.partition("Error: ")[2].splitlines()[1:]
    assert lines[0].split() == ["reasoner:", "'baseline'", "recorded,", "'spec'", "asked"]
    assert [line.split(":")[0].strip() for line in lines] == [
        *("reasoner", "draft", "seed", "steps", "tracks", "prompts")
    ]
    assert "draft: none recorded, 'scripted' asked" in said.sentence
    named = r"prompts: \d+ of \d+ templates differ \(\S+, \S+, \S+ and \d+ more\)"
    assert re.search(named, lines[-1])
