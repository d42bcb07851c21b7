"""Benchmark programs run, and end with one line that a program can read and that says on what."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PARTS = {
    "drawn",
    "killed_actors",
    "killed_processes",
    "killed_stores",
    "report",
    "sequential_driver",
    "spellings",
    "spellings_of_formulas",
    "spellings_of_numbers",
    "spellings_of_sets",
}
"""Modules that the programs share."""
SMALL = {
    "answer_classes": ["{cases}"],
    "device_flops": ["--quick"],
    "early_endings": ["{cases}"],
    "grading_accuracy": ["{cases}"],
    "grading_classes": ["--cases", "400"],
    "grading_fuzz": ["--inputs", "50"],
    "interval_coverage": ["--studies", "1"],
    "leaderboard_scale": ["--rows", "500"],
    "reliable_threshold": ["--quick", "--runs", "1"],
}
"""Programs that take seconds, in a smaller form than `--quick`."""
LONG = {
    "adapters",
    "branches",
    "decoding",
    "device_agreement",
    "device_runs",
    "gathered_tracks",
    "generate_shards",
    "kill_resume",
    "killed_table",
    "memory_growth",
    "page_open",
    "pocket_skill",
    "prefix_reuse",
    "same_results",
    "shards",
    "spec_accuracy",
    "spec_latency",
    "steps_and_tokens",
    "throughput",
    "transformers_rows",
}
"""Programs that need an engine, a browser or minutes; `make bench` runs them."""


def programs() -> set[str]:
    return {file.stem for file in BENCHMARKS.glob("*.py")} - PARTS


def test_every_program_is_run_here_or_known_to_be_long():
    assert SMALL.keys() | LONG == programs()
    assert SMALL.keys().isdisjoint(LONG)


@pytest.mark.parametrize("name", SMALL)
def test_a_program_ends_with_its_figures_and_what_they_were_measured_on(name, tmp_path):
    cases = tmp_path / "cases.jsonl"
    row = {"gold": "4", "output": "\\boxed{4}", "kind": "integer", "verdict": "correct"}
    cases.write_text(json.dumps(row) + "\n")
    ended = subprocess.run(
        [sys.executable, f"{name}.py", *(part.format(cases=cases) for part in SMALL[name])],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    assert result["benchmark"] == name
    assert result["hardware"]["cores"] >= 1
    assert result["versions"]["python"] == sys.version.split()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    about = {"benchmark", "hardware", "versions", "date"}
    assert result.keys() - about, "there are no figures in it"


@pytest.mark.parametrize("name", sorted(LONG))
def test_a_long_program_prints_its_result_under_its_own_name(name):
    calls = [
        node
        for node in ast.walk(ast.parse((BENCHMARKS / f"{name}.py").read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print_result"
    ]
    assert {ast.literal_eval(node.args[0]) for node in calls} == {name}


def test_the_help_of_the_latency_benchmark_loads_no_model_library():
    program = (
        "import runpy, sys\n"
        "try: runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "except SystemExit: print('loaded', *({'torch', 'transformers'} & set(sys.modules)))"
    )
    asked = [sys.executable, "-c", program, "spec_latency.py", "--help"]
    said = subprocess.run(asked, cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "loaded"
