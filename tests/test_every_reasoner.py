"""What holds of every reasoner's runs: kills, Ctrl-C, dying engines, bad input, other settings."""

import re
import signal

import pytest
from commands import speclrm
from scripted_runs import EVERY, HANGS, PROBLEMS, Place, ended, once, statuses

from pipeline.reasoners import REASONERS

ALL = list(REASONERS)
WITH_DRAFT = [name for name, known in REASONERS.items() if known.uses_draft]
SLOW = {"decode_token": 0.012}
"""Seconds a token: the shortest attempt takes a third of a second, so a blow finds some left."""


@pytest.fixture(autouse=True)
def _hard_limit():
    """A test that hangs fails; no boundary of the program catches how."""

    def fail(number, frame):
        pytest.fail(f"it hangs: longer than {HANGS} seconds")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def place(tmp_path):
    return Place.made(tmp_path)


def slow(place):
    place.script("target", latency=SLOW)
    place.script("draft", latency=SLOW)


@pytest.mark.parametrize("reasoner", ALL)
def test_kill_dash_nine_and_the_same_command_leave_every_attempt_once(place, reasoner):
    slow(place)
    killed = place.struck(reasoner, signal.SIGKILL, "--repeats 2 --concurrency 2")
    before = place.keys(reasoner)
    assert killed.code == -signal.SIGKILL
    assert 1 <= len(before) < 2 * PROBLEMS
    place.script("target")
    place.script("draft")
    said = place.speclrm(reasoner, "--repeats 2")
    assert said.out.startswith(f"{2 * PROBLEMS - len(before)} attempts made, {len(before)} there")
    assert place.keys(reasoner) == once(2)


@pytest.mark.parametrize("reasoner", ALL)
def test_ctrl_c_records_what_is_in_flight_and_the_same_command_completes(place, reasoner):
    slow(place)
    said = place.struck(reasoner, signal.SIGINT, "--concurrency 2")
    made = place.keys(reasoner)
    assert said.code == 3
    assert "attempts in flight and starting no more" in said.err
    assert "Traceback" not in said.err
    assert 1 <= len(made) < PROBLEMS
    assert statuses(place.attempts(reasoner)) == {"ok"}
    place.script("target")
    place.script("draft")
    assert place.speclrm(reasoner).code == 0
    assert place.keys(reasoner) == once()


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("reasoner", ["parallel", "spec-async", "spec-methods"])
def test_sigterm_drops_the_tracks_in_flight_and_the_same_command_completes(place, reasoner, blow):
    slow(place)
    said = place.struck(reasoner, blow, "--concurrency 2")
    made = place.keys(reasoner)
    assert (said.code, "in flight were dropped" in said.sentence) == (3, True)
    assert "Traceback" not in said.err
    assert 1 <= len(made) < PROBLEMS
    place.script("target")
    place.script("draft")
    assert place.speclrm(reasoner).out.startswith(f"{PROBLEMS - len(made)} attempts made")
    assert place.keys(reasoner) == once()


@pytest.mark.parametrize(
    ("reasoner", "dying"), [(one, "target") for one in ALL] + [(one, "draft") for one in WITH_DRAFT]
)
class TestAnEngineThatDies:
    def test_once_comes_back_and_nothing_is_lost(self, place, reasoner, dying):
        place.script(dying, faults={"die": [5]})
        assert place.speclrm(reasoner).code == 0
        assert place.keys(reasoner) == once()
        assert statuses(place.attempts(reasoner)) == {"ok"}

    def test_again_and_again_ends_the_run_and_keeps_what_is_done(self, place, reasoner, dying):
        place.script(dying, faults={"die": EVERY[24:]})
        said = place.speclrm(reasoner, "--concurrency 1 --repeats 5")
        kept = place.keys(reasoner)
        assert (said.code, "died 4 times" in said.sentence) == (3, True)
        assert 0 < len(kept) < 5 * PROBLEMS
        place.script(dying)
        again = place.speclrm(reasoner, "--repeats 5")
        assert again.out.startswith(f"{5 * PROBLEMS - len(kept)} attempts made")
        assert place.keys(reasoner) == once(5)


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


@pytest.mark.parametrize("reasoner", ALL)
def test_a_prompt_longer_than_the_context_is_an_error_record(place, reasoner):
    place.script("target", context=20)
    assert place.speclrm(reasoner).code == 1
    attempts = place.attempts(reasoner)
    assert {attempt.error.type for attempt in attempts} == {"PromptTooLong"}
    assert all("model's context 20: no room" in attempt.error.message for attempt in attempts)
    assert place.keys(reasoner) == once()


@pytest.mark.parametrize("reasoner", ALL)
def test_retry_errors_makes_the_failed_attempts_again_and_no_other(place, reasoner):
    place.speclrm(reasoner, "--problem-id first:2")
    place.script("target", faults={"fail": EVERY})
    assert place.speclrm(reasoner).code == 1
    assert [one.status for one in place.attempts(reasoner)] == ["ok"] * 2 + ["error"] * 4
    place.script("target")
    assert place.speclrm(reasoner).out.startswith("0 attempts made, 6 there already")
    said = place.speclrm(reasoner, "--retry-errors")
    assert (said.code, said.out.split(", ")[:2]) == (0, ["4 attempts made", "2 there already"])
    assert place.keys(reasoner) == once()
    assert statuses(place.attempts(reasoner)) == {"ok"}


CHANGES = {
    "baseline": ("--temperature 0.1", "temperature: 0.6 recorded, 0.1 asked"),
    "parallel": ("--use-role-prompts", "tracks.prompts: 'same' recorded, 'roles' asked"),
    "spec": ("--score-method average", "steps.score_method: 'greedy' recorded, 'average' asked"),
    "spec-async": ("--draft-model other", "draft.model: 'scripted' recorded, 'other' asked"),
    "spec-methods": ("--method-num 2", "tracks.tracks: 3 recorded, 2 asked"),
}


@pytest.mark.parametrize("reasoner", ALL)
@pytest.mark.parametrize("own", [True, False])
def test_changed_settings_are_refused_with_the_difference(place, reasoner, own):
    common = ("--seed 1", "seed: 0 recorded, 1 asked")
    options, difference = CHANGES[reasoner] if own else common
    place.speclrm(reasoner, "--problem-id first:2")
    before = place.contents(reasoner)
    said = place.speclrm(reasoner, options)
    assert (said.code, difference in said.sentence) == (2, True)
    assert place.contents(reasoner) == before


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


BAD_INPUT = [
    ("--problem-id 9", "problem 9 is not in sums"),
    ("--repeats 0", "--repeats is 0; it must be 1 or more"),
    ("--token-budget 0", "--token-budget is 0; it must be 1 or more"),
    ("--use-role-promptz", "No such option '--use-role-promptz'"),
    ("--script nowhere.json", "nowhere.json cannot be read"),
    ("--prompts nowhere", "no folder with .j2 files"),
]


@pytest.mark.parametrize("reasoner", ALL)
@pytest.mark.parametrize(("options", "sentence"), BAD_INPUT, ids=[one for one, _ in BAD_INPUT])
def test_bad_input_is_told_in_a_sentence(place, reasoner, options, sentence):
    said = speclrm(place.command(reasoner, options))
    assert (said.code, sentence in said.sentence) == (2, True)
    assert "Traceback" not in said.err
    assert not list(place.run(reasoner).glob("problems/*"))
