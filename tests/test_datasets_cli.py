import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.datasets import datasets_command
from pipeline.errors import UserMistake


def datasets(*arguments: str) -> Result:
    return CliRunner().invoke(datasets_command, list(arguments))


def test_the_list_is_a_table_with_a_line_a_dataset() -> None:
    lines = datasets().output.splitlines()
    for name, rows, since, source in (
        ("aime", "30", "2024-02", "HuggingFaceH4/aime_2024"),
        ("gpqa", "198", "2023-11", "Idavidrein/gpqa (gated)"),
        ("hmmt-feb26", "33", "2026-02", "MathArena/hmmt_feb_2026"),
        ("pocket", "600", "–", "bundled"),
    ):
        cells = next(line.split("│") for line in lines if f" {name} " in line)
        assert [cells[at].strip() for at in (2, 4, 5)] == [rows, since, source]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aime", "hub, HuggingFaceH4/aime_2024, split train"),
        ("math", "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"),
        ("aime26", "not pinned"),
        ("gpqa", "examples not be revealed"),
        ("pocket", "bundled, pocket.jsonl"),
        ("hmmt-feb26", "unverified    whether its ids are in problem_idx"),
        ("gpqa", "unverified    its columns and Record IDs: its rows are gated"),
        ("brumo25", "public since  2025-04"),
    ],
)
def test_a_dataset_is_described(name: str, expected: str) -> None:
    assert expected in datasets(name).output


def test_one_dataset_can_be_shown_alone() -> None:
    shown = datasets("math").output
    assert shown.startswith("math: MATH-500")
    assert "aime" not in shown


def test_a_data_file_is_checked_and_its_fingerprint_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"id": "x", "problem": "p", "answer": "1"}) + "\n")
    shown = datasets("--data-file", str(path)).output
    assert shown.startswith("mine: ok\n  rows          1, ids x to x\n  kind          latex\n")
    assert "fingerprint" in shown


def test_the_bundled_dataset_is_checked() -> None:
    shown = datasets("pocket", "--check")
    assert shown.exit_code == 0
    assert "pocket: ok" in shown.output


def test_mistakes_are_told() -> None:
    unknown = datasets("amie", "--check").exception
    assert isinstance(unknown, UserMistake)
    assert "did you mean aime?" in str(unknown)
    nameless = datasets("--check")
    assert nameless.exit_code == 2
    assert "--check needs the NAME" in nameless.output


def test_an_absent_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="does not exist"):
        CliRunner().invoke(
            datasets_command,
            ["--data-file", str(tmp_path / "absent.jsonl")],
            catch_exceptions=False,
        )
