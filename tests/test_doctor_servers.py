"""The doctor and servers: a line for each thing that experiments ask of them, and what is amiss."""

import itertools
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from fake_openai import GOOD, SKILLED, Fake
from fake_server import chat, serving

from pipeline.engines.openai import http_retry
from speclrm_testing.commands import Said, speclrm


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setattr(http_retry.RetryPolicy, "wait", lambda *_: 0.0)


def doctor(*urls: str, options: str = "") -> Said:
    return speclrm(f"doctor {' '.join(f'--base-url {url}' for url in urls)} {options}")


def lines(said: Said, *whats: str) -> list[str]:
    return [one for one in said.out.splitlines() if one[9:].startswith(whats)]


ASKED_OF_SERVERS = ("server", "token prompts", "log-probabilities", "seed", "replicas")


def vllms(body: dict[str, Any]) -> dict[str, Any]:
    """What vLLM's server answers: it samples by the seed, and tells log-probabilities by ids."""
    choice = GOOD["choices"][0] | {"text": f"{body['seed']}", "stop_reason": None}
    tokens = body.get("logprob_token_ids", [])
    if tokens:
        choice["logprobs"] = {"top_logprobs": [{f"token_id:{one}": -1.0 for one in tokens}]}
    return GOOD | {"choices": [choice]}


def test_a_server_of_vllm_that_does_all_has_a_line_for_each(fake: Fake, tiny_model: Path) -> None:
    fake.good = vllms
    said = doctor(fake.url, options=f"--model m --tokenizer {tiny_model}")
    assert said.code == 0
    name = f"{fake.url}/v1"
    assert lines(said, *ASKED_OF_SERVERS) == [
        f"ok       server                 {name} serves m, context 100",
        f"ok       token prompts          {name} takes token ids",
        f"ok       log-probabilities      {name} tells those of the 10 digits",
        f"ok       seed                   {name} answers the same seed the same way",
    ]


UNTOLD = SKILLED["choices"][0] | {"token_ids": None, "logprobs": None}
SHOWN = {
    "all, but no tokenizer is named": (
        (SKILLED, False),
        "warning takes token ids, but its tokenizer is unknown: it is asked by chats only",
        "ok tells those of chosen tokens",
    ),
    "only takes ids": (
        (SKILLED | {"choices": [UNTOLD]}, True),
        "ok takes token ids, and does not tell the ids that it writes",
        "warning tells none of chosen tokens",
    ),
    "only texts": (
        ({}, True),
        "ok takes text, by the named tokenizer, and does not tell the ids that it writes",
        "warning tells none of chosen tokens",
    ),
}


@pytest.mark.parametrize(("shown", "tokens", "probabilities"), SHOWN.values(), ids=SHOWN)
def test_what_a_server_showed_is_said_whatever_it_is_called(
    fake: Fake, tiny_model: Path, shown: tuple[Any, bool], tokens: str, probabilities: str
) -> None:
    probe, named = shown
    fake.probe = (200, json.dumps(probe))
    said = doctor(fake.url, options="--model m" + f" --tokenizer {tiny_model}" * named)
    found = [
        f"{line[:8].strip()} {line.partition('/v1 ')[2].partition(' - ')[0]}"
        for line in lines(said, "token prompts", "log-probabilities")
    ]
    assert found == [tokens, probabilities]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({}, "choices[0].logprobs lacks the tokens ["),
        ({"logprobs": None}, "the server's answer is not a completion (Expected `object`"),
    ],
)
def test_log_probabilities_that_do_not_come_are_a_warning(
    fake: Fake, tiny_model: Path, choice: dict[str, Any], said: str
) -> None:
    few = {"logprobs": {"top_logprobs": [{"token_id:5": -1.0}]}} | choice
    fake.good = lambda body: GOOD | {"choices": [vllms(body)["choices"][0] | few]}
    report = doctor(fake.url, options=f"--model m --tokenizer {tiny_model}")
    [line] = lines(report, "log-probabilities")
    assert line.startswith(f"warning  log-probabilities      {fake.url}/v1: the server's answer")
    assert said in line
    assert report.code == 0


def listing(*models: str) -> tuple[int, Any]:
    return 200, {"data": [{"id": one, "owned_by": "someone"} for one in models]}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (itertools.count(), "answers one seed in two ways - attempts cannot be repeated"),
        (itertools.repeat(7), "answers every seed the same way - see whether it samples"),
    ],
)
def test_what_another_server_does_not_do_is_a_warning_with_advice(answers: Any, said: str) -> None:
    with serving(lambda _: listing("m"), lambda *_: chat(str(next(answers)))) as url:
        report = doctor(url)
    assert report.code == 0
    found = lines(report, *ASKED_OF_SERVERS)
    assert [one.split()[0] for one in found] == ["ok", "warning", "warning", "warning"]
    assert f"{url} serves m, context unknown" in found[0]
    assert "asked by chats only - name the tokenizer of its model with --tokenizer" in found[1]
    assert f"{url} {said}" in found[3]


def test_each_server_that_cannot_be_asked_is_a_failure_and_the_others_are_looked_at() -> None:
    def post(_path: str, body: Any) -> tuple[int, Any]:
        return chat(str(body["seed"]))

    with serving(lambda _: listing("m"), post) as good, serving(lambda _: listing("m")) as broken:
        report = doctor(broken, "http://127.0.0.1:9", good, "nonsense")
    assert report.code == 2
    assert [one[:8].strip() for one in lines(report, "server")] == [
        "FAILURE",
        "FAILURE",
        "ok",
        "FAILURE",
    ]
    assert f"the server at {broken} lists its models but gives no text" in report.out
    assert "the server at http://127.0.0.1:9/v1 does not answer" in report.out
    assert "the base URL 'nonsense' must begin with http://" in report.out


def test_of_several_models_one_must_be_named() -> None:
    with serving(lambda _: listing("m", "n"), lambda *_: chat("7")) as url:
        report = doctor(url)
        assert f"the server at {url} serves m, n; name one with --model" in report.out
        assert f"{url} serves n" in doctor(url, options="--model n").out


def test_servers_that_cannot_be_replicas_of_one_model_are_told_apart() -> None:
    with (
        serving(lambda _: listing("m"), lambda *_: chat("7")) as one,
        serving(lambda _: listing("n"), lambda *_: chat("7")) as other,
    ):
        report = doctor(one, other)
    assert report.code == 2
    assert f"{other} is no replica of the first server: it says " in lines(report, "replicas")[0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("--base-url http://a --draft-model d", "--draft-model has no effect beside --base-url"),
        ("--base-url http://a --engine vllm", "--engine has no effect beside --base-url"),
        ("--base-url http://a --no-engine", "--no-engine has no effect beside --base-url"),
        ("--tokenizer t", "--tokenizer has no effect without --base-url"),
    ],
)
def test_what_has_no_effect_is_refused(given: str, sentence: str) -> None:
    said = speclrm(f"doctor {given}")
    assert said.code == 2
    assert sentence in said.sentence
    assert said.out == ""
