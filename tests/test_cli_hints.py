"""Who comes from other scripts is told what to type; the pocket pair answers nothing by chance."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.cli.hints import COMMANDS
from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs" / "experiments-spec.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["eval", "spec_scale_reason.py", "eval/time_eval.py", "BASE_TEST"])
def test_a_scripts_name_is_answered_with_the_command(name: str) -> None:
    said = speclrm(f"{name} --dataset_name aime --results_dir results")
    assert said.code == 2
    assert f"No such command '{name}'; type speclrm " in said.sentence


@pytest.mark.parametrize("python", ["python", "python3", "/usr/bin/python3.11"])
def test_a_scripts_name_after_python_is_answered_too(python: str) -> None:
    said = speclrm(f"{python} spec_reason.py --dataset_name aime")
    assert said.code == 2
    assert "No such command 'spec_reason.py'; type speclrm run spec." in said.sentence


def test_a_scripts_name_for_a_reasoner_is_answered_with_the_command() -> None:
    said = speclrm("run spec_scale_reason --dataset_name aime")
    assert said.code == 2
    assert "type speclrm run spec --use-role-prompts --vote ssr-v1" in said.sentence


@pytest.mark.parametrize("command", ["grade", "leaderboard"])
def test_the_scripts_results_dir_is_answered_with_folders(command: str) -> None:
    said = speclrm(f"{command} --results_dir results")
    assert said.code == 2
    assert "runs are named by their folders: speclrm grade RUN" in said.err


def test_every_hint_begins_with_a_command_that_there_is() -> None:
    for hint in COMMANDS.values():
        for command in re.findall(r"speclrm ([a-z]+)", hint):
            assert speclrm(f"{command} --help").code == 0


def test_every_script_with_a_hint_is_in_the_table_of_the_docs() -> None:
    named = {name.replace("_", "-") for name in re.findall(r"`([a-z_0-9]+)\.py`", DOCS)}
    assert set(COMMANDS) - {"eval", "evaluate"} <= named


PAIRLESS = [
    ("run baseline --dataset aime", "--dataset aime needs --model:"),
    ("run baseline --dataset gpqa --engine transformers", "--dataset gpqa needs --model:"),
    ("run baseline --data-file sums.jsonl", "--data-file needs --model:"),
    ("run baseline --dataset aime --data-file sums.jsonl", "--data-file needs --model:"),
    ("run spec --dataset aime --model a/target", "--dataset aime needs --draft-model:"),
    ("run spec --dataset math --draft-model a/draft", "--dataset math needs --model:"),
    (
        "run baseline --dataset aime --engine openai --base-url http://127.0.0.1:9/v1",
        "--dataset aime needs --model:",
    ),
]


@pytest.mark.parametrize("dry", ["", " --dry-run"])
@pytest.mark.parametrize(("command", "sentence"), PAIRLESS)
def test_the_pocket_pair_answers_no_other_problems_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, sentence: str, dry: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sums.jsonl").write_text('{"id": "1", "problem": "1+1?", "answer": "2"}\n')
    said = speclrm(command + dry)
    assert (said.code, sorted(path.name for path in tmp_path.iterdir())) == (2, ["sums.jsonl"])
    assert sentence in said.sentence
    assert "pocket problems only" in said.sentence


@pytest.mark.parametrize(
    "command",
    [
        "run baseline --dataset pocket-long --problem-id first:1",
        "run baseline --data-file sums.jsonl --model pocket-target",
    ],
)
def test_the_pocket_pair_answers_its_own_problems_and_whatever_it_is_named_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    row = '{"id": "1", "problem": "1+1?", "answer": "2", "kind": "integer"}\n'
    (tmp_path / "sums.jsonl").write_text(row)
    assert speclrm(f"{command} --dry-run").code == 0


@pytest.mark.parametrize(
    ("target", "models"),
    [
        ("baseline", ""),
        ("baseline MODEL=a/target", " --model a/target"),
        ("spec MODEL=a/target DRAFT_MODEL=b/draft", " --model a/target --draft-model b/draft"),
        ("spec DRAFT_MODEL=b/draft", " --draft-model b/draft"),
    ],
)
def test_make_names_a_model_only_where_it_was_given_one(target: str, models: str) -> None:
    said = subprocess.run(
        ["make", "-n", *target.split(), "DATASET=aime"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in said.stdout.splitlines() if "speclrm run" in line)
    assert re.sub(r".*(?=--seed 0)", "", re.sub(r" --engine auto", "", line)).split() == [
        *("--seed", "0"),
        *models.split(),
    ]
