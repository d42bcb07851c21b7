"""The process around the command: its streams, the signals it gets, the outputs it writes."""

import contextlib
import os
import queue
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evaluators.run_files.whole_file import whole_file
from pipeline.runs import durable_lines
from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
BLOWS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def started(folder: Path, click: str) -> subprocess.CompletedProcess[str]:
    """The command with a program in the place of what it loads first."""
    (folder / "click.py").write_text("import atexit, os, signal, sys\n" + click)
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
    )


@pytest.mark.parametrize("blow", BLOWS)
@pytest.mark.parametrize(
    "when",
    [
        "{blow}",
        (
            "class Said:\n"
            "    def write(self, text): {blow}\n"
            "    def flush(self): pass\n"
            "sys.stderr = Said()\n"
            "raise KeyboardInterrupt"
        ),
        "atexit.register(lambda: {blow})\nraise SystemExit(0)",
    ],
    ids=["loading", "being told of the first", "after the end"],
)
def test_a_signal_ends_the_command_with_its_exit_code_whenever_it_comes(tmp_path, when, blow):
    ended = started(tmp_path, when.format(blow=f"signal.raise_signal({int(blow)})"))
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr


@pytest.fixture
def run_words(tmp_path) -> str:
    (tmp_path / "sums.jsonl").write_text(
        '{"id":"0","problem":"1+1?","answer":"2","kind":"integer"}\n'
    )
    (tmp_path / "script.json").write_text("{}")
    words = f"run baseline --engine scripted --script {tmp_path / 'script.json'} --model m"
    return f"{words} --data-file {tmp_path / 'sums.jsonl'} --output-dir {tmp_path / 'run'}"


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- 2>&-", "2<sums.jsonl"])
def test_a_run_needs_no_standard_error(tmp_path, run_words, streams):
    ended = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m pipeline {run_words} {streams}"],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 0
    assert len((tmp_path / "run" / "problems" / "sums-0.jsonl").read_text().splitlines()) == 1
    assert not {each.name for each in (tmp_path / "run").iterdir()} & {"engine.log", "torn.txt"}


def test_an_output_goes_through_a_link_and_keeps_the_permissions(tmp_path):
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "real.csv", tmp_path / "link.csv"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    with whole_file(link) as out:
        out.write(b"new")
    assert (link.is_symlink(), file.read_text()) == (True, "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "later")
    with whole_file(dangling) as out:
        out.write(b"new")
    assert (tmp_path / "later").read_text() == "new"


def test_an_output_that_fails_leaves_what_was_there(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(file) as out:
        out.write(b"%d" % (1 // 0))
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_file_of_the_user_beside_an_output_is_never_taken_for_its_beginning(tmp_path, ends_well):
    out, theirs = tmp_path / "out.csv", tmp_path / "out.csv.new"
    theirs.write_text("notes")

    def written(content):
        yield content if ends_well else b"%d" % (1 // 0)

    with contextlib.suppress(ZeroDivisionError), whole_file(out) as file:
        file.writelines(written(b"rows"))
    with contextlib.suppress(OSError):
        durable_lines.replace_file(out if ends_well else tmp_path / "no folder" / "out", b"lines")
    assert theirs.read_text() == "notes"
    assert {each.name for each in tmp_path.iterdir()} == {theirs.name, *[out.name] * ends_well}


@pytest.mark.parametrize(
    "command",
    [
        "grade --file {cases} --output {output}",
        "export {run} --to csv --output {output}",
        "export {run} --to inspect --output {output}",
        "leaderboard {run} --html {output}",
    ],
)
def test_an_output_is_written_into_a_pipe(tmp_path, run_words, command):
    assert speclrm(run_words).code == 0
    assert speclrm(f"grade {tmp_path / 'run'}").code == 0
    cases, pipe = tmp_path / "cases.jsonl", tmp_path / "pipe.json"
    cases.write_text('{"gold": "1", "answer": "1", "kind": "integer"}\n')
    os.mkfifo(pipe)
    keep = os.open(pipe, os.O_RDWR)
    read: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_drain, args=(keep, read), daemon=True).start()
    words = command.format(cases=cases, run=tmp_path / "run", output=pipe)
    said = speclrm(words)
    assert said.code == 0
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert read.get(timeout=60)


def _drain(pipe: int, read: "queue.Queue[bytes]") -> None:
    while True:
        read.put(os.read(pipe, 1 << 16))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a device")
def test_an_output_is_written_into_a_device_which_stays(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.open("wb").close()
    except PermissionError:
        pytest.skip("no device can be made here")
    with whole_file(device) as out:
        out.write(b"gone")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_standard_output_named_by_the_system_is_where_it_goes(tmp_path):
    # What /dev/stdout links to: the link itself would be lost to a program that replaces it.
    program = (
        "import pathlib, evaluators.run_files.whole_file as o\n"
        "with o.whole_file(pathlib.Path('/proc/self/fd/1')) as out: out.write(b'rows ')\n"
        "print('told')"
    )
    target = tmp_path / "out"
    with target.open("wb") as out:
        subprocess.run(
            [sys.executable, "-c", program],
            stdout=out,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert target.read_text() == "rows told\n"
