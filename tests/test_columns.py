"""Adapters for columns are trained on what is decoded afterwards."""

import json
from pathlib import Path

import pytest
import torch

from pipeline.decoding.adapter_files import read_adapter
from pipeline.decoding.branches import Branches
from pipeline.decoding.layout import Layout
from pipeline.decoding.rope2d import two_dimensions
from pipeline.pocket import adapter, columns, mining, rows
from pipeline.pocket import train as training
from pipeline.pocket.columns import (
    INDICES,
    Group,
    Variant,
    log_probabilities,
    logits_of,
    main,
    solutions,
)
from pipeline.pocket.measure import Loaded
from pipeline.pocket.sequences import SOLVING
from pipeline.resources import pocket_dir


@pytest.fixture(scope="module")
def draft() -> Loaded:
    return Loaded.from_folder(pocket_dir() / "draft")


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_a_group_in_training_gives_the_logits_that_decoding_gives(draft, ratio, index):
    rows, variant = solutions(3), Variant(ratio, index)
    prompts = [row.ids[: row.roles.index(SOLVING) + 1] for row in rows]
    length = sum(len(row.ids) for row in rows) + 7
    group = Group.of(rows, variant.layout, length)
    with torch.inference_mode(), two_dimensions(draft.model, ratio) as rope:
        trained = logits_of(draft.model, rope, variant, [group, group])[1]
        branches = Branches(draft.model, variant.layout, rope)
        decoded = [branches.begin(prompts)]
        for place in range(5):
            fed = [
                [row.ids[len(prompt) + place]] for row, prompt in zip(rows, prompts, strict=True)
            ]
            decoded.append(branches.forward(fed)[:, 0])
    for place, after in enumerate(decoded):
        for branch, logits in enumerate(after):
            column = max(map(len, prompts)) - 1 + place
            at = (group.branches == branch) & (group.times == column)
            assert at.sum() == 1
            # Places in the sequence depend on when others end, so only columns have the same.
            if index == "time" or place == 0:
                torch.testing.assert_close(trained[at][0], logits, atol=1e-3, rtol=1e-3)


def test_targets_stay_with_their_tokens():
    rows = solutions(4)
    group = Group.of(rows, Variant(1.0, "time").layout, sum(len(row.ids) for row in rows) + 3)
    for branch, row in enumerate(rows):
        learned = (group.branches == branch) & (group.roles == SOLVING)
        assert group.targets[learned].tolist() == [
            target for target, role in zip(row.targets, row.roles, strict=True) if role == SOLVING
        ]
    assert int((group.roles == SOLVING).sum()) == sum(row.roles.count(SOLVING) for row in rows)


def test_alone_a_right_solution_is_as_likely_in_a_group_of_isolated_branches(draft):
    rows = solutions(6)
    alone = log_probabilities(draft.model, rows, 1, Layout(), None)
    assert alone < 0
    grouped = log_probabilities(draft.model, rows, 3, Layout(), None)
    assert grouped == pytest.approx(alone, abs=1e-5)


COLUMNS = "--output new --steps 1 --problems 8"
WRONG = [
    (columns.main, "--output new --problems 2", "--problems: '2' is no whole number from 8"),
    (columns.main, "--output new --problems 12", "--problems: 12 is no multiple of 8"),
    (columns.main, "--output new --problems 0", "--problems: '0' is no whole number from 8"),
    (columns.main, "--output new --problems -8", "--problems: '-8' is no whole number"),
    (columns.main, f"{COLUMNS} --step-problems 12", "--step-problems: 12 is no multiple of 8"),
    (columns.main, f"{COLUMNS} --step-problems 0", "--step-problems: '0' is no whole number"),
    (columns.main, f"{COLUMNS} --steps 0", "--steps: '0' is no whole number from 1"),
    (columns.main, f"{COLUMNS} --ratio 0.5 2", "--ratio: '2' is no number from 0 to 1"),
    (columns.main, f"{COLUMNS} --ratio nan", "--ratio: 'nan' is no number from 0 to 1"),
    (columns.main, f"{COLUMNS} --device nope", "--device: there is no device 'nope' here"),
    (columns.main, f"{COLUMNS} --device meta", "--device: there is no device 'meta' here"),
    (columns.main, f"{COLUMNS} --seed {2**64}", "--seed: "),
    (columns.main, "--output file", "the folder file cannot be made (File exists)"),
    (columns.main, "--output file/new", "the folder file/new cannot be made (Not a directory)"),
    (adapter.main, "--output new.pth --steps 0", "--steps: '0' is no whole number from 1"),
    (adapter.main, "--output new.pth --rank 0", "--rank: '0' is no whole number from 1 to 512"),
    (adapter.main, "--output .", "--output: . is a folder, or"),
    (adapter.main, "--output new/a.pth", "--output: new/a.pth is a folder, or is to lie in one"),
    (training.main, "--size draft --output new --steps 0", "--steps: '0' is no whole number"),
    (training.main, "--size draft --output new --steps 1 --workers 0", "--workers: '0' is no"),
    (training.main, "--size draft --output file --steps 1", "the folder file cannot be made"),
    (training.main, "--size draft --output new --steps 1 --resume", "new has no training.pt"),
    (training.main, "--size draft --output new --steps 1 --mined no", "--mined: no is no file"),
    (mining.main, "--output new --model no", "--model: no is no folder"),
    (mining.main, "--output new --model . --threads 0", "--threads: '0' is no whole number"),
    (rows.main, "--output no", "no is no folder"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one[1])
def test_a_recipe_refuses_wrong_settings_before_anything_is_trained(
    tmp_path, monkeypatch, capsys, wrong
):
    recipe, settings, why = wrong
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for module in (columns, adapter):
        monkeypatch.setattr(module, "train", None)
    monkeypatch.setattr(training.multiprocessing, "spawn", None)
    with pytest.raises(SystemExit) as ended:
        recipe(settings.split())
    assert ended.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert why in last


def test_the_recipe_writes_an_adapter_and_tells_what_branches_cost(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("pipeline.pocket.columns.LONGEST", 8)
    with caplog.at_level("INFO"):
        main(["--output", str(tmp_path), "--steps", "2", "--problems", "8", "--ratio", "1"])
    told = json.loads(caplog.messages[-1])
    assert told["solved"].keys() == {"1", "2", "4", "8"}
    written = read_adapter(tmp_path / "columns-1-time.pth")
    assert len(written.updates) == 24
    assert any(float(update.b.detach().abs().max()) > 0 for update in written.updates.values())
