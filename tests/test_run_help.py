"""`speclrm run REASONER --help` shows what this reasoner takes, in groups, on 80 columns."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.run import run_command
from pipeline.reasoners import REASONERS
from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
COLUMNS = 80
HEADINGS = ["What to run", "Sampling", "Reasoner", "Target", "Draft", "Output", "Help"]
EVERY_OPTION = {
    name: one.flag for known in REASONERS.values() for name, one in known.options.items()
}


def headings(text: str) -> list[str]:
    return re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE)


def flags(text: str) -> set[str]:
    """The options that have a line of their own."""
    lines = re.findall(r"^  (-.*)$", text, re.MULTILINE)
    return {flag for line in lines for flag in re.findall(r"--[a-z0-9-]+", line.split("  ")[0])}


def named(command: str) -> str:
    """The reasoner whose help it is."""
    return speclrm(command).out.partition(" run ")[2].partition(" [OPTIONS]")[0]


def on_a_terminal(command: str) -> str:
    """What the command writes to a terminal of 80 columns."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command.split()],
        stdout=theirs,
        stdin=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(terminal, 65536):
                said += part
        except OSError:  # Linux's end of a terminal whose other side is closed
            pass
    os.close(terminal)
    assert process.returncode == 0
    return said.decode()


@pytest.mark.parametrize("reasoner", REASONERS)
def test_the_help_has_the_options_of_its_reasoner_and_of_no_other(reasoner: str) -> None:
    shown = flags(speclrm(f"run {reasoner} --help").out)
    for name, flag in EVERY_OPTION.items():
        assert (flag in shown) == (name in REASONERS[reasoner].options)
    assert {"--dataset", "--seed", "--model", "--output-dir", "--help-all"} <= shown


@pytest.mark.parametrize("reasoner", REASONERS)
def test_groups_stand_in_their_order_and_those_without_options_are_left_out(reasoner: str) -> None:
    known = REASONERS[reasoner]
    there = {"Reasoner": bool(known.options), "Draft": known.uses_draft}
    said = speclrm(f"run {reasoner} --help").out
    assert headings(said) == [one for one in HEADINGS if there.get(one, True)]


@pytest.mark.parametrize("reasoner", REASONERS)
def test_the_options_of_the_draft_are_shown_when_all_are_asked_for(reasoner: str) -> None:
    short, long = (flags(speclrm(f"run {reasoner} {one}").out) for one in ("--help", "--help-all"))
    drafts = {flag for flag in long if flag.startswith("--draft-")}
    assert long - short == drafts
    assert bool(drafts) == REASONERS[reasoner].uses_draft


def test_without_a_reasoner_the_help_lists_them_and_what_all_have_in_common() -> None:
    said = speclrm("run --help").out
    for name, known in REASONERS.items():
        assert f"  {name} " in said
        assert known.summary in " ".join(said.split())
    assert headings(said) == ["Reasoners", "What to run", "Sampling", "Target", "Output", "Help"]
    assert not flags(said) & {*EVERY_OPTION.values()}


@pytest.mark.parametrize(
    "words", ["run spec --seed 3 --help", "run --seed 3 spec --help", "run --model spec spec -h"]
)
def test_the_reasoner_is_found_wherever_it_stands(words: str) -> None:
    assert named(words) == "spec"


def test_an_options_value_is_not_taken_for_the_reasoner() -> None:
    assert named("run --model spec --help") == "REASONER"
    assert named("run --output-dir parallel spec_async --help") == "spec-async"


def test_the_short_flag_helps_whoever_asked_the_command_before() -> None:
    CliRunner().invoke(run_command, ["--help"])
    assert speclrm("run spec -h").code == 0


def test_each_reasoner_shows_its_own_defaults() -> None:
    for name, tracks in (("parallel", 3), ("spec", 1)):
        assert f"Tracks of an attempt.  [default: {tracks}]" in speclrm(f"run {name} -h").out


@pytest.mark.parametrize("command", ["run --help", "run spec-async --help-all"])
def test_the_help_fits_a_terminal_of_80_columns(command: str) -> None:
    lines = on_a_terminal(command).splitlines()
    assert len(lines) > 30
    assert [line for line in lines if len(line) > COLUMNS] == []


def test_a_reasoner_that_is_not_there_is_told_before_options_that_it_would_bring() -> None:
    said = speclrm("run judged --judge-model wise --dry-run")
    assert said.code == 2
    assert "'judged' is not one of 'baseline'" in said.sentence
