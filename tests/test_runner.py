"""A run makes what is missing, once; failures are records; a dead engine comes back or ends it."""

import asyncio
import io
import itertools
import json
import os
import re
import signal
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from test_records import ATTEMPT

from pipeline import reasoners
from pipeline.cli import progress as bars
from pipeline.cli.progress import detail
from pipeline.engines.protocol import Completion
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineDead, EngineFailure, RunStopped, UserMistake
from pipeline.experiment import Experiment, engine_identity
from pipeline.ledger import Ledger
from pipeline.records import Tokens
from pipeline.runs import runner
from pipeline.runs.attempt_keys import Asked
from pipeline.runs.bugs import FIRST, MOST_FRAMES, frames_of
from pipeline.runs.directory import read_attempts, read_manifest
from pipeline.runs.durable_lines import REPLACED
from pipeline.runs.lock import LOCK
from pipeline.runs.recorded import Recorded
from pipeline.runs.scheduler import Progress

PROBLEMS = 12


@pytest.fixture
def experiment(tmp_path):
    """Twelve small problems on a scripted engine; each answer depends on its seed."""
    data = tmp_path / "sums.jsonl"
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(PROBLEMS)]
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    return Experiment(
        reasoner="baseline",
        target=EngineSettings("scripted", "m", script=script(tmp_path)),
        dataset=None,
        data_file=data,
        repeats=2,
    )


def script(tmp_path, name="script.json", **body):
    file = tmp_path / name
    file.write_text(json.dumps(body))
    return file


def with_script(experiment, file):
    return replace(experiment, target=replace(experiment.target, script=file))


def made(run):
    return {attempt.key: attempt for attempt in read_attempts(run)}


def files(run):
    """The content of every file; only the lock's owner may change."""
    there = (path for path in run.rglob("*") if path.is_file() and path.name != LOCK)
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in there}


def written(attempt):
    """What a model wrote for an attempt, without clock readings."""
    return attempt.seed, attempt.response, attempt.answer, attempt.usage


def test_every_attempt_is_recorded_once(experiment, tmp_path):
    summary = runner.run(experiment, tmp_path / "run")
    assert (summary.done, summary.failed, summary.remaining) == (24, 0, 0)
    keys = [attempt.key for attempt in read_attempts(tmp_path / "run")]
    assert sorted(keys) == sorted((str(n), repeat) for n in range(PROBLEMS) for repeat in range(2))


def test_the_same_command_does_nothing_more(experiment, tmp_path):
    runner.run(experiment, tmp_path / "run")
    again = runner.run(experiment, tmp_path / "run")
    assert (again.done, again.already_done) == (0, 24)


def test_a_wider_range_and_more_repeats_add(experiment, tmp_path):
    runner.run(replace(experiment, problem_range="first:3", repeats=1), tmp_path / "run")
    summary = runner.run(replace(experiment, repeats=3), tmp_path / "run")
    assert (summary.already_done, summary.done) == (3, 33)
    manifest = read_manifest(tmp_path / "run")
    assert manifest["slice"] == {"problem_ids": [str(n) for n in range(12)], "repeats": 3}
    assert len(manifest["sessions"]) == 2


def test_a_narrower_command_does_not_narrow_the_slice(experiment, tmp_path):
    runner.run(experiment, tmp_path / "run")
    runner.run(replace(experiment, problem_range="3", repeats=3), tmp_path / "run")
    assert read_manifest(tmp_path / "run")["slice"]["repeats"] == 3
    assert len(read_manifest(tmp_path / "run")["slice"]["problem_ids"]) == PROBLEMS


def test_an_older_manifest_is_widened_although_nothing_is_missing(experiment, tmp_path):
    run = tmp_path / "run"
    runner.run(replace(experiment, problem_range="first:3", repeats=1), run)
    older = (run / "run.json").read_bytes()
    runner.run(experiment, run)
    (run / "run.json").write_bytes(older)
    assert runner.run(experiment, run).done == 0
    assert read_manifest(run)["slice"] == {
        "problem_ids": [str(n) for n in range(PROBLEMS)],
        "repeats": 2,
    }
    assert read_manifest(run)["sessions"] == json.loads(older)["sessions"]


def torn(run):
    """Half a line at the end of a problem's file, as a kill leaves it."""
    file = run / "problems" / "sums-1.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    return file


