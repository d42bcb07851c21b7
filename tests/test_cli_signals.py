"""Ctrl-C, SIGTERM and a closed terminal: what is in flight is recorded or dropped, and said."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_place import PROBLEMS, attempts

from speclrm_testing.commands import Said, speclrm

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def slow(tmp_path: Path, place: Path) -> str:
    """A run whose attempts take about half a second each, two at a time."""
    (tmp_path / "slow.json").write_text('{"latency": {"decode_token": 0.01}}')
    return (
        f"run baseline --engine scripted --script {tmp_path / 'slow.json'} --concurrency 2 "
        f"--data-file {place / 'sums.jsonl'} --output-dir {tmp_path / 'run'}"
    )


def interrupted(command: str, run: Path, signals: tuple[signal.Signals, ...]) -> Said:
    """Start the command, send it the signals once it has recorded two attempts, and wait."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    while process.poll() is None and len(list(run.glob("problems/*.jsonl"))) < 2:
        time.sleep(0.02)
    for each in signals:
        process.send_signal(each)
        time.sleep(0.1)
    out, err = process.communicate()
    return Said(process.returncode, out, err)


ON_A_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
os.dup2(terminal, 1)
os.dup2(terminal, 2)
os.execv(sys.executable, [sys.executable, "-m", "pipeline", *sys.argv[2:]])
"""


def test_ctrl_c_records_what_is_in_flight_and_the_same_command_completes(
    slow: str, tmp_path: Path
) -> None:
    said = interrupted(slow, tmp_path / "run", (signal.SIGINT,))
    made = attempts(tmp_path / "run")
    assert said.code == 3
    assert "attempts in flight and starting no more; press Ctrl-C again to drop them" in said.err
    assert f"Attempts: {len(made)} made" in said.out
    assert "repeat the command to continue" in said.err
    assert 3 <= len(made) < PROBLEMS
    assert set(made.values()) == {"ok"}
    completed = speclrm(slow)
    assert (completed.code, len(attempts(tmp_path / "run"))) == (0, PROBLEMS)
    assert completed.out.startswith(
        f"Attempts: {PROBLEMS - len(made)} made, {len(made)} already recorded"
    )


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_second_ctrl_c_drops_what_is_in_flight(slow: str, tmp_path: Path, signals) -> None:
    said = interrupted(slow, tmp_path / "run", signals)
    assert said.code == 3
    assert "attempts in flight were dropped, finished ones are kept" in said.err
    assert "Traceback" not in said.err
    kept = attempts(tmp_path / "run")
    assert speclrm(slow).out.startswith(f"Attempts: {PROBLEMS - len(kept)} made")


def test_ctrl_c_while_the_program_is_being_loaded_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parent.parent)])
    said = subprocess.run(
        [sys.executable, "-m", "pipeline", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (said.returncode, said.stderr) == (3, "Error: Interrupted.\n")


def test_a_run_under_nohup_outlasts_its_terminal(slow: str, tmp_path: Path) -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        said = interrupted(slow, tmp_path / "run", (signal.SIGHUP,))
    finally:
        signal.signal(signal.SIGHUP, ignored)
    assert said.code == 0
    assert len(attempts(tmp_path / "run")) == PROBLEMS


def test_a_run_whose_terminal_is_closed_ends_and_the_same_command_completes(
    slow: str, tmp_path: Path
) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        # A session of its own, so that the terminal becomes the one that controls it.
        [sys.executable, "-c", ON_A_TERMINAL, os.ttyname(theirs), *slow.split()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    while process.poll() is None and not list((tmp_path / "run").glob("problems/*.jsonl")):
        time.sleep(0.02)
    os.close(theirs)
    os.close(terminal)
    assert process.wait() == 3
    kept = attempts(tmp_path / "run")
    assert 0 < len(kept) < PROBLEMS
    assert speclrm(slow).out.startswith(f"Attempts: {PROBLEMS - len(kept)} made")
