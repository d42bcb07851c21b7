"""Only one process writes a run, on file systems with flock and on those without."""

import errno
import fcntl
import json
import os
import subprocess
import sys

import pytest
from test_run_directory import ATTEMPT

from pipeline.errors import UserMistake
from pipeline.runs import lock as run_lock
from pipeline.runs.directory import RunDirectory, read_attempts
from pipeline.runs.lock import HELD, Holder
from pipeline.runs.recorded import Recorded
from pipeline.runs.writer import record_writer


@pytest.fixture(params=["ENOLCK", "ENOSYS", "ENOTSUP"])
def no_flock(request, monkeypatch):
    """A file system without flock, by one of the answers that they give."""
    number = getattr(errno, request.param)

    def refuse(handle, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.fixture
def ended():
    """A process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = Holder.of(process.pid)
    process.communicate()
    return holder


def hold(folder, *holders):
    lines = [json.dumps({"host": o.host, "pid": o.pid, "began": o.began}) + "\n" for o in holders]
    (folder / HELD).write_text("".join(lines))


@pytest.mark.usefixtures("no_flock")
class TestWithoutFlock:
    async def test_a_run_is_made_and_leaves_no_lock(self, tmp_path):
        with RunDirectory(tmp_path) as directory:
            async with record_writer(directory, Recorded({})) as writer:
                await writer.append(ATTEMPT)
            assert (tmp_path / HELD).exists()
        assert list(read_attempts(tmp_path)) == [ATTEMPT]
        assert not (tmp_path / HELD).exists()

    def test_a_second_writer_is_refused_while_the_first_lives(self, tmp_path):
        said = f"in use by another process .pid {os.getpid()} on .* remove .*{HELD}"
        with RunDirectory(tmp_path), pytest.raises(UserMistake, match=said):
            RunDirectory(tmp_path)
        with RunDirectory(tmp_path):
            pass

    async def test_the_writing_process_holds_the_lock_after_its_run(self, tmp_path):
        with RunDirectory(tmp_path) as first:
            writing = record_writer(first, Recorded({}))
            writer = await writing.__aenter__()
        with pytest.raises(UserMistake, match=f"pid {writer.pid} on"):
            RunDirectory(tmp_path)
        await writing.__aexit__(None, None, None)
        with RunDirectory(tmp_path):
            pass

    def test_what_a_kill_left_behind_is_taken_over(self, tmp_path, ended):
        hold(tmp_path, ended)
        with RunDirectory(tmp_path):
            assert json.loads((tmp_path / HELD).read_text())["pid"] == os.getpid()
        assert not list(tmp_path.glob(f"{HELD}*"))

    def test_a_process_that_got_an_ended_ones_number_holds_nothing(self, tmp_path, ended):
        hold(tmp_path, Holder(ended.host, os.getpid(), ended.began))
        with RunDirectory(tmp_path):
            pass

    @pytest.mark.parametrize("elsewhere", ["other pid:[1]", ""])
    def test_of_another_machine_nothing_is_known(self, tmp_path, ended, elsewhere):
        hold(tmp_path, ended, Holder(elsewhere, 7, "1"))
        with pytest.raises(UserMistake, match=rf"pid 7 on {elsewhere[:5]}.* remove .*{HELD}"):
            RunDirectory(tmp_path)
        assert (tmp_path / HELD).exists()

    @pytest.mark.parametrize("content", ["", "garbage\n", "[]\n", '{"pid": 1}\n'])
    def test_a_lock_that_names_nobody_is_held_by_somebody_unknown(self, tmp_path, content):
        (tmp_path / HELD).write_text(content)
        with pytest.raises(UserMistake, match=r"another process \(unknown\).* remove"):
            RunDirectory(tmp_path)

    def test_two_that_clear_one_lock_do_not_both_get_it(self, tmp_path, ended, monkeypatch):
        hold(tmp_path, ended)
        rival = Holder.of(os.getpid())
        known = run_lock._holders

        def meanwhile(content):
            hold(tmp_path, rival)
            return known(content)

        monkeypatch.setattr(run_lock, "_holders", meanwhile)
        with pytest.raises(UserMistake, match="which has just started"):
            RunDirectory(tmp_path)
        assert json.loads((tmp_path / HELD).read_text())["pid"] == rival.pid

    def test_a_folder_made_for_a_run_that_never_began_goes(self, tmp_path):
        with RunDirectory(tmp_path / "run") as directory:
            directory.take_back()
        assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_at_locking_is_told_in_a_sentence(tmp_path, monkeypatch):
    def fail(handle, how):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(UserMistake, match=r"Cannot write to .* \(Input/output error\)"):
        RunDirectory(tmp_path)