def test_a_torn_line_is_told_and_its_attempt_is_made_again(experiment, tmp_path):
    run = tmp_path / "run"
    runner.run(experiment, run)
    before = torn(run).read_bytes().splitlines()
    summary = runner.run(experiment, run)
    assert summary.done == 1
    assert any("sums-1.jsonl was torn" in warning for warning in summary.warnings)
    assert (run / "torn.txt").read_bytes().splitlines() == before[1:]
    assert len(made(run)) == 2 * PROBLEMS


def test_a_refused_run_cuts_nothing(experiment, tmp_path):
    run = tmp_path / "run"
    runner.run(experiment, run)
    torn(run)
    (run / "problems" / "mine.jsonl").write_text('{"my": 1}\n{"precious": "data"}')
    before = files(run)
    with pytest.raises(UserMistake, match=r"mine\.jsonl, line 1 is not an attempt"):
        runner.run(experiment, run)
    (run / "problems" / "mine.jsonl").unlink()
    malformed = script(tmp_path, "malformed.json", faults={"no such": []})
    with pytest.raises(UserMistake, match=r"malformed\.json"):
        runner.run(with_script(experiment, malformed), run)
    assert files(run) == {name: text for name, text in before.items() if "mine" not in name}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed: 0 recorded, 1 asked"),
        ({"temperature": 0.1}, "temperature: 0.6 recorded, 0.1 asked"),
        ({"token_budget": 7}, "token_budget: 8192 recorded, 7 asked"),
    ],
)
def test_a_changed_setting_is_refused_with_the_difference(experiment, tmp_path, change, named):
    runner.run(experiment, tmp_path / "run")
    with pytest.raises(UserMistake, match=named):
        runner.run(replace(experiment, **change), tmp_path / "run")


def test_concurrency_memory_and_limits_of_time_may_change(experiment, tmp_path):
    runner.run(replace(experiment, problem_range="1"), tmp_path / "run")
    target = replace(experiment.target, request_timeout=100.0)
    runner.run(replace(experiment, concurrency=1, target=target), tmp_path / "run")
    assert len(made(tmp_path / "run")) == 24
    less = EngineSettings("vllm", "m", gpu_memory_utilization=0.3, max_num_seqs=2, step_timeout=9.0)
    assert engine_identity(less) == engine_identity(EngineSettings("vllm", "m"))


def test_what_else_is_in_flight_changes_nothing(experiment, tmp_path):
    runner.run(replace(experiment, concurrency=1), tmp_path / "one")
    runner.run(replace(experiment, concurrency=16), tmp_path / "many")
    one, many = made(tmp_path / "one"), made(tmp_path / "many")
    assert {key: written(a) for key, a in one.items()} == {k: written(a) for k, a in many.items()}


def test_repeats_differ(experiment, tmp_path):
    runner.run(replace(experiment, problem_range="1", repeats=8), tmp_path / "run")
    assert len({attempt.response for attempt in read_attempts(tmp_path / "run")}) > 1


def test_a_failing_request_is_an_error_record_and_the_rest_goes_on(experiment, tmp_path):
    broken = script(tmp_path, "broken.json", faults={"fail": [5, 9]})
    summary = runner.run(with_script(experiment, broken), tmp_path / "run")
    assert (summary.done, summary.failed) == (24, 2)
    errors = [a for a in read_attempts(tmp_path / "run") if a.status == "error"]
    assert len(errors) == 2
    assert all(error.error is not None and error.error.message for error in errors)


def test_retry_errors_makes_only_the_failed_ones_again(experiment, tmp_path):
    broken = script(tmp_path, "broken.json", faults={"fail": [5, 9]})
    runner.run(with_script(experiment, broken), tmp_path / "run")
    summary = runner.run(experiment, tmp_path / "run", retry_errors=True)
    assert (summary.already_done, summary.done, summary.failed) == (22, 2, 0)
    assert len(made(tmp_path / "run")) == 24


def test_force_makes_the_asked_slice_again(experiment, tmp_path):
    runner.run(experiment, tmp_path / "run")
    summary = runner.run(replace(experiment, problem_range="0-1"), tmp_path / "run", force=True)
    assert (summary.planned, summary.done) == (4, 4)
    assert len(made(tmp_path / "run")) == 24


