"""The process that writes attempts: what it was sent is on the disk once, whoever dies."""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_run_directory import ATTEMPT, FILE, repeats

from pipeline import records
from pipeline.errors import RunStopped, UserMistake
from pipeline.runs import durable_lines
from pipeline.runs import writer as record_writer_module
from pipeline.runs.directory import PROBLEMS, RunDirectory, read_attempts, recorded_attempts
from pipeline.runs.durable_lines import END, REPLACED, Frame, pack, replace_attempt, unpack
from pipeline.runs.recorded import Recorded
from pipeline.runs.writer import record_writer

FRAMES = st.lists(
    st.builds(Frame, st.text("abcä-.", min_size=1), st.binary(), st.booleans()), max_size=5
)
PROGRAM = (sys.executable, "-I", "-S", durable_lines.__file__)


def numbers(run):
    return [attempt.repeat_id for attempt in read_attempts(run)]


@given(frames=FRAMES, piece=st.integers(1, 30))
def test_frames_arrive_whole_however_the_pipe_cuts_them(frames, piece):
    stream = b"".join(map(pack, frames))
    received, arrived = bytearray(), []
    for start in range(0, len(stream), piece):
        received += stream[start : start + piece]
        arrived += unpack(received)
    assert arrived == frames
    assert not received


async def test_every_attempt_is_on_the_disk_when_its_append_returns(tmp_path):
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            await asyncio.gather(*(writer.append(attempt) for attempt in repeats(50)))
            assert sorted(numbers(tmp_path)) == list(range(50))


async def test_an_attempt_that_was_there_gives_its_place_to_its_successor(tmp_path):
    with RunDirectory(tmp_path) as directory:
        for attempt in repeats(3):
            directory.append(attempt)
        async with record_writer(directory, recorded_attempts(directory.path)) as writer:
            for attempt in (replace(ATTEMPT, repeat_id=1, answer="7"), *repeats(5)[3:]):
                await writer.append(attempt)
    made = {attempt.repeat_id: attempt.answer for attempt in read_attempts(tmp_path)}
    assert made == {0: "42", 1: "7", 2: "42", 3: "42", 4: "42"}
    assert records.decode((tmp_path / REPLACED).read_bytes()) == repeats(2)[1]


@pytest.mark.parametrize("instant", range(12))
def test_at_every_instant_of_a_replacement_the_old_attempt_or_the_new_is_there(tmp_path, instant):
    """A kill between any two calls of the system; 12 are more than a replacement makes."""

    def killed_at(number, call):
        def counted(*arguments, **options):
            if next(calls) == number:
                raise KeyboardInterrupt
            return call(*arguments, **options)

        return counted

    with RunDirectory(tmp_path) as directory:
        for attempt in repeats(2):
            directory.append(attempt)
    new, calls = replace(ATTEMPT, answer="7"), itertools.count()
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        for owner, name in ((os, "write"), (os, "fsync"), (Path, "replace"), (Path, "open")):
            patch.setattr(owner, name, killed_at(instant, getattr(owner, name)))
        replace_attempt(tmp_path / PROBLEMS / FILE, records.encode(new))
    there = list(read_attempts(tmp_path))
    assert there in ([ATTEMPT, repeats(2)[1]], [new, repeats(2)[1]])
    saved = (tmp_path / REPLACED).read_bytes() if (tmp_path / REPLACED).exists() else b""
    assert ATTEMPT in (*there, *map(records.decode, saved.splitlines()))


async def test_an_attempt_longer_than_the_pipe_arrives(tmp_path):
    long = replace(ATTEMPT, response="x" * 3_000_000)
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            await writer.append(long)
    assert list(read_attempts(tmp_path)) == [long]


