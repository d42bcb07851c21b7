"""From settings to an engine: names, tokenizers, model facts, and the mistakes in between."""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines import ENGINES, create, resolve_auto
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.facts import read_facts
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment, engine_identity
from pipeline.resources import pocket_dir
from pipeline.runs.planning import plan


def test_auto_is_an_engine_that_there_is() -> None:
    assert resolve_auto() in ENGINES


def test_auto_is_transformers_where_vllm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.declaration.find_spec", lambda name: None)
    assert resolve_auto() == "transformers"
    with pytest.raises(UserMistake, match="the package vllm, which is not installed"):
        create(EngineSettings("vllm", "m"))


def test_an_unknown_engine_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UserMistake, match="no engine 'ruminate'; there are: vllm, openai"):
        create(EngineSettings("ruminate", "m"))


IGNORED: list[tuple[str, dict[str, Any], str]] = [
    ("scripted", {"lora": "adapter"}, "ray or transformers or vllm"),
    ("transformers", {"quantization": "fp8"}, "ray or vllm"),
    ("transformers", {"speculative": "{}"}, "ray or vllm"),
    ("transformers", {"tensor_parallel_size": 2}, "ray or vllm"),
    ("vllm", {"base_url": "http://127.0.0.1:9"}, "openai"),
    ("scripted", {"dtype": "float16"}, "ray or transformers or vllm"),
    ("openai", {"script": Path("x.json")}, "ray or scripted"),
]


@pytest.mark.parametrize(("engine", "asked", "users"), IGNORED)
def test_from_python_too_an_engine_refuses_what_it_would_have_to_ignore(
    engine: str, asked: dict[str, Any], users: str
) -> None:
    settings = replace(EngineSettings(engine, "m"), **asked)
    sentence = f"{next(iter(asked))!r} has no effect with the engine {engine}; .* choose {users}$"
    with pytest.raises(UserMistake, match=sentence):
        create(settings)
    with pytest.raises(UserMistake, match=sentence):
        plan(Experiment("baseline", settings))


def without_tokenizer(model: Path, folder: Path) -> str:
    shutil.copy(model / "config.json", folder)
    return str(folder)


WINDOWS: list[tuple[dict[str, Any], str]] = [
    ({"proposer": "lookup"}, "--proposer has no effect with --decoding plain"),
    ({"window": 4, "assistant_model": "a"}, "--window and --assistant-model have no effect with"),
    ({"decoding": "window", "proposer": "assistant"}, "assistant needs --assistant-model, a small"),
    (
        {"decoding": "window", "proposer": "lookup", "assistant_model": "a"},
        "--assistant-model has no effect with --proposer lookup",
    ),
]


@pytest.mark.parametrize(("asked", "words"), WINDOWS)
def test_settings_of_windows_that_do_not_go_together_are_refused(
    asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserMistake, match=words):
        create(replace(EngineSettings("transformers", "m"), **asked))


UNFIT = [
    ("tiny", "pocket-draft", "has another tokenizer than the model"),
    ("pocket-target", "short", "a context of 100 tokens, shorter than the model's; give --max-mod"),
    ("pocket-target", "./nowhere", "nowhere does not exist"),
]


@pytest.mark.parametrize(("model", "assistant", "words"), UNFIT)
async def test_an_assistant_that_cannot_be_used_is_told_of_before_its_weights_are_loaded(
    tiny_model: Path, tmp_path: Path, model: str, assistant: str, words: str
) -> None:
    if assistant == "short":
        assistant = str(shutil.copytree(pocket_dir() / "draft", tmp_path / "short"))
        config = json.loads((tmp_path / "short" / "config.json").read_text(encoding="utf-8"))
        config["max_position_embeddings"] = 100
        (tmp_path / "short" / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (tmp_path / "short" / "model.safetensors").unlink()
    target = EngineSettings(
        "transformers",
        str(tiny_model) if model == "tiny" else model,
        decoding="window",
        assistant_model=assistant,
    )
    engine = create(with_model_folder(target))
    with pytest.raises(UserMistake, match=words):
        await engine.start()
    await engine.stop()


@pytest.mark.parametrize(
    ("asked", "added"),
    [
        ({}, {}),
        ({"max_num_seqs": 8}, {}),
        ({"decoding": "plain"}, {}),
        ({"decoding": "window"}, {"decoding": "window"}),
        (
            {"decoding": "window", "window": 9, "assistant_model": "pocket-draft"},
            {"decoding": "window", "window": 9, "assistant_model": "pocket-draft"},
        ),
    ],
)
def test_windows_are_part_of_a_runs_identity_and_what_was_there_before_them_is_not_renamed(
    asked: dict[str, Any], added: dict[str, Any]
) -> None:
    settings = EngineSettings("transformers", "m")
    assert engine_identity(replace(settings, **asked)) == engine_identity(settings) | added
    assert engine_identity(settings).keys() == {
        *("engine", "model", "revision", "tokenizer", "dtype", "max_model_len"),
        *("quantization", "lora", "speculative"),
    }


async def test_a_model_folder_without_tokenizer_is_told_of(
    tiny_model: Path, tmp_path: Path
) -> None:
    engine = create(EngineSettings("transformers", without_tokenizer(tiny_model, tmp_path)))
    with pytest.raises(UserMistake, match="has no tokenizer files"):
        await engine.start()
    await engine.stop()


async def test_damaged_weights_are_told_of(tiny_model: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "damaged"))
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    engine = create(EngineSettings("transformers", str(model)))
    with pytest.raises(UserMistake, match=r"damaged' cannot be loaded \("):
        await engine.start()
    await engine.stop()


