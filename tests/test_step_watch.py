"""A step of an engine in this process that never returns ends the run; what is recorded is kept."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.step_watch import Looks
from pipeline.resources import pocket_dir
from pipeline.runs.directory import attempt_files, read_attempts

RUN_STOPPED = 3
HANGS = """
import pathlib, sys, threading
from pipeline.engines.step_watch import StepWatch

watch = StepWatch("fake", 0.4, pathlib.Path(sys.argv[1]))
for _ in range(1000):
    with watch:
        pass
with watch:
    threading.Event().wait()
"""
# The command, with steps of which one never returns.
STUCK_RUN = """
import itertools, sys, threading
from pipeline.cli import main
from pipeline.engines.transformers.stepper import Stepper

step, numbers = Stepper.step, itertools.count()

def hanging_step(self):
    if next(numbers) == 150:
        threading.Event().wait()
    step(self)

Stepper.step = hanging_step
main()
"""


def ended(*command):
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("running", "counts"),
    [
        ([1, 1, 1, 1], [0, 1, 2, 3]),
        ([1, 2, 3, 4], [0, 0, 0, 0]),
        ([1, 1, 0, 1, 1], [0, 1, 0, 0, 1]),
        ([1, 1, 2, 2, 2], [0, 1, 0, 1, 2]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_looks_in_a_row_at_the_same_step_are_counted(running, counts):
    looks = Looks()
    assert [looks.saw(number) for number in running] == counts


@given(st.lists(st.integers(0, 3)))
def test_a_step_that_returned_is_never_counted_with_the_next(running):
    looks = Looks()
    for place, number in enumerate(running):
        count = looks.saw(number)
        assert running[place - count : place + 1] == [number] * (count + 1)


def test_a_process_whose_step_hangs_ends_with_one_sentence_and_the_stacks_in_the_log(tmp_path):
    log = tmp_path / "engine.log"
    done = ended("-c", HANGS, str(log))
    assert done.returncode == RUN_STOPPED
    [sentence] = done.stderr.split("\n")[1:-1]
    assert sentence.startswith("Error: A step of the engine fake did not return within 0.4 s")
    assert "--step-timeout" in sentence
    assert "threading.py" in log.read_text()


@pytest.mark.slow
@pytest.mark.skipif(
    not (pocket_dir() / "target" / "model.safetensors").exists(),
    reason="the bundled target is not there",
)
def test_a_run_whose_engine_hangs_ends_and_the_same_command_goes_on(tmp_path):
    run = tmp_path / "run"
    command = [
        *("run", "baseline", "--engine", "transformers", "--problem-id", "first:6"),
        *("--step-timeout", "4", "--output-dir", str(run)),
    ]
    stuck = ended("-c", STUCK_RUN, *command)
    assert stuck.returncode == RUN_STOPPED
    assert "Error: A step of the engine transformers did not return within 4 s" in stuck.stderr
    kept = {file: file.read_bytes() for file in attempt_files(run)}
    assert 0 < len(kept) < 6
    resumed = ended("-m", "pipeline", *command)
    assert resumed.returncode == 0, resumed.stderr
    assert len(list(read_attempts(run))) == 6
    assert kept.items() <= {file: file.read_bytes() for file in attempt_files(run)}.items()
