"""The doctor: each line is ok, a warning or a failure, and says what to do about the latter two."""

import configparser
import re
import shlex
import socket
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from pipeline.cli import doctor, model_checks
from pipeline.cli.findings import Finding, State
from pipeline.engines.protocol import Message
from pipeline.engines.scripted.tokenizer import ByteTokenizer
from pipeline.engines.settings import EngineSettings
from pipeline.runs import versions
from speclrm_testing.commands import Said, speclrm

STATES = tuple(state.value for state in State)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(socket, "create_connection", unreachable)


@pytest.fixture
def report(tiny_model: Path, tmp_path: Path) -> Said:
    """A whole report on a small model, without starting an engine."""
    return speclrm(f"doctor --model {tiny_model} --output-dir {tmp_path} --no-engine")


def line(said: Said, what: str) -> str:
    [found] = [each for each in said.out.splitlines() if each[9:].startswith(what + " ")]
    return found


def test_every_line_begins_with_its_state(report: Said) -> None:
    assert report.code == 0
    lines = report.out.splitlines()
    assert len(lines) > 5
    assert [each for each in lines if not each.startswith(STATES)] == []


@pytest.mark.parametrize(
    "what",
    ["python", "torch", "vllm", "gpu", "cpu", "memory", "write access", "tokenizer", "digits"],
)
def test_what_decides_whether_a_run_works_is_looked_at(report: Said, what: str) -> None:
    assert line(report, what)


def test_what_is_not_ok_says_what_to_do(report: Said) -> None:
    for each in report.out.splitlines():
        assert each.startswith("ok") or " - " in each


def test_without_a_hub_the_user_is_told_what_works_offline(report: Said) -> None:
    assert line(report, "hugging face hub").startswith("warning")
    assert "pocket works offline; for other datasets use --data-file" in report.out


def required() -> list[str]:
    """What set-up asks for, extras aside."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    return setup["options"]["install_requires"].split()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    """Let this project be installed with these requirements."""
    return lambda lines: monkeypatch.setattr(doctor, "requires", lambda name: lines)


def findings() -> dict[str, Finding]:
    return {finding.what: finding for finding in doctor.package_findings()}


def test_every_package_that_set_up_requires_is_looked_for(installed) -> None:
    installed([*required(), 'no-such-package>=1; extra == "cuda"'])
    names = {re.split(r"[<>=]", each)[0] for each in required()}
    assert findings().keys() == names | {"vllm", "ray"}
    assert {finding.state for finding in findings().values()} == {State.OK}


@pytest.mark.parametrize(
    ("requirement", "found"),
    [("no-such-package>=1", "not installed"), ("click>=1000", version("click"))],
)
def test_a_package_that_is_missing_or_too_old_is_a_failure_and_exit_code_2(
    installed, tiny_model: Path, tmp_path: Path, requirement: str, found: str
) -> None:
    installed([requirement])
    said = speclrm(f"doctor --model {tiny_model} --output-dir {tmp_path} --no-engine")
    package = requirement.partition(">")[0]
    assert said.code == 2
    words = line(said, package).split()
    assert words == ["FAILURE", package, *found.split(), "-", "install", f"'{requirement}'"]


def test_a_checkout_that_is_not_installed_says_that_its_needs_are_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", unknown)
    assert findings()["speclrm"].state is State.WARNING


def test_a_model_that_is_not_there_fails_and_the_other_checks_go_on(tmp_path: Path) -> None:
    said = speclrm(f"doctor --model ./nowhere --output-dir {tmp_path} --no-engine")
    assert said.code == 2
    assert "nowhere does not exist" in line(said, "model")
    assert line(said, "python").startswith("ok")


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    [finding] = doctor.disk_findings(blocker)
    assert (finding.state, finding.what) == (State.FAILURE, "write access")
    assert "--output-dir" in finding.advice


def test_a_folder_that_does_not_exist_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    [finding] = doctor.disk_findings(tmp_path / "a" / "b")
    assert str(tmp_path) in finding.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("gib", "state"), [(2.0, State.WARNING), (64.0, State.OK)])
def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, gib, state) -> None:
    machine = {"processor": "p", "cores": 2, "memory_gib": gib, "gpus": []}
    monkeypatch.setattr(versions, "hardware", lambda: machine)
    findings = {finding.what: finding.state for finding in doctor.hardware_findings()}
    assert findings["memory"] is state


class SplitDigits(ByteTokenizer):
    """A tokenizer in which 7 is two tokens."""

    def encode(self, text: str) -> list[int]:
        return super().encode(text.replace("7", "77"))


class Forgetful(ByteTokenizer):
    """A chat template that drops what was thought in earlier turns, as QwQ's does."""

    def render_chat(self, messages: list[Message], *, thinking: bool | None = None) -> str:
        kept = [m | {"content": m["content"].split("</think>")[-1]} for m in messages]
        return super().render_chat(kept, thinking=thinking)


def test_a_digit_of_several_tokens_is_named() -> None:
    finding = model_checks.digits_finding(SplitDigits())
    assert (finding.state, finding.found) == (State.WARNING, "not single tokens: 7")


def test_single_token_digits_are_ok() -> None:
    assert model_checks.digits_finding(ByteTokenizer()).state is State.OK


@pytest.mark.parametrize(
    ("tokenizer", "state"), [(ByteTokenizer(), State.OK), (Forgetful(), State.WARNING)]
)
def test_whether_thinking_text_survives_the_template_is_told(tokenizer, state) -> None:
    assert model_checks.thinking_finding(tokenizer).state is state


async def test_an_engine_is_started_asked_and_stopped() -> None:
    assert await model_checks._one_answer(EngineSettings("scripted", "m")) == "Let me t"


@pytest.mark.vllm
def test_the_whole_report_is_good_with_the_bundled_target(tmp_path: Path) -> None:
    said = speclrm(f"doctor --output-dir {shlex.quote(str(tmp_path))}")
    assert said.code == 0
    assert "starts and answers" in line(said, "engine vllm")
    assert "keeps thinking text" in line(said, "chat template")
