"""A run that is killed at random instants and resumed has every attempt once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent.parent / "benchmarks" / "kill_resume.py"


@pytest.mark.slow
@pytest.mark.parametrize("reasoner", ["baseline", "spec-async"])
def test_kill_dash_nine_loses_and_doubles_nothing(reasoner):
    ended = subprocess.run(
        [sys.executable, PROGRAM, "--kills", "4", "--seed", "7", "--reasoner", reasoner],
        capture_output=True,
        text=True,
        check=False,
    )
    counted = json.loads(ended.stdout.splitlines()[-1])
    assert counted["kills"] == 4
    assert counted["attempts_once"] == counted["attempts_expected"] == 400
    assert counted["unreadable_lines"] == 0
    assert ended.returncode == 0
