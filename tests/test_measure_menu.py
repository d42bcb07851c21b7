"""`speclrm measure` without a config: a menu that works in a terminal and from a pipe."""

import io
import os
import pty
import shutil
import sys
import time
from pathlib import Path

import pytest
from measured_reports import entry, report, written

from pipeline.cli import measure_menu
from pipeline.cli.measure_report import How
from pipeline.cli.measure_run import Done
from pipeline.errors import UserMistake
from pipeline.resources import examples_dir
from speclrm_testing.commands import speclrm


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What is measured when these lines are said; a config called bad is a mistake."""
    done = []
    for name in ("mine", "bad", "failing"):
        shutil.copy(EXAMPLE["quick"], tmp_path / f"{name}.json")

    def measure_file(file, _output, how):
        done.append((file, how))
        if file.name == "bad.json":
            raise UserMistake("it is bad")
        return Done(tmp_path / "elsewhere" / file.stem, file.name != "failing.json")

    monkeypatch.setattr("pipeline.cli.measure_run.measure_file", measure_file)
    monkeypatch.chdir(tmp_path)

    def say(*lines, end="\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + end))
        return speclrm("measure"), done

    return say


def how(*, dry_run=False, decoders=None):
    return How(dry_run, True, False, None, decoders)


EXAMPLE = {name: examples_dir() / f"measure_{name}.json" for name in measure_menu.EXAMPLES}
SAID = {
    ("",) * 3: [(EXAMPLE["quick"], how())],
    ("1", "", "measure"): [(EXAMPLE["quick"], how())],
    ("comp", "standard,window", "dry"): [
        (EXAMPLE["comprehensive"], how(dry_run=True, decoders="standard,window"))
    ],
    ("2", "as in the config", "2", "6"): [(EXAMPLE["example"], how(dry_run=True))],
    ("own", "mine.json", "", "1"): [(Path("mine.json"), how())],
    ("own", ""): [],
    ("quick", "", "back", "leave", "quick"): [],
    (): [],
}
MISTAKEN = {
    ("nonsense",): ("What (", "There is no 'nonsense'", ("", "", "")),
    ("99",): ("What (", "There is no '99'", ("", "", "")),
    ("\x1b[2J",): ("What (", "There is no '\\x1b[2j'", ("", "", "")),
    ("own", "missing.json"): ("Its path", "missing.json cannot", ("mine.json", "", "")),
    ("own", "~no.user/a.json"): ("Its path", "~no.user/a.json cannot", ("mine.json", "", "")),
    ("own", "keys.json"): ("Its path", "no_such_key", ("mine.json", "", "")),
    ("quick", "standrad"): ("Which", "standrad", ("standard", "")),
    ("own", "mine.json", ","): ("Which", "names none", ("", "")),
    ("quick", "", "nonsense"): ("What to do", "There is no 'nonsense'", ("",)),
}
"""Lines of which the last is a mistake; its question, what is said of it, lines that mend it."""


@pytest.mark.parametrize("lines", SAID)
def test_a_config_is_chosen_and_measured(asked, lines):
    said, done = asked(*lines)
    assert done == SAID[lines]
    assert said.code == 0, said


@pytest.mark.parametrize("lines", SAID)
@pytest.mark.parametrize("ends", [0, 1])
def test_it_ends_cleanly_wherever_the_input_ends(asked, lines, ends):
    said, _ = asked(*lines[: len(lines) - ends], end="")
    assert said.code == 0
    assert "Traceback" not in said.err
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("lines", MISTAKEN)
def test_a_wrong_answer_is_told_at_its_question_which_is_asked_again(asked, tmp_path, lines):
    question, sentence, mended = MISTAKEN[lines]
    (tmp_path / "keys.json").write_text('{"main_model": "pocket-target", "no_such_key": 1}')
    said, done = asked(*lines)
    assert sentence in said.err
    assert said.out.count(question) == 2
    assert "\x1b" not in said.out + said.err
    assert (said.code, done) == (1, []), "the input ended before the mistake was mended"
    said, done = asked(*lines, *mended)
    assert (said.code, len(done)) == (0, 1)


def test_going_back_mends_no_path(asked):
    assert asked("own", "missing.json", "", "leave")[0].code == 1


def test_a_mistake_is_told_and_the_menu_goes_on(asked):
    said, done = asked("own", "bad.json", "", "", "quick", "", "")
    assert "it is bad" in said.err
    assert [file.name for file, _ in done] == ["bad.json", "measure_quick.json"]
    assert said.code == 1


def test_it_exits_1_if_a_decoder_failed(asked):
    assert asked("own", "failing.json", "", "", "leave")[0].code == 1


def test_it_shows_the_report_that_was_written_last_wherever_it_knows_of_one(asked, tmp_path):
    assert "Nothing is measured" in asked("show")[0].err
    folders = ("results/measure-a", "results/named", "beside", "elsewhere/measure_quick")
    for number, name in enumerate(folders):
        made = report(entry("standard", [1.0]), settings={"main_model": name})
        folder = written(tmp_path / name, made)
        (folder / "measure.json").touch()
        os.utime(folder / "report.json", (number, number))
        # The last is known from having been measured in this menu.
        lines = ("quick", "", "") if name.startswith("elsewhere") else ()
        said, _ = asked(*lines, "show", "leave")
        assert f"Decoders of {name}" in said.out


@pytest.mark.parametrize("option", ["--dry-run", "--resume", "--decoders standard"])
def test_what_is_said_of_a_config_needs_one(option):
    said = speclrm(f"measure {option}")
    assert said.code == 2
    assert "give one" in said.sentence
    assert speclrm(f"measure --show x {option}").code == 2


def test_input_that_is_no_text_is_a_mistake(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n" * 3), "utf-8"))
    said = speclrm("measure")
    assert said.code == 2
    assert "no text" in said.sentence


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 3)])
def test_in_a_terminal_ctrl_d_leaves_and_ctrl_c_interrupts(key, code):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "pipeline", "measure"])  # noqa: S606
    said = b""
    while b"What (" not in said:
        said += os.read(terminal, 4096)
    # Python may miss a signal that comes between its prompt and its waiting for a key.
    ended, status = 0, 0
    while not ended:
        os.write(terminal, key.encode())
        time.sleep(0.1)
        ended, status = os.waitpid(child, os.WNOHANG)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == code
