"""How far runs are, told from their folders: what runs, what is missing, and what it cost."""

import fcntl
import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from graded_runs import (
    in_windows,
    manifest,
    rewrite_attempts,
    step,
    verdict_row,
    write_attempts,
    write_run,
)
from hypothesis import given
from hypothesis import strategies as st

from evaluators.run_files.run_names import shortened_names
from evaluators.statistics.in_flight import covered
from pipeline.cli.status import duration
from pipeline.runs import lock
from pipeline.runs.directory import RunDirectory
from pipeline.runs.lock import HELD, LOCK, Holder, holder_of
from speclrm_testing.commands import speclrm


def made_run(folder, recorded, *, planned=4, failed=0, **changes):
    """A run that asks for `planned` attempts, of which the first are recorded, all graded."""
    rows = [
        verdict_row(str(n), status="error" if n < failed else "ok") | changes
        for n in range(recorded)
    ]
    run = write_run(folder, {str(n): [True] for n in range(planned)}, rows)
    return write_attempts(run, lambda _: [[step("x")]])


def read(*places):
    said = speclrm(f"status {' '.join(map(str, places))} --json")
    assert said.code == 0
    return json.loads(said.out)


def test_a_run_is_complete_when_every_attempt_is_there_and_its_costs_are_summed(tmp_path):
    made_run(tmp_path / "whole", 4)
    made_run(tmp_path / "part", 3, failed=2)
    told = read(tmp_path)
    part, whole = told["runs"]
    assert (whole["state"], whole["recorded"], whole["planned"]) == ("complete", 4, 4)
    assert (part["state"], part["recorded"], part["errors"]) == ("unfinished", 3, 2)
    assert whole["tokens"] == {"target": 80}
    assert told["sums"]["tokens"] == {"target": 140}
    assert (told["sums"]["runs"], told["sums"]["recorded"], told["sums"]["planned"]) == (2, 7, 8)


def test_a_run_is_running_while_a_process_holds_it_and_what_is_left_is_told_by_its_pace(tmp_path):
    run = made_run(tmp_path / "run", 2)
    began = datetime.now(UTC) - timedelta(seconds=100)
    asked = json.loads((run / "run.json").read_text())
    asked["sessions"] = [{"started": began.isoformat(timespec="seconds")}]
    (run / "run.json").write_text(json.dumps(asked))
    for n, file in enumerate(sorted((run / "problems").glob("*.jsonl"))):
        started = (began + timedelta(seconds=10 * n)).isoformat(timespec="seconds")
        line = json.loads(file.read_text()) | {"started": started, "seconds": 20.0}
        file.write_text(json.dumps(line) + "\n")
    with RunDirectory(run):
        [held] = read(run)["runs"]
    [free] = read(run)["runs"]
    assert (held["state"], held["holder"]) == ("running", f"pid {os.getpid()}")
    assert held["seconds_left"] == pytest.approx(100, rel=0.2)
    assert held["seconds"] == pytest.approx(30)
    assert (free["state"], free["seconds_left"]) == ("unfinished", None)


def test_what_was_computed_and_never_written_is_told_beside_the_tokens_with_all_forwards(tmp_path):
    run = made_run(tmp_path / "run", 2, planned=2)
    rewrite_attempts(run, usage=in_windows())
    told = read(run)
    for sums in (*told["runs"], told["sums"]):
        assert sums["tokens"] == {"target": 80}
        assert sums["computed"] == {"target_assistant": 60, "target": 94}
        assert sums["forwards"] == {"target_assistant": 40, "target": 16}


def test_tokens_that_a_server_does_not_count_are_unknown_and_not_less(tmp_path):
    run = made_run(tmp_path / "run", 1, planned=1)
    [file] = (run / "problems").glob("*.jsonl")
    unknown = {"target": {"plain": {"generated": None}}, "draft": {"kept": {"generated": 5}}}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"usage": unknown}) + "\n")
    assert read(run)["sums"]["tokens"] == {"target": None, "draft": 5}
    assert "– / 5" in speclrm(f"status {run}").out


def test_corrupt_and_foreign_folders_have_a_line_each_and_the_others_are_told(tmp_path):
    made_run(tmp_path / "good", 4)
    made_run(tmp_path / "study" / "deep", 4)
    (tmp_path / "notes").mkdir()
    (tmp_path / "page.html").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "run.json").write_text(json.dumps(manifest([], 1)))
    (tmp_path / "starting").mkdir()
    with RunDirectory(tmp_path / "starting"):
        told = read(tmp_path)
        shown = speclrm(f"status {tmp_path}")
    assert [one["path"].rpartition("/")[2] for one in told["runs"]] == ["good", "deep"]
    reasons = {one["path"].rpartition("/")[2]: one["reason"] for one in told["others"]}
    assert set(reasons) == {"notes", "broken", "empty", "starting"}
    assert reasons["broken"].startswith("run.json is broken (")
    assert "no run.json" in reasons["notes"]
    assert reasons["starting"] == f"starting (pid {os.getpid()})"
    assert shown.code == 0
    assert all(f"{tmp_path / name}: {reason}\n" in shown.out for name, reason in reasons.items())


