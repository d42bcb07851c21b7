"""What model cards ask for beyond sampling: a system prompt, template settings, extra fields."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from fake_server import MODELS, chat, serving
from test_sampling import MODEL, OLD

from pipeline.engines.model_extras import extras_where_set
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment, Opening
from pipeline.reasoners.opening import open_chain
from pipeline.runs.directory import read_attempts, read_manifest
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

SERVED = EngineSettings("openai", "m", base_url="http://127.0.0.1:9/v1")
SECRET = "tok-0123456789abcdef"
CLOSING = (
    "{{ messages[-1].content }}{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}"
)
DEAF = "{{ messages[-1].content }}"
REFUSING = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"


def templated(tiny_model: Path, template: str | None = None, **settings: str) -> HFTokenizer:
    """The tiny model's tokenizer, with another chat template if one is given."""
    loaded = HFTokenizer.of(EngineSettings("transformers", str(tiny_model), **settings))
    if template is None:
        return loaded
    loaded._tokenizer.chat_template = template
    return HFTokenizer(loaded._tokenizer, loaded.eos_ids, loaded._template)


def opened(tokenizer: HFTokenizer, *opening: str) -> str:
    return tokenizer.decode_with_special(open_chain(tokenizer, "1+1?", *opening))


def test_the_chat_template_is_given_what_is_asked_for(tiny_model):
    thinking = templated(tiny_model, chat_template_kwargs='{"enable_thinking": true}')
    assert opened(thinking, "auto").endswith("assistant\n<think>\n")
    assert opened(templated(tiny_model), "auto").endswith("assistant\n")
    effort = "{{ messages[-1].content }} ({{ reasoning_effort }}, {{ style }})"
    loaded = templated(tiny_model, effort)
    asked = {"reasoning_effort": "low", "style": [1]}
    one = HFTokenizer(loaded._tokenizer, loaded.eos_ids, asked)
    assert opened(one, "auto") == "1+1? (low, [1])"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"chat_template_kwargs": '{"enable_thought": true}'}, "'enable_thought'"),
        ({"reasoning_effort": "high"}, "'reasoning_effort'"),
    ],
)
def test_what_the_chat_template_takes_no_notice_of_is_refused_by_name(tiny_model, settings, named):
    with pytest.raises(UserMistake, match=f"takes no notice of {named}; drop it from"):
        templated(tiny_model, **settings)


def test_a_block_that_the_template_closes_is_not_opened_again(tiny_model):
    loaded = templated(tiny_model, CLOSING)
    loaded._tokenizer.add_tokens(["<think>"])  # one token: by itself `auto` would open it
    assert opened(HFTokenizer(loaded._tokenizer, loaded.eos_ids), "auto") == "1+1?<think>\n"
    closed = HFTokenizer(loaded._tokenizer, loaded.eos_ids, {"enable_thinking": False})
    assert opened(closed, "auto") == "1+1?<think>\n\n</think>\n\n"
    assert opened(closed, "on").endswith("</think>\n\n<think>\n")


@pytest.mark.parametrize(
    ("thinking", "asked", "expected"),
    [
        ("auto", None, "auto"),
        ("auto", "true", "auto"),
        ("auto", "false", "off"),
        ("off", "false", "off"),
        ("on", "true", "on"),
        ("on", "false", None),
        ("off", "true", None),
    ],
)
def test_thinking_and_the_chat_templates_own_switch_agree_or_are_refused(thinking, asked, expected):
    kwargs = None if asked is None else f'{{"enable_thinking": {asked}}}'
    target = replace(MODEL, chat_template_kwargs=kwargs)

    def opening():
        return Experiment("baseline", target, thinking=thinking).opening("target")

    if expected is None:
        with pytest.raises(UserMistake, match=f"--thinking {thinking} contradicts the enable_"):
            opening()
    else:
        assert opening() == Opening(expected)


def test_the_system_prompt_stands_before_the_task_or_the_template_is_blamed(tiny_model):
    text = opened(templated(tiny_model), "auto", "Be brief.")
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?")
    with pytest.raises(UserMistake, match="leaves the system prompt out; drop --system-prompt"):
        opened(templated(tiny_model, DEAF), "auto", "Be brief.")
    with pytest.raises(UserMistake, match=r"no system role; name .* or drop --system-prompt"):
        opened(templated(tiny_model, REFUSING), "auto", "Be brief.")


