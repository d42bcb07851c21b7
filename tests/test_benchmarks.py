"""What every benchmark program prints last can be read by a program, and says what it ran on."""

import json
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PRINTING = "from report import print_result; print('a row'); print_result('sums', {'ratio': 0.5})"


def test_the_last_line_is_an_object_with_the_figures_and_what_they_were_measured_on():
    ended = subprocess.run(
        [sys.executable, "-c", PRINTING],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(ended.stdout.splitlines()[-1])
    assert (result["benchmark"], result["ratio"]) == ("sums", 0.5)
    assert result["hardware"]["cores"] >= 1
    assert result["versions"]["python"] == sys.version.split()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
