"""Accuracy by level or subject: each group with an uncertainty over its own problems."""

import csv
import io
import json

import pytest
from graded_runs import write_run
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics.groups import NO_GROUP, accuracy_by, natural_order
from evaluators.statistics.metrics import graded_run, run_metrics
from pipeline.problems.manifests import load_manifest
from pipeline.problems.problem_set import load_problems
from speclrm_testing.commands import speclrm

ROWS = [("a", "Algebra", 2), ("b", "Algebra", 10), ("c", "Number | theory", 2), ("d", None, 1)]


@pytest.fixture
def run(tmp_path):
    """A run of two repeats on a file of four problems, one of them without a subject."""
    rows = [
        {"id": name, "problem": "1+1?", "answer": "2", "kind": "integer"}
        | ({"subject": subject} if subject else {})
        | {"level": level}
        for name, subject, level in ROWS
    ]
    file = tmp_path / "sums.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    right = {"a": [True, True], "b": [True, False], "c": [False, False], "d": [True, True]}
    made = write_run(tmp_path / "run", right)
    manifest = json.loads((made / "run.json").read_text())
    loaded = load_problems(None, file, seed=0)
    manifest["dataset"] |= {"file": str(file), "fingerprint": loaded.fingerprint}
    (made / "run.json").write_text(json.dumps(manifest))
    return made


def test_each_group_has_the_accuracy_and_the_error_of_its_own_problems(run, tmp_path):
    groups = {name: subject for name, subject, _ in ROWS if subject}
    algebra, theory, none = accuracy_by(graded_run(run), groups)
    alone = run_metrics(write_run(tmp_path / "alone", {"a": [True] * 2, "b": [True, False]}))
    assert (algebra.name, algebra.problems, algebra.accuracy) == ("Algebra", 2, 0.75)
    assert algebra.uncertainty == alone.uncertainty
    assert (theory.accuracy, theory.uncertainty.population) == (0.0, None)
    assert (none.name, none.accuracy) == (NO_GROUP, 1.0)


def test_repeats_of_a_problem_are_one_cluster(tmp_path):
    once = graded_run(write_run(tmp_path / "1", {"a": [True], "b": [False], "c": [True]}))
    many = graded_run(
        write_run(tmp_path / "8", {"a": [True] * 8, "b": [False] * 8, "c": [True] * 8})
    )
    [first], [second] = (accuracy_by(one, dict.fromkeys("abc", "x")) for one in (once, many))
    assert first.uncertainty.population_error == second.uncertainty.population_error


@given(st.lists(st.sampled_from(["x", "y", None]), min_size=4, max_size=4))
def test_groups_hold_every_problem_once_and_their_mean_is_the_accuracy(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("groups") / "run"
    right = {name: [n % 2 == 0, n % 3 == 0] for n, name in enumerate("abcd")}
    run = graded_run(write_run(folder, right))
    groups = accuracy_by(run, {p: name for p, name in zip("abcd", names, strict=True) if name})
    if not any(names):
        assert groups == ()
        return
    assert sum(one.problems for one in groups) == 4
    whole = sum(one.problems * one.accuracy for one in groups) / 4
    assert whole == pytest.approx(sum(run.means.values()) / 4)


def test_groups_stand_in_their_natural_order_and_those_without_a_name_last():
    names = ["Level 10", NO_GROUP, "Level 2", "algebra", "Zeta", "level 1", "2", "10"]
    ordered = ["2", "10", "algebra", "level 1", "Level 2", "Level 10", "Zeta", NO_GROUP]
    assert sorted(names, key=natural_order) == ordered


def test_every_form_has_the_groups(run):
    table = speclrm(f"leaderboard {run} --by subject").out
    assert "Accuracy by subject (95 %)" in table
    assert "Algebra" in table
    assert "75.0% (" in table
    markdown = speclrm(f"leaderboard {run} --by level --format markdown").out
    assert "| level | problems | run |" in markdown
    lines = markdown.partition("| level |")[2].splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| 1", "| 2", "| 10"]
    assert "Number \\| theory" in speclrm(f"leaderboard {run} --by subject --format markdown").out
    [row] = json.loads(speclrm(f"leaderboard {run} --by level --format json").out)
    assert [one["name"] for one in row["by_level"]] == ["1", "2", "10"]
    assert row["by_level"][1]["accuracy"] == 0.5
    [line] = csv.DictReader(io.StringIO(speclrm(f"leaderboard {run} --by level --format csv").out))
    assert (line["level_2_accuracy"], line["level_10_problems"]) == ("0.5", "1")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"file": None}, "the dataset could not be loaded: unknown dataset 'sums'"),
        ({"fingerprint": "other"}, "the rows of sums are not those of the run"),
    ],
)
def test_groups_that_nobody_knows_are_refused_with_the_reason(run, changed, why):
    manifest = json.loads((run / "run.json").read_text())
    manifest["dataset"] |= changed
    (run / "run.json").write_text(json.dumps(manifest))
    said = speclrm(f"leaderboard {run} --by level")
    assert said.code == 2
    assert f"The level of the problems of sums is not known: {why}" in said.sentence


def test_a_dataset_without_subjects_is_refused_and_one_with_levels_is_not(tmp_path):
    loaded = load_problems("pocket", None, seed=0)
    run = write_run(tmp_path / "run", {"0": [True], "1": [False]}, dataset="pocket")
    manifest = json.loads((run / "run.json").read_text())
    manifest["dataset"] |= {"fingerprint": loaded.fingerprint}
    (run / "run.json").write_text(json.dumps(manifest))
    assert speclrm(f"leaderboard {run} --by level").code == 0
    assert "no subject stands in its rows" in speclrm(f"leaderboard {run} --by subject").sentence


@pytest.mark.parametrize(
    ("dataset", "level", "subject"),
    [
        ("math", "level", "subject"),
        ("gpqa", None, "High-level domain"),
        ("gpqa-main", None, "High-level domain"),
        ("gpqa-extended", None, "High-level domain"),
        ("olympiadbench", None, "subfield"),
    ],
)
def test_the_manifests_name_the_columns_of_levels_and_subjects(dataset, level, subject):
    columns = load_manifest(dataset).columns
    assert (columns.level, columns.subject) == (level, subject)