@pytest.mark.parametrize("again", [{"force": True}, {"retry_errors": True}])
def test_an_engine_that_does_not_start_leaves_what_was_to_be_made_again(
    experiment, tmp_path, again
):
    failing = script(tmp_path, "failing.json", faults={"fail": [5, 9]})
    runner.run(with_script(experiment, failing), tmp_path / "run")
    before = files(tmp_path / "run")
    broken = script(tmp_path, "broken.json", faults={"no such": []})
    with pytest.raises(UserMistake, match=r"broken\.json"):
        runner.run(with_script(experiment, broken), tmp_path / "run", **again)
    assert files(tmp_path / "run") == before


def test_force_that_ends_half_way_leaves_every_attempt_once(experiment, tmp_path):
    runner.run(experiment, tmp_path / "run")
    dying = script(tmp_path, "dying.json", faults={"die": list(range(6, 100))})
    one_by_one = replace(with_script(experiment, dying), concurrency=1)
    with pytest.raises(RunStopped):
        runner.run(one_by_one, tmp_path / "run", force=True)
    saved = (tmp_path / "run" / REPLACED).read_bytes().splitlines()
    assert 0 < len(saved) < 24
    assert len(made(tmp_path / "run")) == 24
    assert runner.run(experiment, tmp_path / "run").done == 0


@pytest.mark.parametrize("again", [{}, {"force": True}, {"retry_errors": True}])
def test_a_corrupt_line_is_named_and_kept(experiment, tmp_path, again):
    runner.run(experiment, tmp_path / "run")
    file = tmp_path / "run" / "problems" / "sums-3.jsonl"
    file.write_bytes(b"garbage\n" + file.read_bytes())
    before = files(tmp_path / "run")
    with pytest.raises(UserMistake, match=r"sums-3\.jsonl, line 1 is not .* move that line"):
        runner.run(experiment, tmp_path / "run", **again)
    assert files(tmp_path / "run") == before


@pytest.mark.parametrize("change", [{}, {"seed": 1}])
@pytest.mark.parametrize("missing", [True, False])
def test_attempts_without_a_manifest_are_refused_and_left(experiment, tmp_path, change, missing):
    runner.run(replace(experiment, repeats=1) if missing else experiment, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    before = files(tmp_path / "run")
    with pytest.raises(UserMistake, match=r"attempts and no run\.json, .* restore run\.json"):
        runner.run(replace(experiment, **change), tmp_path / "run")
    assert files(tmp_path / "run") == before


def test_an_engine_that_dies_once_comes_back_and_nothing_is_lost(experiment, tmp_path):
    dying = script(tmp_path, "dying.json", faults={"die": [6]})
    summary = runner.run(with_script(experiment, dying), tmp_path / "run")
    assert (summary.done, summary.failed) == (24, 0)


def test_an_engine_that_keeps_dying_ends_the_run_and_keeps_what_is_done(experiment, tmp_path):
    dying = script(tmp_path, "dying.json", faults={"die": list(range(6, 100))})
    with pytest.raises(RunStopped, match=r"died 4 times \([^;]*\); run the same command"):
        runner.run(replace(with_script(experiment, dying), concurrency=1), tmp_path / "run")
    kept = len(made(tmp_path / "run"))
    summary = runner.run(experiment, tmp_path / "run")
    assert (summary.already_done, summary.done) == (kept, 24 - kept)
    assert kept > 0


def test_a_run_whose_engine_does_not_start_leaves_no_folder(experiment, tmp_path):
    broken = script(tmp_path, "broken.json", faults={"no such": []})
    with pytest.raises(UserMistake, match=r"broken\.json"):
        runner.run(with_script(experiment, broken), tmp_path / "results" / "run")
    assert list((tmp_path / "results").iterdir()) == []


def test_a_later_session_whose_engine_does_not_start_changes_nothing(experiment, tmp_path):
    runner.run(replace(experiment, repeats=1), tmp_path / "run")
    before = read_manifest(tmp_path / "run"), made(tmp_path / "run")
    broken = script(tmp_path, "broken.json", faults={"no such": []})
    with pytest.raises(UserMistake, match=r"broken\.json"):
        runner.run(with_script(experiment, broken), tmp_path / "run")
    assert (read_manifest(tmp_path / "run"), made(tmp_path / "run")) == before


def test_the_log_of_an_engine_that_does_not_start_is_named(experiment, tmp_path, monkeypatch):
    class Failing:
        def __init__(self, settings):
            self.log = settings.log

        async def start(self):
            self.log.write_text("why")
            raise RunStopped("it does not start")

        async def stop(self):
            pass

    monkeypatch.setattr(runner, "create", Failing)
    with pytest.raises(RunStopped, match=r"it does not start; the engine's log is .*engine\.log"):
        runner.run(experiment, tmp_path / "run")
    assert (tmp_path / "run.engine.log").read_text() == "why"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_engines_start_stops_them_and_leaves_no_folder(
    experiment, tmp_path, monkeypatch, number
):
    stopped = []

    class Starting:
        def __init__(self, settings):
            pass

        async def start(self):
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()

        async def stop(self):
            stopped.append(number)

    monkeypatch.setattr(runner, "create", Starting)
    before = signal.getsignal(number)
    with pytest.raises(RunStopped, match="Interrupted"):
        runner.run(experiment, tmp_path / "run")
    assert stopped == [number]
    assert not (tmp_path / "run").exists()
    assert signal.getsignal(number) is before


@given(recorded=st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 4))))
def test_asked_and_recorded_share_out_every_key(recorded):
    asked = Asked({"a": None, "b": None}, repeats=3)
    repeats = {p: sum(1 << r for q, r in recorded if q == p) for p, _ in recorded}
    missing = [(work.problem, work.repeat_id) for work in asked.missing(Recorded(repeats))]
    assert len(list(asked)) == len(asked) == 6
    assert len(missing) == len(set(asked) - recorded)
    assert {key for key in recorded if key in asked} == set(asked) & recorded
    assert {key for key in recorded if key in Recorded(repeats)} == recorded


