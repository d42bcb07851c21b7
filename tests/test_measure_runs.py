"""What a decoder wrote to problems is an ordinary run: one ledger, and every command reads it."""

import json
from pathlib import Path

import pytest
from untried import Untried

from evaluators.statistics.metrics import graded_run, metrics_of
from speclrm_testing.commands import speclrm

SLICE = "--dataset pocket --problem-id first:2"
RUN = (
    f"run baseline {SLICE} --model pocket-target --engine transformers --temperature 0 --top-p 0.9 "
    "--top-k 50 --token-budget 24 --concurrency 1"
)
CONFIG = {
    "main_model": "pocket-target",
    "dataset": "pocket",
    "problem_id": "first:2",
    "max_new_tokens": 24,
    "temperature": 0,
    "num_completions": 1,
    "device": "cpu",
    "methods_to_test": ["standard", "window"],
    "repeats": 2,
    "warm_up": 0,
}
AS_RUN = {"standard": "", "window": "--decoding window --window 8"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Two decoders on two problems."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.cli.measure_run.Probe", Untried)
        said = speclrm(f"measure {folder / 'config.json'} --output-dir {folder / 'out'} --json")
    assert said.code == 0, said
    shown = json.loads(said.out)["decoders"]
    assert [one["accuracy"]["problems"] for one in shown] == [2, 2]
    return folder / "out"


def test_an_engine_takes_turns_with_what_transformers_loads(out):
    passes = [json.loads(line) for line in (out / "passes.jsonl").read_text().splitlines()]
    made = [(one["repeat"], one["position"], one["decoder"]) for one in passes]
    assert made == [(0, 0, "standard"), (0, 1, "window"), (1, 0, "window"), (1, 1, "standard")]
    turns = json.loads((out / "report.json").read_text())["turns"]
    assert turns == {"groups": [["standard", "window"]], "apart": []}


def attempts(run: Path):
    files = sorted((run / "problems").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize("decoder", AS_RUN)
def test_an_experiments_run_and_a_decoders_have_one_ledger_and_one_count_of_flops(
    out, tmp_path, decoder
):
    assert speclrm(f"{RUN} {AS_RUN[decoder]} --output-dir {tmp_path / 'run'}").code == 0
    assert speclrm(f"grade {tmp_path / 'run'}").code == 0
    mine, theirs = out / "runs" / decoder, tmp_path / "run"
    for one, other in zip(attempts(mine), attempts(theirs), strict=True):
        for name in ("problem_id", "seed", "response", "answer", "usage"):
            assert one[name] == other[name], name
    costs = [metrics_of(graded_run(run)).costs for run in (mine, theirs)]
    assert costs[0].flops_decode == costs[1].flops_decode > 0
    assert costs[0].flops_total == costs[1].flops_total
    assert costs[0].tokens == costs[1].tokens


READ = [
    "grade {standard} {window}",
    "leaderboard {standard} {window}",
    "compare {standard} {window}",
    "show {window} --problem-id 0",
    "status {out}/runs",
    "export {standard} --to csv --output {out}/x.csv",
]


@pytest.mark.parametrize("command", READ)
def test_every_command_reads_a_decoders_run(out, command):
    runs = {name: out / "runs" / name for name in AS_RUN}
    said = speclrm(command.format(out=out, **runs))
    assert said.code == 0, said


def test_the_page_has_the_decoders_above_their_traces(out):
    page = out / "page.html"
    assert speclrm(f"measure --show {out} --html {page}").code == 0
    text = page.read_text()
    assert text.index('id="h-latency"') < text.index('id="h-heat"')


def test_accuracies_are_compared_with_an_earlier_reports_problem_by_problem(out):
    said = speclrm(f"measure --show {out} --against {out} --json")
    changes = [
        one for one in json.loads(said.out)["against"]["changes"] if one["change"] is not None
    ]
    assert {(one["decoder"], one["what"]) for one in changes} >= {
        ("standard", "accuracy"),
        ("window", "accuracy"),
    }