async def test_a_device_that_is_not_there_is_told_of(tiny_model: Path) -> None:
    engine = create(EngineSettings("transformers", str(tiny_model), devices="99"))
    with pytest.raises(
        UserMistake, match=r"cannot be moved to cuda:99 \(.+\); choose another device"
    ):
        await engine.start()
    await engine.stop()


async def test_the_cpu_can_be_asked_for_where_there_is_a_gpu(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: None)
    engine = create(EngineSettings("transformers", str(tiny_model), devices="cpu"))
    await engine.start()
    assert engine.facts.dtype == "float32"
    await engine.stop()


@pytest.mark.vllm
def test_vllm_refuses_a_device_that_is_its_builds_matter(tiny_model: Path) -> None:
    with pytest.raises(UserMistake, match="use --engine transformers with --devices cpu"):
        create(EngineSettings("vllm", str(tiny_model), devices="cpu"))


needs_vllm = pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
MISSING = [
    ("/no/such/model", "/no/such/model does not exist"),
    ("./here", "./here does not exist"),
]


@pytest.mark.parametrize("name", ["transformers", pytest.param("vllm", marks=needs_vllm)])
@pytest.mark.parametrize(("model", "words"), MISSING)
async def test_a_missing_model_folder_is_told_of(name: str, model: str, words: str) -> None:
    engine = create(EngineSettings(name, model))  # type: ignore[arg-type]
    with pytest.raises(UserMistake, match=words):
        await engine.start()
    await engine.stop()


def test_a_hub_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.model_files.hub_answers", lambda: False)
    with pytest.raises(UserMistake, match="hub does not respond"):
        read_facts(EngineSettings("transformers", "nobody/nothing"))


def test_weights_are_counted_once_and_the_head_apart(tiny_model: Path) -> None:
    facts = read_facts(EngineSettings("vllm", str(tiny_model)))
    layer = 64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64 + 2 * 32
    assert facts.parameters == 288 * 64 + 2 * layer + 64
    assert (facts.body_parameters, facts.head_parameters) == (2 * layer + 64, 288 * 64)
    assert (facts.layers, facts.attention_width, facts.context) == (2, 64, 512)


def test_weights_that_are_there_twice_or_packed_change_no_fact(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    shutil.copytree(tiny_model, folder)
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "awq", "bits": 4}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    there = read_facts(EngineSettings("vllm", str(folder)))
    assert replace(there, model="") == replace(
        read_facts(EngineSettings("vllm", str(tiny_model))), model=""
    )


def test_max_model_len_narrows_the_context(tiny_model: Path) -> None:
    assert read_facts(EngineSettings("vllm", str(tiny_model), max_model_len=100)).context == 100


def test_special_tokens_are_read_and_not_written(tiny_model: Path) -> None:
    tokenizer = HFTokenizer.load(str(tiny_model))
    ids = tokenizer.encode("<|im_start|>7 é\n\n<|im_end|>")
    assert len(ids) == 8
    assert tokenizer.decode(ids) == "7 é\n\n"
    assert tokenizer.decode_with_special(ids) == "<|im_start|>7 é\n\n<|im_end|>"
    assert tokenizer.eos_ids == {ids[-1]}


THINKING = [(None, ""), (False, ""), (True, "<think>\n")]


@pytest.mark.parametrize(("thinking", "opened"), THINKING)
def test_the_template_decides_how_thinking_opens(
    tiny_model: Path, thinking: bool | None, opened: str
) -> None:
    tokenizer = HFTokenizer.load(str(tiny_model))
    text = tokenizer.render_chat([{"role": "user", "content": "a=7"}], thinking=thinking)
    assert text == f"<|im_start|>user\na=7<|im_end|>\n<|im_start|>assistant\n{opened}"


def test_without_a_template_the_contents_are_paragraphs(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").unlink()
    messages = [{"role": "system", "content": "Solve."}, {"role": "user", "content": "a=7"}]
    assert HFTokenizer.load(str(folder)).render_chat(messages) == "Solve.\n\na=7\n\n"


def test_a_template_that_refuses_a_question_is_told_in_a_sentence(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "strict"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('system first') }}")
    with pytest.raises(UserMistake, match="cannot render a question: system first; name a"):
        HFTokenizer.load(str(folder)).render_chat([{"role": "user", "content": "a=7"}])


def test_the_tokens_of_a_text_are_the_callers_own(tiny_model: Path) -> None:
    tokenizer = HFTokenizer.load(str(tiny_model))
    first = tokenizer.encode("a=7")
    first.append(0)
    assert tokenizer.encode("a=7") == first[:-1]


@pytest.mark.parametrize(
    ("settings", "source", "revision"),
    [
        (EngineSettings("vllm", "a/model", revision="r1"), "a/model", "r1"),
        (EngineSettings("vllm", "a/model", revision="r1", tokenizer="b/other"), "b/other", None),
    ],
)
def test_a_revision_is_the_models_and_not_another_tokenizers(
    monkeypatch: pytest.MonkeyPatch, settings: EngineSettings, source: str, revision: str | None
) -> None:
    loaded = []

    def load(cls: object, *names: object, **_: object) -> None:
        loaded.append(names)

    monkeypatch.setattr(HFTokenizer, "load", classmethod(load))
    HFTokenizer.of(settings)
    assert loaded == [(source, revision)]
