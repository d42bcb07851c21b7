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
CELLS = {"demo": 6, "gpqa": 7, "own": 4, "scale": 15, "specreason": 39, "ssr": 21}


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


def test_a_study_is_planned_in_gpu_hours_by_the_rates_of_its_cards(examples):
    table = f"table {examples / 'scale.toml'} --results {examples / 'results'}"
    said = speclrm(f"{table} --dry-run --gpus 8 --gpus 64 --gpus 1")
    assert said.code == 0, said.err
    plan = json.loads(speclrm(f"{table} --dry-run --json --gpus 8").out)
    hours = plan["gpu_hours"]["hours"]
    assert hours == pytest.approx(2 * plan["to_go"]["tokens_at_most"] / 1500 / 3600)
    assert plan["gpu_hours"]["hours_on"] == {"8": pytest.approx(hours / 8)}
    assert f"GPU-hours to go: at most {hours:,.1f}, by the token budget" in said.out
    assert f"On 64 GPUs: at most {hours / 64:.1f} h." in said.out
    assert "On 1 GPU: no copy of a model fits that has 2." in said.out
    slower = speclrm(f"{table} --dry-run --gpus 8 --set models.qwq.tokens_per_second=750.0").out
    assert f"GPU-hours to go: at most {2 * hours:,.1f}" in slower
    assert speclrm(f"{table} --gpus 8").sentence == (
        "Error: --gpus only plans; add --dry-run, or drop it."
    )


def test_recorded_attempts_and_the_rate_of_each_model_say_what_is_to_go(examples):
    file = examples / "scale.toml"
    file.write_text(file.read_text().replace("tensor_parallel_size = 2", "gpus = 2"))
    plain = [
        *("table", str(file), "--results", str(examples / "results"), "--rows", "baseline"),
        *("--set", "models.qwq.model=pocket-target", "--set", "models.r1.model=pocket-draft"),
        *("--set", "defaults.engine=transformers", "--set", 'columns=["pocket[first:1]"]'),
    ]
    first = [*plain, "--set", "defaults.repeats=1"]
    assert speclrm(shlex.join(first)).code == 0
    plan = json.loads(speclrm(shlex.join([*plain, "--dry-run", "--json"])).out)
    [cell] = plan["cells"]
    assert (cell["recorded"], cell["missing"]) == (1, 15)
    assert plan["gpu_hours"]["bounded"] == 0
    assert plan["gpu_hours"]["hours"] == pytest.approx(2 * cell["tokens"] / 1500 / 3600)


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
