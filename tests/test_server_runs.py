"""Whole runs on servers that count badly, hide what they do, or say secrets back."""

import json
import math
from pathlib import Path

import pytest
from fake_server import MODELS, chat, serving

from pipeline.runs.directory import read_attempts, read_manifest
from speclrm_testing.commands import speclrm

KEY, PASSWORD = "sk-proj/abc+DEF_0123", "wordpass99"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(2)]
    lines = [json.dumps(row | {"kind": "integer"}) + "\n" for row in rows]
    Path("sums.jsonl").write_text("".join(lines))


def baseline(url: str, options: str = ""):
    return speclrm(
        f"run baseline --data-file sums.jsonl --engine openai --base-url {url} --model m "
        f"--output-dir run {options}"
    )


def speaking(*answers):
    """A server that gives these answers to requests in turn, the last one ever after."""
    left = list(answers)

    def answer(path):
        if path.endswith("/models"):
            return MODELS
        return left.pop(0) if len(left) > 1 else left[0]

    return serving(answer)


def counting(**usage):
    status, body = chat("so \\boxed{1}")
    return status, body | {"usage": usage}


def test_tokens_that_a_server_does_not_count_are_unknown_from_the_record_to_the_leaderboard():
    with speaking(counting()) as url:
        assert baseline(url).code == 0
    for attempt in read_attempts(Path("run")):
        tokens = attempt.usage["target"]["plain"]
        assert (attempt.status, attempt.answer) == ("ok", "1")
        assert (tokens.prompt_new, tokens.prompt_cached, tokens.generated) == (None, None, None)
        assert attempt.tracks[0].steps[0].tokens is None
    assert speclrm("grade run").code == 0
    rows = [json.loads(line) for line in Path("run/verdicts.jsonl").read_text().splitlines()]
    assert [row["usage"]["target"]["plain"]["generated"] for row in rows] == [None, None]
    assert [row["flops"] for row in rows] == [None, None]
    [row] = json.loads(speclrm("leaderboard run --format json").out)
    assert {row[name] for name in row if "tokens" in name or "flops" in name} == {None}
    assert "unknown generated" in speclrm("show run --problem-id 0").out


def test_tracks_vote_on_a_server_that_is_asked_by_chats_which_cannot_be_made_to_stop_thinking():
    with speaking(chat("so \\boxed{1}")) as url:
        command = (
            f"run parallel --data-file sums.jsonl --engine openai --base-url {url} --model m "
            "--output-dir run"
        )
        refused = speclrm(f"{command} --thinking-budget 9")
        assert speclrm(command).code == 0
    assert [attempt.vote.winner for attempt in read_attempts(Path("run"))] == ["1", "1"]
    assert refused.code == 2
    assert "offers no naming of the stop string, token prompts" in refused.sentence


@pytest.mark.parametrize("bad", [math.nan, -3, 10**30, "3", True], ids=str)
def test_a_count_that_is_none_is_an_error_record_and_the_run_can_be_read(bad):
    with speaking(counting(), counting(completion_tokens=bad), counting()) as url:
        said = baseline(url, "--concurrency 1")
    assert said.code == 1
    [failed] = [one for one in read_attempts(Path("run")) if one.status == "error"]
    assert "completion_tokens" in failed.error.message
    assert url in failed.error.message
    assert speclrm("grade run").code == 0
    assert speclrm("leaderboard run").code == 0


@pytest.fixture
def everything_written():
    """Every file below the working folder as one text."""

    def read():
        return "".join(
            file.read_bytes().decode() for file in sorted(Path().rglob("*")) if file.is_file()
        )

    return read


ECHOES = {
    "a refusal": (401, {"error": f"Incorrect API key provided: {KEY}; password {PASSWORD}"}),
    "a completion": chat(f"my key is {KEY}, my password {PASSWORD}, \\boxed{{1}}"),
    "a finish reason": (200, {"choices": [{"message": {"content": ""}, "finish_reason": KEY}]}),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_nothing_that_is_written_or_shown_holds_the_key_or_the_password(
    monkeypatch, everything_written, echo
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with speaking(chat("ready"), echo) as url:
        address = url.replace("://", f"://user:{PASSWORD}@")
        said = [baseline(address), speclrm("show run --problem-id 0"), speclrm("grade run")]
    text = everything_written() + "".join(one.out + one.err for one in said)
    assert len(list(read_attempts(Path("run")))) == 2
    assert not any(secret in text for secret in (KEY, json.dumps(KEY), PASSWORD))
    command = read_manifest(Path("run"))["sessions"][0]["command"]
    assert f"--base-url {url.replace('://', '://***@')}" in command


def test_the_identity_of_a_run_does_not_depend_on_the_password():
    with speaking(chat("\\boxed{1}")) as url:
        baseline(url.replace("://", "://user:first-password@"), "--problem-id 0")
        again = baseline(url.replace("://", "://user:second-password@"))
    assert "Attempts: 1 made, 1 already recorded" in again.out


@pytest.mark.parametrize(
    "command",
    [
        "run baseline --base-urll http://user:wordpass99@host/v1",
        "run baseline http://user:wordpass99@host/v1",
        "run http://user:wordpass99@host/v1",
        "run baseline --engine openai --model m --base-url ftp://user:wordpass99@host/v1",
        "run baseline --engine openai --model m --base-url http://user:wordpass99@[host/v1",
        "run baseline --engine openai --model m --base-url http://user:wordpass99@127.0.0.1:9/v1",
    ],
)
def test_a_mistake_is_told_without_the_password_that_it_holds(command):
    said = speclrm(command)
    assert said.code == 2
    assert PASSWORD not in said.out + said.err
    assert said.err


def draft_of(url: str, model: Path, script: Path):
    return speclrm(
        f"run spec --data-file sums.jsonl --engine scripted --script {script} --draft-engine openai"
        f" --draft-base-url {url} --draft-model m --draft-tokenizer {model} --output-dir run"
    )


STEP, LAST = "one plus one.\n\n", "so \\boxed{1}"


def writing(body, *, named):
    """A model that writes two steps; its server strips the stop string, and may name it."""
    step = LAST if STEP.strip() in body["prompt"] else STEP + LAST
    found = [stop for stop in body.get("stop", []) if stop in step]
    text = step[: step.index(found[0])] if found else step
    matched = {"matched_stop": found[0] if found else None} if named else {}
    return 200, {"choices": [{"text": text, "finish_reason": "stop"} | matched]}


@pytest.fixture
def judge() -> Path:
    """A target that likes every step."""
    file = Path("judge.json")
    file.write_text(json.dumps({"rules": [{"when": "my score", "score": 9}]}))
    return file


def draft_server(*, named):
    return serving(lambda path: MODELS, on_post=lambda path, body: writing(body, named=named))


def test_a_track_goes_on_after_a_step_whose_stop_string_the_server_names(tiny_model, judge):
    with draft_server(named=True) as url:
        said = draft_of(url, tiny_model, judge)
    assert said.code == 0, said.err
    for attempt in read_attempts(Path("run")):
        [track] = attempt.tracks
        assert [step.text for step in track.steps] == [STEP, LAST]
        assert {step.author for step in track.steps} == {"draft"}


def test_a_draft_whose_server_hides_what_stopped_it_is_refused_by_name(tiny_model, judge):
    with draft_server(named=False) as url:
        said = draft_of(url, tiny_model, judge)
    assert said.code == 2
    assert "takes the stop string out of its answers and does not name it" in said.sentence
    assert not Path("run").exists()