KWARGS = "--chat-template-kwargs"
REFUSED = [
    (KWARGS, '{"enable_thinking": fals', "--chat-template-kwargs is not JSON (Expecting value at"),
    (KWARGS, "[1]", "--chat-template-kwargs must be a JSON object"),
    (KWARGS, '{"messages": []}', "--chat-template-kwargs cannot set 'messages': the program does"),
    (KWARGS, '{"tokenize": true}', "cannot set 'tokenize'"),
    ("--extra-body", f'{{"api_key": "{SECRET}"', "--extra-body is not JSON"),
    ("--extra-body", '{"seed": 1}', "--extra-body cannot set 'seed'; use --seed"),
    ("--extra-body", '{"top_k": 1}', "--extra-body cannot set 'top_k'; use --top-k"),
    ("--extra-body", '{"temperature": 1}', "use --temperature"),
    ("--extra-body", '{"reasoning_effort": "low"}', "use --reasoning-effort"),
    *(
        ("--extra-body", json.dumps({name: 1}), f"cannot set '{name}', which the run controls")
        for name in ("model", "messages", "prompt", "max_tokens", "max_completion_tokens", "n")
    ),
    ("--extra-body", '{"stop": ["a"]}', "cannot set 'stop', which the run controls"),
    ("--extra-body", '{"stream": true}', "cannot set 'stream', which the run controls"),
    ("--system-prompt", "  ", "--system-prompt is empty"),
    ("--system-prompt", "x \udcff y", "--system-prompt holds half of a surrogate pair"),
    ("--system-prompt", "@nowhere.txt", "--system-prompt: nowhere.txt cannot be read"),
]


@pytest.mark.parametrize(("option", "value", "sentence"), REFUSED)
def test_what_would_override_the_run_is_refused_by_name_before_it(
    tmp_path, monkeypatch, option, value, sentence
):
    monkeypatch.chdir(tmp_path)
    command = ["run", "baseline", "--engine", "openai", "--model", "m", "--base-url"]
    said = speclrm(shlex.join([*command, "http://127.0.0.1:9/v1", option, value]))
    assert said.code == 2
    assert sentence in said.sentence
    assert SECRET not in said.err
    assert not any(tmp_path.iterdir())


def test_an_engine_without_the_extras_refuses_them():
    said = speclrm("run baseline --engine scripted --script x --reasoning-effort low")
    assert "--reasoning-effort has no effect with --engine scripted" in said.sentence
    said = speclrm("run baseline --engine transformers --extra-body {}")
    assert "--extra-body has no effect with --engine transformers; drop it, or choose openai" in (
        said.sentence
    )


def test_only_what_is_set_is_part_of_a_runs_identity_and_however_it_is_spaced():
    assert Experiment("baseline", MODEL).settings() == OLD
    none = Experiment("baseline", SERVED).settings()
    assert none["target"] == OLD["target"] | {"engine": "openai"}
    spaced = replace(SERVED, chat_template_kwargs='{ "b": 1,\n "a": {} }', reasoning_effort="low")
    dense = replace(SERVED, chat_template_kwargs='{"a":{},"b":1}', reasoning_effort="low")
    one, other = Experiment("baseline", spaced), Experiment("baseline", dense)
    assert one.name() == other.name() != Experiment("baseline", SERVED).name()
    extras = {"chat_template_kwargs": {"a": {}, "b": 1}, "reasoning_effort": "low"}
    assert one.settings()["target"] == none["target"] | extras
    prompted = Experiment("baseline", MODEL, system_prompt="Be brief.")
    assert prompted.settings() == OLD | {"system_prompt": "Be brief."}
    assert Experiment("baseline", replace(SERVED, chat_template_kwargs="{}")).settings() == none


