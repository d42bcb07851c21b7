"""A run directory keeps every finished attempt exactly once, whatever kills its writer."""

import errno
import fcntl
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import attempts

from pipeline import records
from pipeline.errors import RunStopped, UserMistake
from pipeline.review.grading import grade_run
from pipeline.runs.directory import (
    ENGINE_LOG,
    PROBLEMS,
    TORN,
    RunDirectory,
    read_attempts,
    read_manifest,
    recorded_attempts,
    refuse_changes,
)
from pipeline.runs.durable_lines import REPLACED
from pipeline.runs.lock import LOCK
from pipeline.runs.recorded import Recorded

ATTEMPT = records.Attempt(
    dataset="d",
    problem_id="7",
    repeat_id=0,
    seed=1,
    reasoner="baseline",
    status="ok",
    gold="42",
    kind="integer",
    choice_order=(),
    prompt_sha256=None,
    tracks=(records.Track("0", (), records.Stop.FINISHED, "42"),),
    vote=None,
    response="so \\boxed{42}",
    answer="42",
    usage={},
    seconds=1.0,
    started="now",
)
FILE = "d-7.jsonl"


def repeats(n: int) -> list[records.Attempt]:
    return [replace(ATTEMPT, repeat_id=repeat) for repeat in range(n)]


def test_an_appended_attempt_is_there_for_the_next_reader(tmp_path):
    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
    assert list(read_attempts(tmp_path)) == [ATTEMPT]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 10_000), data=st.lists(attempts(st.just("7")), min_size=1, max_size=3))
def test_a_file_cut_anywhere_resumes_with_its_whole_lines(tmp_path_factory, cut, data):
    run = tmp_path_factory.mktemp("run")
    lines = [records.encode(replace(a, repeat_id=n)) for n, a in enumerate(data)]
    content = b"".join(lines)[: cut % (sum(map(len, lines)) + 1)]
    with RunDirectory(run) as directory:
        (run / PROBLEMS / "pocket-7.jsonl").write_bytes(content)
        directory.repair({"pocket-7.jsonl"})
        kept = recorded_attempts(directory.path)
        for number, attempt in enumerate(data):
            if ("7", number) not in kept:
                directory.append(replace(attempt, repeat_id=number))
    assert sorted(a.repeat_id for a in read_attempts(run)) == list(range(len(data)))


def test_a_whole_last_line_without_its_newline_is_kept(tmp_path):
    with RunDirectory(tmp_path) as directory:
        (tmp_path / PROBLEMS / FILE).write_bytes(records.encode(ATTEMPT).rstrip(b"\n"))
        assert recorded_attempts(directory.path).repeats == {"7": 1}
        assert directory.repair({FILE}) == []
    assert (tmp_path / PROBLEMS / FILE).read_bytes() == records.encode(ATTEMPT)


@pytest.mark.parametrize("torn", [b'{"dataset": "d', b"{}{", b"\0\0\0", b'{"a": "\xff"}', b"["])
def test_a_torn_last_line_is_kept_beside_before_it_is_cut(tmp_path, torn):
    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
        file = tmp_path / PROBLEMS / FILE
        file.write_bytes(file.read_bytes() + torn)
        [sentence] = directory.repair({FILE})
        assert f"its {len(torn)} bytes are now in {tmp_path / TORN}" in sentence
    assert file.read_bytes() == records.encode(ATTEMPT)
    assert (tmp_path / TORN).read_bytes() == torn + b"\n"


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["no newline", "newline"])
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"precious": "data"}', "missing required field"),
        (
            records.encode(ATTEMPT).replace(b'"schema":2', b'"schema":3').strip(),
            "schema 3 is newer",
        ),
    ],
    ids=["no attempt", "newer"],
)
def test_a_complete_last_line_that_is_no_attempt_is_refused_and_kept(tmp_path, line, why, end):
    with RunDirectory(tmp_path) as directory:
        file = tmp_path / PROBLEMS / FILE
        file.write_bytes(records.encode(replace(ATTEMPT, repeat_id=1)) + line + end)
        with pytest.raises(UserMistake, match=rf"d-7\.jsonl, line 2 is not an attempt .*{why}"):
            recorded_attempts(directory.path)
        assert file.read_bytes().endswith(line + end)


