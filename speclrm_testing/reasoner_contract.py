"""What every reasoner's runs hold to: subclass `ReasonerContract` and name yours."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType, MappingProxyType

import pytest

from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.reasoners import entry
from pipeline.records import Attempt, Step
from speclrm_testing.scripted_runs import CHAIN, EVERY, HANGS, PROBLEMS, Place, Rule, once, statuses

SLOW = {"decode_token": 0.012}
"""Seconds a token: the shortest attempt takes a third of a second, so a blow finds some left."""
BAD_INPUT = [
    ("--problem-id 9", "problem 9 is not in sums"),
    ("--repeats 0", "--repeats is 0; it must be 1 or more"),
    ("--token-budget 0", "--token-budget is 0; it must be 1 or more"),
    ("--no-such-option 1", "No such option '--no-such-option'"),
    ("--script nowhere.json", "nowhere.json cannot be read"),
    ("--prompts nowhere", "no folder with .j2 files"),
]


class ReasonerContract:
    """The tests of one reasoner, on whole runs with scripted engines.

    A subclass names the reasoner; `options` are given to every command, and `change` is an option
    of its own with the difference that a resume under it is refused for. `rules` are what models
    say, by role: what a judge is asked and answers is known to its reasoner alone. Without them the
    target is right, every other model wrong, and every request for a score gets one.
    """

    reasoner: str
    options: str = ""
    rules: Mapping[str, Sequence[Rule]] = MappingProxyType({})
    change: tuple[str, str] = ("--seed 1", "seed: 0 recorded, 1 asked")

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        """Six problems, and a script for each model."""
        place = Place.made(tmp_path, self.options, self.rules)
        for role in entry(self.reasoner).models:
            place.script(role)
        return place

    @pytest.fixture(autouse=True)
    def _hard_limit(self) -> Iterator[None]:
        """A test that hangs fails; no boundary of the program catches how."""

        def fail(_number: int, _frame: FrameType | None) -> None:
            pytest.fail(f"it hangs: longer than {HANGS} seconds")

        before = signal.signal(signal.SIGALRM, fail)
        signal.setitimer(signal.ITIMER_REAL, HANGS)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    def slow(self, place: Place) -> None:
        """Let all models take their time."""
        for role in entry(self.reasoner).models:
            place.script(role, latency=SLOW)

    def quick(self, place: Place) -> None:
        """Let all models answer at once."""
        for role in entry(self.reasoner).models:
            place.script(role)

    def test_kill_dash_nine_and_the_same_command_leave_every_attempt_once(
        self, place: Place
    ) -> None:
        self.slow(place)
        killed = place.struck(self.reasoner, signal.SIGKILL, "--repeats 2 --concurrency 2")
        before = place.keys(self.reasoner)
        assert killed.code == -signal.SIGKILL
        assert 1 <= len(before) < 2 * PROBLEMS
        self.quick(place)
        said = place.speclrm(self.reasoner, "--repeats 2")
        made = 2 * PROBLEMS - len(before)
        assert said.out.startswith(f"Attempts: {made} made, {len(before)} already recorded")
        assert place.keys(self.reasoner) == once(2)

    def test_ctrl_c_records_what_is_in_flight_and_the_same_command_completes(
        self, place: Place
    ) -> None:
        self.slow(place)
        said = place.struck(self.reasoner, signal.SIGINT, "--concurrency 2")
        made = place.keys(self.reasoner)
        assert said.code == 3  # noqa: PLR2004 - the run could not go on
        assert "attempts in flight and starting no more" in said.err
        assert "Traceback" not in said.err
        assert 1 <= len(made) < PROBLEMS
        assert statuses(place.attempts(self.reasoner)) == {"ok"}
        self.quick(place)
        assert place.speclrm(self.reasoner).code == 0
        assert place.keys(self.reasoner) == once()

    @pytest.mark.parametrize("dying", ["target", "draft", "others"])
    def test_an_engine_that_dies_once_comes_back_and_nothing_is_lost(
        self, place: Place, dying: str
    ) -> None:
        for role in self.roles(dying):
            place.script(role, faults={"die": [5]})
        assert place.speclrm(self.reasoner).code == 0
        assert place.keys(self.reasoner) == once()
        assert statuses(place.attempts(self.reasoner)) == {"ok"}

    @pytest.mark.parametrize("dying", ["target", "draft", "others"])
    def test_an_engine_that_dies_again_and_again_ends_the_run_and_keeps_what_is_done(
        self, place: Place, dying: str
    ) -> None:
        for role in self.roles(dying):
            place.script(role, faults={"die": EVERY[24:]})
        said = place.speclrm(self.reasoner, "--concurrency 1 --repeats 5")
        kept = place.keys(self.reasoner)
        assert (said.code, "died 4 times" in said.sentence) == (3, True)
        assert 0 < len(kept) < 5 * PROBLEMS
        self.quick(place)
        again = place.speclrm(self.reasoner, "--repeats 5")
        assert again.out.startswith(f"Attempts: {5 * PROBLEMS - len(kept)} made")
        assert place.keys(self.reasoner) == once(5)

    def test_a_prompt_longer_than_the_context_is_an_error_record(self, place: Place) -> None:
        place.script("target", context=20)
        assert place.speclrm(self.reasoner).code == 1
        errors = [one.error for one in place.attempts(self.reasoner) if one.error is not None]
        assert {error.type for error in errors} == {"PromptTooLong"}
        assert all("model's context 20: no room" in error.message for error in errors)
        assert place.keys(self.reasoner) == once()

    def test_retry_errors_makes_the_failed_attempts_again_and_no_other(self, place: Place) -> None:
        place.speclrm(self.reasoner, "--problem-id first:2")
        place.script("target", faults={"fail": EVERY})
        assert place.speclrm(self.reasoner).code == 1
        made = [one.status for one in place.attempts(self.reasoner)]
        assert made == ["ok"] * 2 + ["error"] * 4
        place.script("target")
        assert place.speclrm(self.reasoner).out.startswith("Attempts: 0 made, 6 already recorded")
        said = place.speclrm(self.reasoner, "--retry-errors")
        assert (said.code, said.out.split(", ")[:2]) == (
            0,
            ["Attempts: 4 made", "2 already recorded"],
        )
        assert place.keys(self.reasoner) == once()
        assert statuses(place.attempts(self.reasoner)) == {"ok"}

    @pytest.mark.parametrize("own", [True, False])
    def test_changed_settings_are_refused_with_the_difference(
        self, place: Place, own: bool
    ) -> None:
        options, difference = self.change if own else ReasonerContract.change
        place.speclrm(self.reasoner, "--problem-id first:2")
        before = place.contents(self.reasoner)
        said = place.speclrm(self.reasoner, options)
        assert (said.code, difference in said.sentence) == (2, True)
        assert place.contents(self.reasoner) == before

    @pytest.mark.parametrize(
        ("options", "sentence"), BAD_INPUT, ids=[options for options, _ in BAD_INPUT]
    )
    def test_bad_input_is_told_in_a_sentence(
        self, place: Place, options: str, sentence: str
    ) -> None:
        said = place.speclrm(self.reasoner, options)
        assert (said.code, sentence in said.sentence) == (2, True)
        assert "Traceback" not in said.err
        assert not list(place.run(self.reasoner).glob("problems/*"))

    def test_an_attempt_is_a_function_of_problem_repeat_and_seed(self, place: Place) -> None:
        by_seed = {"when": "+1?", "texts": [CHAIN.format(number) for number in range(7)]}
        for role in entry(self.reasoner).models.keys() - self.rules.keys():
            place.script(role, rules=[by_seed, {"when": "", "score": 9}])
        place.speclrm(self.reasoner, "--repeats 2")
        first = {one.key: timeless(one) for one in place.attempts(self.reasoner)}
        place.speclrm(self.reasoner, "--repeats 2 --force --concurrency 1")
        assert {one.key: timeless(one) for one in place.attempts(self.reasoner)} == first

    def test_every_token_that_a_model_writes_is_booked_once(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = []
        complete = ScriptedEngine.complete

        async def counted(*given: object) -> object:
            done = await complete(*given)  # type: ignore[arg-type]
            written.append(done.generated)
            return done

        monkeypatch.setattr(ScriptedEngine, "complete", counted)
        place.speclrm(self.reasoner)
        usages = [one.usage for one in place.attempts(self.reasoner) if one.usage is not None]
        booked = [
            tokens.generated
            for usage in usages
            for uses in usage.values()
            for tokens in uses.values()
        ]
        assert sum(filter(None, booked)) == sum(filter(None, written)) > 0

    def roles(self, which: str) -> list[str]:
        """The target, the draft, or the others; the test is skipped where there are none."""
        models = entry(self.reasoner).models
        wanted = [which] if which != "others" else sorted(models.keys() - {"target", "draft"})
        roles = [role for role in wanted if role in models]
        if not roles:
            pytest.skip(f"the reasoner has no model of the role {which}")
        return roles


def timeless(attempt: Attempt) -> Attempt:
    """The attempt without all that a clock has said."""
    tracks = tuple(
        replace(track, steps=tuple(_timeless_step(step) for step in track.steps))
        for track in attempt.tracks
    )
    return replace(attempt, tracks=tracks, seconds=None, started=None)


def _timeless_step(step: Step) -> Step:
    return replace(step, seconds=None, draft_seconds=None, score_seconds=None)