async def test_a_line_that_cannot_be_written_stops_the_run_with_its_reason(tmp_path):
    (tmp_path / PROBLEMS / FILE).mkdir(parents=True)
    other = replace(ATTEMPT, problem_id="8")
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            with pytest.raises(RunStopped, match=r"Cannot write .*d-7\.jsonl \(Is a directory\)"):
                await writer.append(ATTEMPT)
            await writer.append(other)
    (tmp_path / PROBLEMS / FILE).rmdir()
    assert list(read_attempts(tmp_path)) == [other]


async def test_the_death_of_the_process_stops_the_run(tmp_path):
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            os.kill(writer.pid, signal.SIGSTOP)
            waiting = asyncio.ensure_future(writer.append(ATTEMPT))
            await asyncio.sleep(0)
            os.kill(writer.pid, signal.SIGKILL)
            with pytest.raises(RunStopped, match=r"process that writes the attempts .* has ended"):
                await waiting
            with pytest.raises(RunStopped, match=r"process that writes the attempts .* has ended"):
                await writer.append(ATTEMPT)


@pytest.mark.parametrize("sending", [True, False])
async def test_a_process_that_was_stopped_does_not_hold_the_run(tmp_path, monkeypatch, sending):
    monkeypatch.setattr(record_writer_module, "LOOK_SECONDS", 0.005)
    # On busy cores the process takes its time to start; impatience begins when it has been stopped.
    monkeypatch.setattr(record_writer_module, "QUIET_LOOKS", sys.maxsize)
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            await writer.append(ATTEMPT)
            os.kill(writer.pid, signal.SIGSTOP)
            monkeypatch.setattr(record_writer_module, "QUIET_LOOKS", 24)
            if sending:
                with pytest.raises(RunStopped, match=r"did not respond .* it was stopped, or"):
                    await writer.append(replace(ATTEMPT, repeat_id=1))
    assert numbers(tmp_path) == [0]


async def test_a_run_that_was_held_up_itself_does_not_give_the_process_up(tmp_path, monkeypatch):
    monkeypatch.setattr(record_writer_module, "LOOK_SECONDS", 0.05)
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            waiting = asyncio.ensure_future(writer.append(ATTEMPT))
            await asyncio.sleep(0)
            time.sleep(1.3)  # noqa: ASYNC251 - longer than all looks; an engine can hold it up so
            await waiting
    assert numbers(tmp_path) == [0]


async def test_the_process_holds_the_lock_until_it_has_written(tmp_path):
    with RunDirectory(tmp_path) as first:
        writing = record_writer(first, Recorded({}))
        await writing.__aenter__()
    with pytest.raises(UserMistake, match="in use by another process"):
        RunDirectory(tmp_path)
    await writing.__aexit__(None, None, None)
    with RunDirectory(tmp_path) as second:
        assert len(recorded_attempts(second.path)) == 0


async def test_ctrl_c_does_not_reach_the_process(tmp_path):
    with RunDirectory(tmp_path) as directory:
        async with record_writer(directory, Recorded({})) as writer:
            assert os.getpgid(writer.pid) != os.getpgid(0)


def test_a_run_that_was_killed_leaves_what_it_sent_on_the_disk(tmp_path):
    lines = [records.encode(attempt) for attempt in repeats(20)]
    sent = b"".join(pack(Frame(FILE, line)) for line in lines)
    with subprocess.Popen(
        [*PROGRAM, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.close()
        process.stdin.write(sent + pack(Frame(FILE, b"cut off"))[:-3])
        process.stdin.close()
    assert process.returncode == 0
    assert (tmp_path / FILE).read_bytes() == b"".join(lines)


def test_the_process_ends_when_told_though_its_pipe_is_held_open(tmp_path):
    reading, writing = os.pipe()
    os.write(writing, pack(Frame(FILE, b"line\n")) + END)
    ended = subprocess.run([*PROGRAM, tmp_path], stdin=reading, capture_output=True, check=True)
    os.close(writing)
    assert ended.stdout == b"\n"
    assert (tmp_path / FILE).read_bytes() == b"line\n"
