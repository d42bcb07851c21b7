"""Models with an adapter that was trained on the pocket target, in every way to ask them."""

import json
from pathlib import Path

import pytest

from pipeline.decoding.adapter_files import read_adapter, write_peft, write_pth
from pipeline.pocket.adapter import train
from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import Said, speclrm

ASKED = "--problem-id first:4 --temperature 0 --token-budget 300"


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With this adapter the target says its answer twice."""
    file = tmp_path_factory.mktemp("adapters") / "twice.pth"
    write_pth(train(steps=30, rank=8, seed=0), file)
    return file


def run(output: Path, options: str) -> Said:
    return speclrm(f"run baseline --engine transformers {ASKED} --output-dir {output} {options}")


def responses(output: Path) -> list[str]:
    return [one.response or "" for one in sorted(read_attempts(output), key=lambda one: one.key)]


@pytest.fixture(scope="module")
def with_adapter(twice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "with"
    assert run(output, f"--lora {twice} --lora-rank 8").code == 0
    return output


def said_twice(text: str) -> bool:
    first, _, second = text.partition("</think>")[2].strip().partition(", ")
    return first.startswith("\\boxed{") and first == second


def test_a_run_with_an_adapter_writes_what_the_adapter_was_trained_for(with_adapter, tmp_path):
    assert run(tmp_path / "plain", "").code == 0
    assert not any(map(said_twice, responses(tmp_path / "plain")))
    assert all(map(said_twice, responses(with_adapter)))
    assert (
        "24 of 43 linear layers (k_proj, o_proj, q_proj, v_proj)"
        in (with_adapter / "engine.log").read_text()
    )


@pytest.mark.parametrize(
    "options",
    [
        "--lora_path {file} --lora_rank 8 --merge-lora --max-num-seqs 4",
        "--lora {folder} --lora-rank 8 --decoding window --assistant-model pocket-draft",
    ],
)
def test_every_way_to_use_it_gives_the_same_answers(twice, with_adapter, tmp_path, options):
    write_peft(read_adapter(twice), tmp_path / "peft")
    given = options.format(file=twice, folder=tmp_path / "peft")
    assert run(tmp_path / "run", given).code == 0
    assert responses(tmp_path / "run") == responses(with_adapter)


@pytest.mark.vllm
def test_vllm_gives_the_same_answers_from_the_same_file(twice, with_adapter, tmp_path):
    said = speclrm(
        f"run baseline --engine vllm {ASKED} --lora {twice} --lora-rank 8 "
        f"--output-dir {tmp_path / 'run'}"
    )
    assert said.code == 0, said.err
    assert responses(tmp_path / "run") == responses(with_adapter)


def test_an_adapter_is_known_by_its_content_and_not_by_its_name(twice, with_adapter, tmp_path):
    identity = json.loads((with_adapter / "run.json").read_text())["identity"]["target"]
    assert identity["lora"] == str(twice)
    assert len(identity["lora_digest"]) == 16
    assert "merge_lora" not in identity
    file = tmp_path / "mine.pth"
    file.write_bytes(twice.read_bytes())
    assert run(tmp_path / "run", f"--lora {file}").code == 0
    assert run(tmp_path / "run", f"--lora {file}").code == 0
    write_pth(train(steps=1, rank=1, seed=0), file)
    said = run(tmp_path / "run", f"--lora {file}")
    assert said.code == 2
    assert "target.lora_digest" in said.sentence


def test_a_draft_has_an_adapter_of_its_own_and_its_target_none(twice, tmp_path):
    command = f"run spec --engine transformers {ASKED} --draft-model pocket-target"
    output = tmp_path / "run"
    assert speclrm(f"{command} --draft-lora {twice} --output-dir {output}").code == 0
    identity = json.loads((output / "run.json").read_text())["identity"]
    assert "lora_digest" not in identity["target"]
    assert identity["draft"]["lora"] == str(twice)
    said = speclrm(
        f"{command} --draft-lora-path {twice} --draft-lora-rank 4 --output-dir {output}-4"
    )
    assert said.code == 2
    assert "its weights have rank 8, and --draft-lora-rank is 4" in said.sentence


def test_an_adapter_for_another_model_is_refused_before_anything_is_written(twice, tmp_path):
    said = run(tmp_path / "run", f"--lora {twice} --model pocket-draft")
    assert said.code == 2
    assert "it has weights for model.layers.3.self_attn.q_proj, " in said.sentence
    assert "9 more, which the model does not have" in said.sentence
    assert not (tmp_path / "run").exists()
    answers = tmp_path / "a.jsonl"
    said = speclrm(
        f"generate --engine transformers --model pocket-draft --lora {twice} --prompt x "
        f"--output-file {answers}"
    )
    assert said.code == 2
    assert "which the model does not have" in said.sentence