def test_a_run_works_inside_a_running_event_loop(experiment, tmp_path):
    async def notebook_cell():
        return runner.run(experiment, tmp_path / "run")

    assert asyncio.run(notebook_cell()).done == 24


def buggy(monkeypatch, when=lambda assignment: True, error=ZeroDivisionError):
    """A baseline with a bug, met by some assignments."""
    whole = runner.reasoners.load("baseline")

    async def reason(assignment):
        if when(assignment):
            raise error("division by zero")
        return await whole(assignment)

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)


def test_a_bug_in_a_reasoner_is_a_record_with_its_name_and_its_place(
    experiment, tmp_path, monkeypatch
):
    buggy(monkeypatch)
    summary = runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    assert summary.failed == 1
    [attempt] = read_attempts(tmp_path / "run")
    assert (attempt.status, attempt.error.type) == ("error", "ZeroDivisionError")
    frames = attempt.error.traceback
    assert frames[0].startswith("pipeline/runs/scheduler.py:")
    assert re.fullmatch(r"test_runner\.py:\d+ in reason: raise error\(.*\)", frames[-1])


def test_what_an_engine_failed_at_has_no_traceback(experiment, tmp_path):
    broken = script(tmp_path, "broken.json", faults={"fail": [1]})
    runner.run(with_script(experiment, broken), tmp_path / "run")
    [error] = [one.error for one in read_attempts(tmp_path / "run") if one.error is not None]
    assert error.traceback is None


def test_the_frames_of_an_endless_recursion_are_bounded():
    def deeper():
        deeper()

    try:
        deeper()
    except RecursionError as error:
        frames = frames_of(error)
    assert len(frames) == MOST_FRAMES
    assert "in deeper: deeper()" in frames[-1]


def test_a_run_says_at_its_end_which_error_was_the_commonest_how_often_and_where(
    experiment, tmp_path, monkeypatch
):
    buggy(monkeypatch, when=lambda assignment: assignment.problem.problem_id != "1")
    three = replace(experiment, problem_range="0-2", repeats=1)
    summary = runner.run(three, tmp_path / "run")
    assert re.fullmatch(
        r"2 of 2 by ZeroDivisionError: division by zero \(test_runner\.py:\d+ in reason: .*\)",
        summary.commonest_failure,
    )
    monkeypatch.undo()
    assert runner.run(three, tmp_path / "run", retry_errors=True).commonest_failure is None


@pytest.mark.parametrize("returned", ["tracks without bookings", None])
def test_an_attempt_whose_reasoner_books_nothing_or_returns_nothing_is_an_error_record(
    experiment, tmp_path, monkeypatch, returned
):
    whole = runner.reasoners.load("baseline")

    async def reason(assignment):
        outcome = await whole(replace(assignment, ledger=Ledger()))
        return outcome if returned else None

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)
    runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    [attempt] = read_attempts(tmp_path / "run")
    assert attempt.status == "error"
    assert ("assignment.ledger.book" if returned else "instead of an Outcome") in (
        attempt.error.message
    )


def twin(outcome):
    return replace(outcome, tracks=(*outcome.tracks, *outcome.tracks))