@pytest.mark.parametrize("lost", ["problems", "problems/pocket-0.jsonl", LOCK])
def test_what_cannot_be_read_of_a_run_is_named_and_not_taken_for_nothing(tmp_path, lost):
    file = made_run(tmp_path / "run", 4) / lost
    if file.is_dir():
        shutil.rmtree(file)
    file.unlink(missing_ok=True)
    file.symlink_to(file)  # which nobody can read, not even the superuser
    made_run(tmp_path / "whole", 4)
    told = read(tmp_path)
    assert [one["path"] for one in told["runs"]] == [str(tmp_path / "whole")]
    [other] = told["others"]
    said = f"{file.name} cannot be read (Too many levels of symbolic links)"
    assert other == {"path": str(tmp_path / "run"), "reason": said}


def test_a_run_that_is_found_by_two_paths_is_told_by_the_shorter(tmp_path):
    made_run(tmp_path / "a" / "run", 4)
    (tmp_path / "a" / "back").symlink_to(tmp_path / "a")
    [told] = read(tmp_path)["runs"]
    assert told["path"] == str(tmp_path / "a" / "run")


def test_a_run_without_its_manifest_is_told_once_by_its_path(tmp_path):
    run = made_run(tmp_path / "run", 4)
    (run / "run.json").unlink()
    [told] = read(tmp_path)["others"]
    assert told["reason"] == "run.json is missing, so what was asked for is not known"


def test_a_line_that_is_no_attempt_is_named_and_a_torn_one_is_still_being_written(tmp_path):
    run = made_run(tmp_path / "run", 2)
    with (run / "problems" / "0.jsonl").open("a") as file:
        file.write('[]\n{"problem_id": "1", "repe')
    [one] = read(run)["runs"]
    assert one["recorded"] == 2
    assert len(one["broken"]) == 1
    assert one["broken"][0].startswith("0.jsonl, line 2 is no attempt (Expected `object`")
    assert f"{run}: 0.jsonl, line 2 is no attempt" in speclrm(f"status {run}").out


def test_attempts_that_nobody_asked_for_or_that_stand_twice_count_once_or_not(tmp_path):
    run = made_run(tmp_path / "run", 2, planned=3)
    file = run / "problems" / "0.jsonl"
    twice = file.read_text()
    stranger = json.dumps(json.loads(twice) | {"problem_id": "99"}) + "\n"
    file.write_text(twice + twice + stranger)
    assert read(run)["runs"][0]["recorded"] == 2


def test_errors_and_missing_verdicts_are_columns_only_where_there_are_some(tmp_path):
    run = made_run(tmp_path / "run", 4)
    assert not {"errors", "graded", "left"} & set(speclrm(f"status {run}").out.split())
    (run / "verdicts.jsonl").unlink()
    assert "graded" in speclrm(f"status {run}").out.split()


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_what_is_no_folder_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("")
    said = speclrm(f"status {tmp_path / place}")
    assert said.code == 2
    assert "is no folder" in said.sentence


def test_a_folder_without_runs_says_so(tmp_path):
    assert speclrm(f"status {tmp_path}").out == "No runs.\n"


def test_who_only_asks_for_the_holder_holds_nobody_off(tmp_path, monkeypatch):
    with RunDirectory(tmp_path):
        assert holder_of(tmp_path) == f"pid {os.getpid()}"
    assert holder_of(tmp_path) is None
    asking = os.open(tmp_path / LOCK, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr(lock.time, "sleep", lambda _: os.close(asking))
    with RunDirectory(tmp_path):
        assert holder_of(tmp_path) is not None


def test_without_flock_the_living_holder_is_told_by_the_file_that_holds(tmp_path):
    (tmp_path / LOCK).touch()
    here = Holder.of(os.getpid())
    gone = Holder(here.host, here.pid, "long ago")
    for holder, said in ((here, f"pid {os.getpid()} on {here.host}"), (gone, None)):
        (tmp_path / HELD).write_bytes(lock._line(holder))
        assert holder_of(tmp_path) == said


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12))
def test_time_in_which_several_attempts_are_in_flight_counts_once(spans):
    seconds = {second for start, length in spans for second in range(start, start + length)}
    assert covered((start, start + length) for start, length in spans) == len(seconds)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["a-run-2.shard-1-of-2", "a-run-2.shard-2-of-2"], ["shard-1-of-2", "shard-2-of-2"]),
        (["x-1", "x-1.shard-1-of-1"], ["x-1", "shard-1-of-1"]),
        (["x-a.shard-1-of-2", "x-b.shard-1-of-2"], ["a", "b"]),
        (["x-a.shard-1-of-2", "x-b.shard-2-of-2"], ["a.shard-1-of-2", "b.shard-2-of-2"]),
    ],
)
def test_shards_keep_which_they_are_where_names_are_shortened(names, short):
    assert shortened_names(names) == short


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (11100, "3 h 05")],
)
def test_times_are_told_as_people_do(seconds, said):
    assert duration(seconds) == said
