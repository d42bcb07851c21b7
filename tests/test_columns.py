"""Adapters for columns are trained on what is decoded afterwards."""

import json

import pytest
import torch

from pipeline.decoding.adapter_files import read_adapter
from pipeline.decoding.branches import Branches
from pipeline.decoding.layout import Layout
from pipeline.decoding.rope2d import two_dimensions
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


def test_the_recipe_writes_an_adapter_and_tells_what_branches_cost(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("pipeline.pocket.columns.LONGEST", 8)
    with caplog.at_level("INFO"):
        main(["--output", str(tmp_path), "--steps", "2", "--problems", "2", "--ratio", "1"])
    told = json.loads(caplog.messages[-1])
    assert told["solved"].keys() == {"1", "2", "4", "8"}
    adapter = read_adapter(tmp_path / "columns-1-time.pth")
    assert len(adapter.updates) == 24
    assert any(float(update.b.detach().abs().max()) > 0 for update in adapter.updates.values())
