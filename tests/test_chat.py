"""`speclrm chat`: turns with a memory, through a pipe and in a terminal."""

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evaluators.reports.safe_text import safe
from pipeline.generating.prompts import read_prompts
from speclrm_testing.commands import Said, speclrm

ENDS = ("/exit", "/quit", "/bye")
REMEMBERED = {"when": "uno", "text": "you had that"}
SAID = [{"when": f"user: {end}\n", "text": "said"} for end in ENDS]
RULES = [REMEMBERED, {"when": "one", "text": "uno"}, {"when": "two", "text": "dos"}]
ROOT = Path(__file__).parent.parent
DECODINGS = ("plain", "refine")
COMMAND = "chat --engine scripted --script script.json"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    script()


def script(*rules: dict, **more: object) -> None:
    Path("script.json").write_text(json.dumps({"rules": [*rules, *SAID, *RULES], **more}))


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch):
    def talk(*lines: str, options: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{one}\n" for one in lines)))
        return speclrm(f"{COMMAND} {options}")

    return talk


@pytest.mark.parametrize(
    ("lines", "answers"),
    [
        (["say one", "say two"], ["uno", "you had that"]),
        (["say one", "/reset", "say two"], ["uno", "dos"]),
        (["", "   ", "say two"], ["dos"]),
        (['"""', "say", "two", '"""'], ["dos"]),
        (['"""', "say", "two", '""" '], ["dos"]),
        (['"""', "say", "two"], ["dos"]),
        ([" /two"], ["dos"]),
        *((['"""', end, '"""', "say two"], ["said", "said"]) for end in ENDS),
        *(([f" {end}", "say two"], ["said", "said"]) for end in ENDS),
        *(([f"{end} ", "say two"], []) for end in ENDS),
        (["/exit two"], []),
        (["say one", "/reset of two", "say two"], ["uno", "you had that"]),
        (["say two", "/exit", "say one"], ["dos"]),
        ([], []),
    ],
)
def test_lines_are_answered_with_what_was_said_before_in_mind(chat, lines, answers):
    said = chat(*lines)
    assert (said.code, said.out.split("\n")) == (0, [*answers, ""])


def test_one_question_has_the_answer_that_generate_gives(monkeypatch, tiny_model):
    asked = f"--engine transformers --model {tiny_model} --temperature 0 --max-new-tokens 8"
    monkeypatch.setattr(sys, "stdin", io.StringIO("Süß?\n"))
    told = speclrm(f"chat {asked}").out
    assert speclrm(f"generate {asked} --use-chat-template --prompt Süß?").code == 0
    row = json.loads(Path("inference_results.jsonl").read_text())
    assert told == safe(row["response"]) + "\n"


def test_a_system_prompt_survives_a_reset(chat):
    script({"when": "be brief", "text": "k"})
    assert chat("x", "/reset", "y", options="--system-prompt 'be brief'").out == "k\nk\n"


def test_a_system_prompt_of_a_history_survives_a_reset(chat):
    script({"when": "be brief", "text": "k"})
    chat("x", "/save talk.json", options="--system-prompt 'be brief'")
    said = chat("y", "/reset", "/save new.json", "say one", options="--history talk.json")
    assert said.out == "k\nk\n"
    (prompt,) = read_prompts(Path("new.json"))
    assert [one["content"] for one in prompt.messages] == ["be brief"]


def test_tokens_that_are_not_verified_are_warned_of(chat, tiny_model):
    options = f"chat --engine transformers --model {tiny_model} --decoding"
    warned = {way: "not verified" in speclrm(f"{options} {way}").err for way in DECODINGS}
    assert warned == {"plain": False, "refine": True}


def test_what_the_model_writes_commands_no_terminal(chat):
    script({"when": "red", "text": "\x1b[31mred\x1b]0;title\x07\r\u202e"})
    said = chat("red")
    assert "[31mred" in said.out
    assert not {"\x1b", "\x07", "\r", "\u202e"} & {*said.out}


def test_a_saved_conversation_is_gone_on_with_and_read_as_prompts(chat):
    said = chat("say one", "/save talk.json", "say two", "/save talk.json")
    assert said.code == 0
    (prompt,) = read_prompts(Path("talk.json"))
    assert [one["content"] for one in prompt.messages] == [
        *("say one", "uno", "say two", "you had that"),
    ]
    assert "(saved in talk.json)\n(saved again, with what was said since, in talk" in said.err
    assert chat("three", options="--history talk.json").out == "you had that\n"


def test_what_was_saved_before_a_reset_is_never_written_over(chat):
    said = chat("say one", "/save talk.json", "/reset", "say two", "/save talk.json")
    assert said.code == 1
    assert "talk.json is there already" in said.err
    (prompt,) = read_prompts(Path("talk.json"))
    assert prompt.messages[0]["content"] == "say one"


@pytest.mark.parametrize(
    "name", ["there.json", "talk.txt", "new/talk.json", "no/folder\0.json", ""]
)
def test_saving_never_writes_over_what_is_there(chat, name):
    Path("there.json").write_text("mine")
    said = chat("say one", f"/save {name}", "say two")
    assert said.out == "uno\nyou had that\n"
    assert ("there already" in said.err) == (name == "there.json")
    assert Path("there.json").read_text() == "mine"
    assert not Path("talk.txt").exists()
    assert not Path("new").exists()
    assert ("There is no folder new;" in said.err) == (name == "new/talk.json")


def test_a_conversation_that_fills_the_context_is_told_what_to_do(chat):
    script(context=90)
    said = chat(*["say two"] * 4, "/reset", "say two")
    assert said.code == 1
    assert said.out.startswith("dos\n")
    assert said.out.endswith("dos\n")
    assert "The conversation is too long" in said.sentence
    assert (
        "/reset begins anew; /save FILE keeps this one. The last question was dropped."
        in said.sentence
    )


def test_a_cut_answer_is_said_to_be_cut(chat):
    assert "(cut: --max-new-tokens is 2)" in chat("one", options="--max-new-tokens 2").err


def test_a_failed_answer_is_told_and_the_conversation_goes_on(chat):
    script(faults={"fail": [2]})  # the first request asks whether the engine is ready
    said = chat("say two", "say two")
    assert said.code == 1
    assert "There is no answer: " in said.err
    assert said.out == "dos\n"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--history none.json", "cannot be read"),
        ("--history two.json", "does not hold one conversation"),
        ("--history two.json --system-prompt x", "drop --system-prompt"),
        ("--system-prompt @none", "cannot be read"),
        ("--system-prompt 'x \udcff y'", "--system-prompt holds half of a surrogate pair"),
        ("--temperature 0 --do-sample", "contradicts --temperature 0"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_model_starts(chat, options, why):
    Path("two.json").write_text('["a", "b"]')
    said = chat("one", options=options)
    assert said.code == 2
    assert why in said.sentence


def started(**streams: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-m", "pipeline", *COMMAND.split()]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(arguments, **{**pipe, **streams}, start_new_session=True, bufsize=0)


def test_an_answer_comes_token_by_token_and_ctrl_c_ends_only_that_answer():
    # The first rule that fits speaks, and what was said before stands in every question.
    said_next, cut = {"when": "say one", "text": "uno"}, {"when": "long", "text": "endless " * 500}
    script(said_next, cut, latency={"decode_token": 0.02})
    process = started()
    process.stdin.write(b"long\n")
    assert process.stdout.read(1) == b"e"
    process.send_signal(signal.SIGINT)
    process.stdin.write(b"say one\n/save talk.json\n")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"(stopped; what it has written is kept)" in err
    (prompt,) = read_prompts(Path("talk.json"))
    first, kept, *after = [one["content"] for one in prompt.messages]
    assert (first, after) == ("long", ["say one", "uno"])
    assert 1 <= len(kept) < 8 * 500
    assert (b"e" + out).decode() == f"{kept}\nuno\n"


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["waiting", "answering"])
def test_a_signal_ends_the_program_and_its_engine_whatever_it_does(blow, when, tmp_path):
    script({"when": "long", "text": "endless " * 5000}, latency={"decode_token": 0.02})
    process = started()
    process.stdin.write(b"long\n" if when == "answering" else b"say one\n")
    seen, awaited = b"", b"e" if when == "answering" else b"uno\n"
    while awaited not in seen:
        seen += process.stdout.read(100)
    process.send_signal(blow)
    assert process.wait(timeout=60) == 3  # and its standard input is still open
    out, err = process.stdout.read(), process.stderr.read()
    assert err.strip() == b"Error: Interrupted."
    assert when == "waiting" or out.endswith(b"\n")
    assert not [*tmp_path.glob("speclrm-chat-*")]


def test_in_a_terminal_a_signal_ends_the_line_that_is_typed():
    mine, theirs = pty.openpty()
    process = started(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = b""
    while b"> " not in screen:
        screen += os.read(mine, 1000)
    os.write(mine, b"half a li")
    while process.poll() is None:  # the line editor may be busy, and miss the first
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
    assert process.returncode == 3
    os.close(mine)


def test_in_a_terminal_there_is_a_prompt_and_ctrl_d_ends_it():
    mine, theirs = pty.openpty()
    process = started(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = b""
    for awaited, typed in [(b"> ", b"say two\n"), (b"dos", b""), (b"> ", b"\x04")]:
        while awaited not in screen:
            screen += os.read(mine, 1000)
        screen = screen.partition(awaited)[2]
        os.write(mine, typed)
    assert process.wait(timeout=60) == 0
    os.close(mine)


def test_nothing_is_left_behind_but_the_log_of_an_engine_that_did_not_start(chat, tmp_path):
    chat("one")
    assert not [*tmp_path.glob("speclrm-chat-*")]


def test_a_full_disk_and_a_closed_standard_input_are_a_sentence_each(chat):
    command = [sys.executable, "-m", "pipeline", *COMMAND.split()]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            command, input="say one\n", stdout=full, stderr=subprocess.PIPE, text=True, env=env,
            check=False,
        )  # fmt: skip
    assert said.returncode == 3
    assert "No space left on device" in said.stderr
    assert "Traceback" not in said.stderr
    closed = subprocess.run(
        ["bash", "-c", f"{' '.join(command)} <&-"], capture_output=True, text=True, env=env,
        check=False,
    )  # fmt: skip
    assert closed.returncode == 2
    assert "Standard input is closed" in closed.stderr
