"""The make targets name the runs that they made, and no others."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METHODS = ("baseline", "parallel", "spec", "spec-async", "spec-methods")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("command", ["grade", "leaderboard"])
def test_the_matrix_is_its_own_five_runs_and_not_those_of_a_dataset_with_a_longer_name(command):
    told = subprocess.run(
        ["make", "-n", "matrix", "DATASET=pocket"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [line] = [line for line in told.splitlines() if f"speclrm {command} " in line]
    named = line.split(f"{command} ")[1].split()
    assert named == [f"results/matrix-pocket-{method}" for method in METHODS]
