"""Runs with windows and rows, through the command line: the same texts, under another name."""

import json
from pathlib import Path

import pytest

from pipeline.runs.directory import read_attempts
from speclrm_testing.commands import speclrm

COMMAND = "run spec --engine transformers --problem-id first:2 --token-budget 60"
WINDOWS = "--decoding window --assistant-model pocket-draft --draft-decoding window"


def texts(run: Path) -> dict[tuple[str, int], list[str]]:
    return {
        attempt.key: [step.text for track in attempt.tracks for step in track.steps]
        for attempt in read_attempts(run)
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "plain"
    assert speclrm(f"{COMMAND} --output-dir {run}").code == 0
    return run


def test_steps_scores_and_rewrites_are_the_same_with_rows_and_windows(plain, tmp_path):
    run = tmp_path / "windows"
    rows = "--max-num-seqs 4 --draft-max-num-seqs 4"
    assert speclrm(f"{COMMAND} {WINDOWS} {rows} --output-dir {run}").code == 0
    assert texts(run) == texts(plain)
    identity = json.loads((run / "run.json").read_text())["identity"]
    assert identity["target"]["decoding"] == "window"
    assert identity["target"]["assistant_model"] == "pocket-draft"
    assert identity["draft"]["decoding"] == "window"
    assert "assistant_model" not in identity["draft"]


def test_a_run_does_not_go_on_with_another_way_of_decoding(plain):
    said = speclrm(f"{COMMAND} --decoding window --output-dir {plain}")
    assert said.code == 2
    assert "target.decoding: none recorded, 'window' asked" in said.sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            "--engine scripted --script x --decoding window",
            "--decoding has no effect with --engine",
        ),
        ("--engine transformers --decoding branches", "'branches' is not one of 'plain', 'window'"),
        ("--engine transformers --window 1 --decoding window", "1 is not in the range x>=2"),
        ("--engine transformers --window 4", "--window has no effect with --decoding plain"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(tmp_path, options, sentence):
    said = speclrm(f"run baseline {options} --output-dir {tmp_path / 'run'}")
    assert said.code == 2
    assert sentence in said.sentence
    assert not (tmp_path / "run").exists()