def foreign(outcome):
    [track] = outcome.tracks
    steps = tuple(replace(step, author="ghost") for step in track.steps)
    return replace(outcome, tracks=(replace(track, steps=steps),))


def listed(outcome):
    return replace(outcome, tracks=list(outcome.tracks))


def listed_steps(outcome):
    [track] = outcome.tracks
    return replace(outcome, tracks=(replace(track, steps=list(track.steps)),))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (twin, "its tracks are called 0, 0: each needs its own id"),
        (foreign, "it names the model 'ghost', as a step's author or in the ledger"),
        (listed, "the outcome's tracks are a list, and no tuple"),
        (listed_steps, "a track's steps are a list, and no tuple"),
    ],
)
def test_an_outcome_that_contradicts_itself_or_its_models_is_an_error_record(
    experiment, tmp_path, monkeypatch, change, sentence
):
    whole = runner.reasoners.load("baseline")

    async def reason(assignment):
        return change(await whole(assignment))

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)
    runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    [attempt] = read_attempts(tmp_path / "run")
    assert sentence in attempt.error.message


def test_tokens_booked_for_a_model_that_there_is_not_are_an_error_record(
    experiment, tmp_path, monkeypatch
):
    whole = runner.reasoners.load("baseline")

    async def reason(assignment):
        outcome = await whole(assignment)
        assignment.ledger.book("ghost", "plain", Completion("", (1,), "stop", None, 1, 0, 0.0))
        return outcome

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)
    runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    [attempt] = read_attempts(tmp_path / "run")
    assert "it names the model 'ghost'" in attempt.error.message


def test_code_of_an_attempt_that_ends_the_program_ends_only_the_attempt(
    experiment, tmp_path, monkeypatch
):
    async def reason(assignment):
        raise SystemExit(3)

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)
    runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    [attempt] = read_attempts(tmp_path / "run")
    assert "ended the program (SystemExit: 3)" in attempt.error.message
    assert "raise SystemExit(3)" in attempt.error.traceback[-1]


def test_an_engine_that_dies_under_tracks_in_a_task_group_is_mended_and_the_attempt_repeated(
    experiment, tmp_path, monkeypatch
):
    whole, died = runner.reasoners.load("baseline"), []

    async def die():
        raise EngineDead("gone")

    async def reason(assignment):
        async with asyncio.TaskGroup() as group:
            if not died:
                died.append(group.create_task(die()))
            outcome = group.create_task(whole(assignment))
        return outcome.result()

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)
    runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    [attempt] = read_attempts(tmp_path / "run")
    assert attempt.status == "ok"


def test_a_bug_in_a_task_group_is_named_and_not_the_group(experiment, tmp_path, monkeypatch):
    async def bug():
        raise ZeroDivisionError("by nought")

    async def reason(assignment):
        async with asyncio.TaskGroup() as group:
            group.create_task(bug())

    monkeypatch.setattr(runner.reasoners, "load", lambda name: reason)
    runner.run(replace(experiment, problem_range="1", repeats=1), tmp_path / "run")
    [attempt] = read_attempts(tmp_path / "run")
    assert (attempt.error.type, attempt.error.message) == ("ZeroDivisionError", "by nought")


def test_a_run_whose_first_attempts_meet_the_same_bug_stops_and_keeps_them(
    experiment, tmp_path, monkeypatch
):
    buggy(monkeypatch)
    said = r"first 8 attempts all failed .* ZeroDivisionError: division by zero .*--retry-errors"
    with pytest.raises(RunStopped, match=said):
        runner.run(replace(experiment, concurrency=1), tmp_path / "run")
    assert FIRST <= len(made(tmp_path / "run")) < 2 * PROBLEMS
    monkeypatch.undo()
    assert runner.run(experiment, tmp_path / "run", retry_errors=True).failed == 0
    assert len(made(tmp_path / "run")) == 2 * PROBLEMS


GOES_ON = {
    "that spares one of the first": {"when": lambda one: one.problem.problem_id != "7"},
    "of the problems after the first": {"when": lambda one: int(one.problem.problem_id) > 0},
    "that is an engine's failure": {"error": EngineFailure},
}


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("bug", GOES_ON)
def test_a_run_goes_on_with_a_bug(experiment, tmp_path, monkeypatch, bug, concurrency):
    buggy(monkeypatch, **GOES_ON[bug])
    summary = runner.run(replace(experiment, concurrency=concurrency), tmp_path / "run")
    assert (summary.done, summary.remaining) == (2 * PROBLEMS, 0)
    assert summary.failed > PROBLEMS