LINE = records.encode(ATTEMPT).decode()


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ('"reasoner":"baseline"', '"reasoner":"guess"', "the reasoner 'guess', and the run has"),
        ('"dataset":"d"', '"dataset":"other"', "the dataset 'other', and the run has 'd'"),
        ('"choice_order":[]', '"choice_order":[5,5]', r"choice_order \[5, 5\] does not name"),
        (LINE[LINE.index('"tracks"') : LINE.index(',"vote"')], '"tracks":[]', "it has no tracks"),
        ('"usage":{}', '"usage":{"target":{"plain":{"generated":-1}}}', "Expected `int` >= 0"),
        ('"seconds":1.0', '"seconds":-1.0', "Expected `float` >= 0"),
    ],
)
def test_an_attempt_that_nobody_can_have_made_is_refused_with_its_line(tmp_path, was, now, why):
    assert was in LINE
    with RunDirectory(tmp_path) as directory:
        identity = {"reasoner": "baseline", "dataset": "d"}
        directory.write_manifest({"identity": identity, "slice": {}, "models": {}, "sessions": []})
        first = records.encode(replace(ATTEMPT, repeat_id=1)).decode()
        (tmp_path / PROBLEMS / FILE).write_text(first + LINE.replace(was, now))
    for reads in (recorded_attempts, grade_run, lambda run: list(read_attempts(run))):
        with pytest.raises(UserMistake, match=rf"d-7\.jsonl, line 2 .*{why}"):
            reads(tmp_path)


def test_files_that_are_not_the_runs_are_left_as_they_are(tmp_path):
    with RunDirectory(tmp_path) as directory:
        theirs = {"mine.jsonl": b'{"my": 1', f"{FILE}.new": b"notes", ".mine.new": b"more"}
        for name, content in theirs.items():
            (tmp_path / PROBLEMS / name).write_bytes(content)
        assert directory.repair({FILE}) == []
    assert {each.name: each.read_bytes() for each in (tmp_path / PROBLEMS).iterdir()} == theirs


def test_a_reader_passes_over_the_line_being_written(tmp_path):
    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
    with (tmp_path / PROBLEMS / FILE).open("ab") as file:
        file.write(b'{"dataset": "d"')
    assert list(read_attempts(tmp_path)) == [ATTEMPT]


def test_a_corrupt_line_in_the_middle_is_named_and_kept(tmp_path):
    with RunDirectory(tmp_path) as directory:
        file = tmp_path / PROBLEMS / FILE
        file.write_bytes(b"garbage\n" + records.encode(ATTEMPT))
        with pytest.raises(UserMistake, match=r"d-7\.jsonl, line 1 is not an attempt record"):
            recorded_attempts(directory.path)
        assert file.read_bytes().startswith(b"garbage")


@pytest.mark.parametrize("repeat", [-1, 10**12, 10**30])
def test_a_repeat_that_no_run_can_have_is_named_and_kept(tmp_path, repeat):
    with RunDirectory(tmp_path) as directory:
        line = records.encode(ATTEMPT).replace(b'"repeat_id":0', f'"repeat_id":{repeat}'.encode())
        (tmp_path / PROBLEMS / FILE).write_bytes(line)
        with pytest.raises(UserMistake, match=r"line 1 is not an attempt record .*repeat_id"):
            recorded_attempts(directory.path)


def test_an_attempt_that_stands_twice_is_refused(tmp_path):
    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
        directory.append(ATTEMPT)
        with pytest.raises(
            UserMistake, match=r"Problem 7, repeat 0 appears twice in .*d-7\.jsonl, lines 1 and 2"
        ):
            recorded_attempts(directory.path)


def test_a_copy_of_a_problems_file_is_refused(tmp_path):
    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
        (tmp_path / PROBLEMS / "d-7 (copy).jsonl").write_bytes(records.encode(ATTEMPT))
        with pytest.raises(UserMistake, match=r"d-7 \(copy\).* line 1, but belongs in d-7\.jsonl"):
            recorded_attempts(directory.path)


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path):
    with (
        RunDirectory(tmp_path),
        pytest.raises(UserMistake, match=f"in use by another process .pid {os.getpid()}"),
    ):
        RunDirectory(tmp_path)
    with RunDirectory(tmp_path) as directory:
        assert len(recorded_attempts(directory.path)) == 0


