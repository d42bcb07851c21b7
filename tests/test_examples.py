"""The tables in examples/: each can be planned, and one is run with the pocket pair."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from fake_server import MODELS, chat, serving

from pipeline.problems.manifests import load_manifest
from pipeline.problems.problem_set import Problem, ProblemSet
from pipeline.runs.planning import problems_of
from speclrm_testing.commands import speclrm

EXAMPLES = Path(__file__).parent.parent / "examples"
TABLES = sorted(file.stem for file in EXAMPLES.glob("*.toml"))
CELLS = {"demo": 6, "gpqa": 7, "own": 4, "specreason": 39, "ssr": 21}


@pytest.fixture
def examples(tmp_path, monkeypatch):
    """The folder's copy, and every dataset of the hub with as many rows as it has."""
    monkeypatch.setattr("pipeline.tables.planning.problems_of", _as_many_rows)
    return shutil.copytree(EXAMPLES, tmp_path / "examples")


def _as_many_rows(experiment):
    if experiment.dataset is None or load_manifest(experiment.dataset).ships_with_us:
        return problems_of(experiment)
    manifest = load_manifest(experiment.dataset)
    first = 60 if manifest.name == "aime" else 0
    return ProblemSet(
        name=manifest.name,
        problems=tuple(
            Problem(
                dataset=manifest.name,
                problem_id=str(number),
                record_id=str(number),
                aliases=(),
                problem="1+1?",
                answer="2",
                kind="integer",
                choices=(),
                choice_order=(),
                level=None,
            )
            for number in range(first, first + (manifest.rows or 100))
        ),
        fingerprint="",
        rows=manifest.rows or 100,
        source="",
        revision=None,
        prompt_set=manifest.prompt_set,
    )


def test_every_example_is_counted_here():
    assert list(CELLS) == TABLES


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_of_an_example_can_be_planned(examples, name):
    said = speclrm(
        f"table {examples / name}.toml --dry-run --json --results {examples / 'results'}"
    )
    assert said.code == 0, said.err
    plan = json.loads(said.out)
    assert len(plan["cells"]) == CELLS[name]
    assert all(cell["trouble"] is None and cell["missing"] for cell in plan["cells"])
    assert len(plan["engine_sets"]) == 1
    assert len({cell["directory"] for cell in plan["cells"]}) == CELLS[name]


def test_the_papers_table_runs_with_the_pocket_pair_in_place_of_its_models(examples):
    words = [
        *("table", str(examples / "ssr.toml"), "--results", str(examples / "results")),
        *("--set", "models.qwq.model=pocket-target", "--set", "models.r1.model=pocket-draft"),
        *("--set", "defaults.engine=transformers", "--set", "defaults.repeats=1"),
        *("--set", 'columns=["pocket[first:1]"]', "--rows", "baseline,ssr-fast"),
    ]
    said = speclrm(shlex.join(words))
    assert said.code == 0, said.err
    assert "3 attempts made, 0 failed." in said.err
    assert "ssr-fast fast=2" in said.out
    # What the scores of drafts cost is in the total alone, beside what was decoded.
    for cell in json.loads(speclrm(shlex.join([*words, "--report", "--json"])).out)["cells"]:
        decode, total = cell["flops_decode"] / 1e9, cell["flops_total"] / 1e9
        assert decode < total
        assert f" {decode:,.2f} / {total:,.2f} " in said.out


def test_own_problems_run_on_an_openai_compatible_server(examples):
    def answer(path):
        return MODELS if path.endswith("/models") else chat("so \\boxed{42}")

    with serving(answer) as url:
        words = [
            *("table", str(examples / "own.toml"), "--results", str(examples / "results")),
            *("--set", f"models.mine.base_url={url}", "--set", "models.mine.model=m", "--json"),
        ]
        said = speclrm(shlex.join(words))
    assert said.code == 0, said.err
    cells = json.loads(said.out)["cells"]
    assert [(cell["row"], cell["attempts"]) for cell in cells] == [
        ("sampled", 3),
        ("greedy", 3),
        ("votes tracks=3", 3),
        ("votes tracks=5", 3),
    ]
    assert cells[0]["accuracy"] == pytest.approx(1 / 3)
