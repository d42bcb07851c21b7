"""Help is quick, and says each thing once."""

import subprocess
import sys
from pathlib import Path

from speclrm_testing.commands import speclrm

HEAVY = ("torch", "transformers", "vllm", "sympy", "datasets", "fsspec", "s3fs", "botocore")


def test_help_loads_no_engine_and_no_library_of_weight() -> None:
    program = (
        "import sys; sys.argv = ['speclrm', *sys.argv[1:]]\n"
        "from pipeline.cli import main\n"
        "main()\n"
        f"print('loaded', *(name for name in {HEAVY} if name in sys.modules))\n"
    )
    for command in ("--help", "run --help"):
        ended = subprocess.run(
            [sys.executable, "-c", program, *command.split()],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent.parent,
        )
        assert ended.stdout.splitlines()[-1] == "loaded"
        assert ended.stderr == ""


def test_without_a_command_the_help_is_shown() -> None:
    said = speclrm("")
    assert (said.code, "run an experiment" in said.err.lower()) == (2, True)


def test_help_says_each_default_once() -> None:
    said = " ".join(speclrm("run spec --help-all").out.split())
    assert "Seconds a request may take. [default: (600 for a server, else 3600); x>0]" in said
    assert "Draft: Seconds a request may take. [default: 600.0; x>0]" in said
