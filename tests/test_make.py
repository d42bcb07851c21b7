"""The make targets name the runs that they made, and no others."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
METHODS = ("baseline", "parallel", "spec", "spec-async", "spec-methods")


pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def told(*words):
    """What make would do."""
    return subprocess.run(
        ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("command", ["grade", "leaderboard"])
def test_the_matrix_is_its_own_five_runs_and_not_those_of_a_dataset_with_a_longer_name(command):
    lines = told("matrix", "DATASET=pocket").splitlines()
    [line] = [line for line in lines if f"speclrm {command} " in line]
    named = line.split(f"{command} ")[1].split()
    assert named == [f"results/matrix-pocket-{method}" for method in METHODS]


def test_the_demo_is_one_table_and_shows_a_run_that_it_made():
    said = told("demo")
    assert re.findall(r"^\S+speclrm (.+)$", said, re.MULTILINE) == [
        "table examples/demo.toml --html results/demo.html"
    ]
    plan = json.loads(speclrm(f"table {ROOT / 'examples/demo.toml'} --dry-run --json").out)
    [shown] = re.findall(r"speclrm show (\S+)", said)
    assert shown in {cell["directory"] for cell in plan["cells"] if cell["row"] == "spec"}