def sometimes(monkeypatch, act):
    """Let the baseline do `act` to what its second attempt comes to."""
    right, calls = reasoners.load("baseline"), itertools.count()

    async def odd(assignment):
        outcome = await right(assignment)
        return outcome if next(calls) != 1 else act(outcome)

    monkeypatch.setattr(reasoners, "load", lambda name: odd)


def test_a_cancellation_that_comes_from_the_engine_is_an_error_record(
    experiment, tmp_path, monkeypatch
):
    def cancelled(_outcome):
        raise asyncio.CancelledError

    sometimes(monkeypatch, cancelled)
    summary = runner.run(experiment, tmp_path / "run")
    assert (summary.done, summary.failed, summary.remaining) == (24, 1, 0)
    [failed] = [one for one in made(tmp_path / "run").values() if one.status == "error"]
    assert failed.error.message == "a request was cancelled by its engine, not by the run"


@pytest.mark.parametrize(
    "wrong", [{"response": 7}, {"answer": "\ud835"}, {"tracks": ("no track",)}], ids=str
)
def test_an_attempt_that_could_not_be_read_back_is_an_error_record(
    experiment, tmp_path, monkeypatch, wrong
):
    sometimes(monkeypatch, lambda outcome: replace(outcome, **wrong))
    summary = runner.run(experiment, tmp_path / "run")
    assert (summary.done, summary.failed, summary.remaining) == (24, 1, 0)
    [failed] = [one for one in made(tmp_path / "run").values() if one.status == "error"]
    assert failed.error.type == "UnreadableAttempt"


def test_a_request_that_hangs_is_given_up_after_its_time_and_the_rest_goes_on(experiment, tmp_path):
    hanging = script(tmp_path, "hanging.json", faults={"hang": [5]})
    target = replace(experiment.target, script=hanging, request_timeout=1.0)
    summary = runner.run(replace(experiment, target=target), tmp_path / "run")
    assert (summary.done, summary.failed, summary.remaining) == (24, 1, 0)
    [failed] = [one for one in made(tmp_path / "run").values() if one.status == "error"]
    assert failed.error.type == "TooSlow"
    assert (
        "not finished within 1 s and was cancelled; raise --request-timeout" in failed.error.message
    )


@pytest.mark.parametrize("counts", [(3, None), (None, 3), (None,)])
def test_the_progress_line_invents_no_speed_where_tokens_are_not_counted(counts):
    progress = Progress(total=3)
    for generated in counts:
        usage = {"target": {"plain": Tokens(None, None, generated, None, None, None)}}
        progress.ended(replace(ATTEMPT, usage=usage))
    assert "0 failed, ? tokens/s" in detail(progress)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_bars_figures_stay_whole_beside_replicas_that_are_gone(monkeypatch, width):
    said = io.StringIO()
    console = Console(file=said, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(bars, "safe_console", lambda **_: console)
    ended = threading.Event()
    ended.set()
    gone = {f"http://node-{n}.example:8000/v1" for n in range(3)}
    bars._show_bar(Progress(total=10_000, done=1234, gone=gone), ended)
    assert " 1234/10000 0 failed," in said.getvalue()
    assert " ETA -:--:--" in said.getvalue()


def test_the_progress_line_says_how_long_a_server_asks_to_wait():
    progress = Progress(total=3)
    assert "asks to wait" not in detail(progress)
    progress.asked_to_wait(1000.0)
    progress.asked_to_wait(12.0)  # another request's: the longer wait is told
    assert re.search(r"0 failed, 0 tokens/s, server asks to wait (1000|99\d) s", detail(progress))


def test_the_name_is_a_pure_function_of_the_settings(experiment):
    assert experiment.name() == replace(experiment, concurrency=1, repeats=9).name()
    assert experiment.name() != replace(experiment, seed=1).name()
    assert experiment.name().startswith("sums-baseline-m-")


@pytest.mark.parametrize("name", ["my sums.jsonl", "sümmen.jsonl", "sums (1).v2.jsonl"])
def test_a_run_on_a_file_of_any_name_can_be_continued(experiment, tmp_path, name):
    named = replace(experiment, data_file=experiment.data_file.rename(tmp_path / name), repeats=1)
    assert runner.run(named, tmp_path / "run").done == PROBLEMS
    assert runner.run(replace(named, repeats=2), tmp_path / "run").done == PROBLEMS