def test_secrets_of_the_extra_body_are_no_part_of_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    body = {
        "api_key": SECRET,
        "user": "ann",
        "provider": [{"access_token": SECRET, "order": ["a"]}],
        "note": "Bearer sk-of-the-environment",
        "seconds_per_token": 3,
    }
    shown = extras_where_set(replace(SERVED, extra_body=json.dumps(body)))["extra_body"]
    assert shown == {
        "api_key": "***",
        "user": "ann",
        "provider": [{"access_token": "***", "order": ["a"]}],
        "note": "Bearer ***",
        "seconds_per_token": 3,
    }


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    row = {"id": "0", "problem": "1+1?", "answer": "2", "kind": "integer"}
    Path("sums.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def command(url: str, *options: str) -> str:
    start = ["run", "baseline", "--data-file", "sums.jsonl", "--engine", "openai", "--model", "m"]
    return shlex.join([*start, "--output-dir", "run", "--base-url", url, *options])


def test_a_server_gets_the_system_prompt_and_the_extra_fields_and_no_secret_is_written(here):
    seen = []

    def answer(_path, body):
        seen.append(body)
        return chat(f"you sent {body.get('api_key')}, so \\boxed{{2}}")

    Path("system.txt").write_text("Be brief.\n")
    options = ["--system-prompt", "@system.txt", "--extra-body"]
    body = {"api_key": SECRET, "provider": {"order": ["a"]}}
    with serving(lambda _path: MODELS, on_post=answer) as url:
        said = [speclrm(command(url, *options, json.dumps(body)))]
        said.append(speclrm(command(url, *options, json.dumps(body | {"api_key": "another one"}))))
        said.append(speclrm(command(url, *options, json.dumps({"provider": {}}))))
        said.append(speclrm(command(url, *options, json.dumps(body), "--dry-run")))
    assert [one.code for one in said] == [0, 0, 2, 0]
    assert "0 made, 1 already recorded" in said[1].out
    assert "target.extra_body.provider.order" in said[2].sentence
    assert seen[1]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (seen[1]["api_key"], seen[1]["provider"]) == (SECRET, {"order": ["a"]})
    [attempt] = read_attempts(Path("run"))
    assert attempt.response == "you sent ***, so \\boxed{2}"
    identity = read_manifest(Path("run"))["identity"]
    assert identity["system_prompt"] == "Be brief."
    assert identity["target"]["extra_body"] == {"api_key": "***", "provider": {"order": ["a"]}}
    assert "system prompt  Be brief.\n" in said[3].out
    written = "".join(file.read_text() for file in sorted(here.rglob("*")) if file.is_file())
    assert SECRET not in written + "".join(one.out + one.err for one in said)


def strict(_path, body):
    """A server that knows both fields, and takes only their own kind."""
    effort, kwargs = body.get("reasoning_effort", "low"), body.get("chat_template_kwargs", {})
    if effort not in {"low", "high"} or not isinstance(kwargs, dict):
        return 400, {"error": "Invalid value"}
    return chat(f"\\boxed{{2}} {effort} {kwargs}")


def test_a_chat_server_gets_effort_and_template_settings_where_it_knows_them(here):
    options = ["--reasoning-effort", "high", KWARGS, '{"enable_thinking": false}']
    with serving(lambda _path: MODELS, on_post=strict) as url:
        said = speclrm(command(url, *options))
    assert said.code == 0, said.err
    [attempt] = read_attempts(Path("run"))
    assert attempt.response == "\\boxed{2} high {'enable_thinking': False}"


def test_a_chat_server_that_takes_no_notice_of_them_is_refused_by_name(here):
    with serving(lambda _path: MODELS, on_post=lambda _path, _body: chat("\\boxed{2}")) as url:
        said = speclrm(command(url, "--reasoning-effort", "high"))
    assert said.code == 2
    assert "the server takes no notice of reasoning_effort" in said.sentence
    assert not Path("run").exists()


def test_roles_have_settings_of_their_own_and_a_plan_tells_them(tmp_path, tiny_model):
    place = Place.made(tmp_path)
    thinking = '{"enable_thinking":true}'
    options = f"--draft-engine transformers --draft-model {tiny_model} --dry-run"
    start = place.command("spec", options).replace(f"--draft-script {tmp_path / 'draft.json'}", "")
    said = speclrm(f"{start} --draft-chat-template-kwargs '{thinking}'")
    assert said.code == 0, said.err
    assert (
        f'{tiny_model} through transformers, chat_template_kwargs {{"enable_thinking": true}}'
        in (said.out)
    )