def test_a_full_disk_stops_the_run_and_leaves_whole_lines(tmp_path, monkeypatch):
    written = os.write

    def half(handle, data):
        return written(handle, data[: len(data) // 2])

    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(RunStopped, match=os.strerror(errno.ENOSPC)):
            directory.append(replace(ATTEMPT, repeat_id=1))
    assert list(read_attempts(tmp_path)) == [ATTEMPT]
    assert (tmp_path / PROBLEMS / FILE).read_bytes() == records.encode(ATTEMPT)


def test_a_limit_on_a_files_size_is_told_as_what_it_is(tmp_path, monkeypatch):
    written = os.write

    def limited(handle, data):
        if os.fstat(handle).st_size:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return written(handle, data[:8])

    with RunDirectory(tmp_path) as directory:
        monkeypatch.setattr(os, "write", limited)
        with pytest.raises(RunStopped, match=os.strerror(errno.EFBIG)):
            directory.append(ATTEMPT)
    assert list(read_attempts(tmp_path)) == []


def test_failed_attempts_are_told_from_the_others(tmp_path):
    first, second = repeats(2)
    with RunDirectory(tmp_path) as directory:
        directory.append(first)
        directory.append(replace(second, status="error"))
        there = recorded_attempts(directory.path)
    assert there == Recorded({"7": 0b11}, {"7": 0b10})
    assert ("7", 1) in there
    assert ("7", 1) not in there.kept(retry_errors=True, force=False)
    assert ("7", 0) in there.kept(retry_errors=True, force=False)


def test_what_a_kill_left_of_a_replacement_goes(tmp_path):
    with RunDirectory(tmp_path) as directory:
        directory.append(ATTEMPT)
        (tmp_path / PROBLEMS / ".0123456789abcdef.new").write_bytes(b"half")
        (tmp_path / REPLACED).write_bytes(records.encode(ATTEMPT) + b"half")
        [sentence] = directory.repair({FILE})
    assert "replaced.jsonl was torn; its 4 bytes are now in" in sentence
    assert (tmp_path / REPLACED).read_bytes() == records.encode(ATTEMPT)
    assert [file.name for file in (tmp_path / PROBLEMS).iterdir()] == [FILE]


def test_a_folder_made_for_a_run_that_never_began_goes_and_its_log_stays(tmp_path):
    run = tmp_path / "run"
    with RunDirectory(run) as directory:
        (run / ENGINE_LOG).write_text("no room")
        assert directory.take_back() == tmp_path / "run.engine.log"
    assert [path.name for path in tmp_path.iterdir()] == ["run.engine.log"]


def test_a_folder_that_was_there_before_stays_with_its_log(tmp_path):
    with RunDirectory(tmp_path) as directory:
        (tmp_path / ENGINE_LOG).write_text("no room")
        assert directory.take_back() == tmp_path / ENGINE_LOG
    assert [path.name for path in tmp_path.iterdir()] == [ENGINE_LOG]


@pytest.mark.parametrize("begun", ["run.json", f"{PROBLEMS}/d-7.jsonl"])
def test_a_run_that_has_begun_is_not_taken_back(tmp_path, begun):
    with RunDirectory(tmp_path / "run") as directory:
        (tmp_path / "run" / begun).write_bytes(b"")
        assert directory.take_back() is None
    assert (tmp_path / "run" / begun).exists()


def test_a_lock_file_that_was_removed_while_it_was_opened_is_no_lock(tmp_path, monkeypatch):
    def leave_meanwhile(handle, how):
        (tmp_path / LOCK).unlink()

    monkeypatch.setattr(fcntl, "flock", leave_meanwhile)
    with pytest.raises(UserMistake, match="in use by another process"):
        RunDirectory(tmp_path)


def test_settings_that_differ_are_listed_by_name(tmp_path):
    recorded = {"seed": 0, "target": {"model": "a", "dtype": "auto"}}
    asked = {"seed": 1, "target": {"model": "b", "dtype": "auto"}}
    with pytest.raises(UserMistake, match=r"target\.model: 'a' .*\n  seed: 0 recorded, 1 asked"):
        refuse_changes(tmp_path, recorded, asked)


def test_a_folder_without_a_manifest_is_not_a_run(tmp_path):
    with pytest.raises(UserMistake, match=r"is not a run directory \(it has no run\.json\)"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[]", '{"identity": {}}'])
def test_half_a_manifest_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserMistake, match=r"lacks parts of a manifest .*restore it from a copy"):
        read_manifest(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(UserMistake, match="choose another with --output-dir"):
        RunDirectory(blocker / "run")
