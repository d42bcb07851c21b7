"""A run that is killed at random instants and resumed has every attempt once."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline.reasoners import REASONERS
from pipeline.resources import pocket_dir
from pipeline.runs.directory import attempt_files, read_attempts
from speclrm_testing.commands import speclrm

PROGRAM = Path(__file__).parent.parent / "benchmarks" / "kill_resume.py"
PROBLEMS = 16
START_SECONDS = 300.0
"""Seconds in which a real pair must have started and made its first attempt."""


@pytest.mark.slow
@pytest.mark.parametrize("reasoner", REASONERS)
def test_kill_dash_nine_loses_and_doubles_nothing(reasoner):
    ended = subprocess.run(
        [sys.executable, PROGRAM, "--kills", "2", "--seed", "7", "--reasoner", reasoner],
        capture_output=True,
        text=True,
        check=False,
    )
    counted = json.loads(ended.stdout.splitlines()[-1])
    assert counted["kills"] == 2
    assert counted["attempts_once"] == counted["attempts_expected"] == 200
    assert counted["unreadable_lines"] == 0
    assert ended.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("again", ["force", "retry-errors"])
def test_kill_dash_nine_while_attempts_are_made_again_loses_and_doubles_nothing(again):
    ended = subprocess.run(
        [sys.executable, PROGRAM, "--kills", "4", "--seed", "7", "--again", again],
        capture_output=True,
        text=True,
        check=False,
    )
    counted = json.loads(ended.stdout.splitlines()[-1])
    assert counted["kills"] == 4
    assert counted["attempts_lost_on_the_way"] == 0
    assert counted["attempts_once"] == counted["attempts_expected"] == 400
    assert ended.returncode == 0


def has_a_line(run):
    return any(file.stat().st_size for file in attempt_files(run))


@pytest.mark.slow
@pytest.mark.skipif(
    not (pocket_dir() / "target" / "model.safetensors").exists(),
    reason="the bundled target is not there",
)
def test_drafting_ahead_on_a_real_pair_survives_a_kill(tmp_path):
    run = tmp_path / "run"
    command = (
        f"run spec-async --engine transformers --problem-id first:{PROBLEMS} --token-budget 200 "
        f"--concurrency 2 --output-dir {run}"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + START_SECONDS
    while not has_a_line(run) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = len(list(read_attempts(run)))
    assert 0 < kept < PROBLEMS
    said = speclrm(command)
    assert f"Attempts: {PROBLEMS - kept} made, {kept} already recorded" in said.out
    assert set(Counter(one.key for one in read_attempts(run)).values()) == {1}
