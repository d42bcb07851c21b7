"""One table of many runs, in four forms."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from graded_runs import verdict_row, write_run

from evaluators.run_files.run_names import distinct_names
from pipeline.cli import group
from pipeline.errors import UserMistake
from speclrm_testing.commands import speclrm


@pytest.fixture
def runs(tmp_path):
    """A cheap run that is half right, a dear one that is all right."""
    cheap = [verdict_row("a"), verdict_row("b", right=False)]
    dear = [verdict_row(n, flops={"decode": 4e9, "total": 9e9}) for n in ("a", "b")]
    shape = {"a": [True], "b": [True]}
    return [
        str(write_run(tmp_path / name, shape, rows))
        for name, rows in (("cheap", cheap), ("dear", dear))
    ]


def printed(*arguments):
    result = CliRunner().invoke(group, ["leaderboard", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_json_holds_every_number_unrounded_best_first(runs):
    dear, cheap = json.loads(printed(*runs, "--format", "json"))
    assert (dear["run"], dear["accuracy"], cheap["accuracy"]) == ("dear", 1.0, 0.5)
    assert 0 <= cheap["population_low"] < 0.5 < cheap["population_high"] <= 1
    assert cheap["samples_low"] is None
    assert cheap["relative_flops_decode"] is None


def test_csv_has_the_same_columns_as_json(runs):
    table = list(csv.DictReader(io.StringIO(printed(*runs, "--format", "csv"))))
    [first, *_] = json.loads(printed(*runs, "--format", "json"))
    assert [*table[0], "guided"] == list(first)
    assert table[1]["accuracy"] == "0.5"


def test_costs_are_relative_to_the_chosen_baseline(runs):
    dear, cheap = json.loads(printed(*runs, "--format", "json", "--baseline", runs[0]))
    assert (dear["relative_flops_decode"], dear["relative_flops_total"]) == (2, 3)
    assert cheap["relative_flops_decode"] == 1


def guided(name, *, right, **track):
    kind = "method" if name == "substitution" else "role"
    verdict = "correct" if right else "wrong"
    return {"id": "0", "verdict": verdict, "tokens": 10, "chosen": False, kind: name} | track


@pytest.fixture
def with_roles(tmp_path):
    """Four attempts of 1, 2, 3 and 10 seconds, of which the last has no answer."""
    tracks = [
        [guided("direct", right=True, chosen=True), guided("substitution", right=False)],
        [guided("direct", right=True), guided("substitution", right=True, tokens=30, chosen=True)],
        [guided("direct", right=False, chosen=True)],
        [guided("direct", right=False, chosen=True)],
    ]
    rows = [
        verdict_row(name, seconds=seconds, tracks=made)
        for name, seconds, made in zip("abcd", (1.0, 2.0, 3.0, 10.0), tracks, strict=True)
    ]
    rows[3] |= {"extracted": None, "verdict": "no_answer", "answer_class": None}
    return str(write_run(tmp_path / "roles", {name: [True] for name in "abcd"}, rows))


def test_json_and_csv_have_times_of_all_and_of_answered_attempts_and_the_chosen_track(with_roles):
    [row] = json.loads(printed(with_roles, "--format", "json"))
    [line] = csv.DictReader(io.StringIO(printed(with_roles, "--format", "csv")))
    for name, value in {
        "seconds_mean": 4.0,
        "seconds_p50": 2.5,
        "seconds_least": 1.0,
        "seconds_longest": 10.0,
        "answered_seconds_mean": 2.0,
        "answered_seconds_p50": 2.0,
        "answered_seconds_least": 1.0,
        "answered_seconds_longest": 3.0,
        "chosen_tokens": 15.0,
    }.items():
        assert (row[name], float(line[name])) == (value, value), name


def test_every_form_has_uses_and_accuracy_by_role_and_by_method(with_roles, runs):
    [row] = json.loads(printed(with_roles, "--format", "json"))
    assert row["guided"] == [
        {"name": "direct", "tracks": 4, "correct": 2, "accuracy": 0.5},
        {"name": "substitution", "tracks": 2, "correct": 1, "accuracy": 0.5},
    ]
    first, plain = csv.DictReader(io.StringIO(printed(runs[0], with_roles, "--format", "csv")))
    assert (first["tracks_direct"], first["accuracy_substitution"]) == ("4", "0.5")
    assert plain["tracks_direct"] == ""
    assert "| roles | direct | 4 | 2 | 50.0% |" in printed(with_roles, "--format", "markdown")
    table = printed(with_roles, "--wide")
    assert "Tracks by role or method" in table
    assert "2.00 / 2.00 / 1.00 / 3.00" in table


def test_a_run_without_roles_has_no_table_of_them(runs):
    for form in (["--wide"], ["--format", "markdown"]):
        assert "role or method" not in printed(*runs, *form)


@pytest.fixture
def twins(tmp_path):
    """Two runs of one name in two folders, the old one cheaper."""
    shape = {"a": [True]}
    for name, flops in (("old", 1e9), ("new", 2e9)):
        rows = [verdict_row("a", flops={"decode": flops, "total": flops})]
        (tmp_path / name).mkdir()
        write_run(tmp_path / name / "x", shape, rows)
    return tmp_path / "old" / "x", tmp_path / "new" / "x"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("baseline", "ratios"),
    [
        ("{old}", {"old/x": 1, "new/x": 2}),
        ("{new}", {"old/x": 0.5, "new/x": 1}),
        ("new/x", {"old/x": 0.5, "new/x": 1}),
        ("{new}/../x", {"old/x": 0.5, "new/x": 1}),
    ],
)
def test_a_baseline_is_the_run_at_its_path_and_not_one_of_its_name(twins, baseline, ratios, order):
    old, new = twins
    baseline = baseline.format(old=old, new=new)
    told = printed(*map(str, twins[::order]), "--format", "json", "--baseline", baseline)
    assert {row["run"]: row["relative_flops_total"] for row in json.loads(told)} == ratios


def test_a_baseline_that_means_several_runs_is_refused_with_their_names(twins):
    said = speclrm(f"leaderboard {twins[0]} {twins[1]} --baseline x")
    assert said.code == 2
    assert "'x' is the name of several runs (new/x, old/x); give the path" in said.sentence


def test_runs_of_one_name_are_told_apart_in_table_comparison_and_page(twins, tmp_path):
    paths = f"{twins[0]} {twins[1]}"
    assert "old/x" in speclrm(f"leaderboard {paths}").out
    assert speclrm(f"compare {paths}").out.count("new/x") > 0
    assert speclrm(f"leaderboard {paths} --html {tmp_path / 'page.html'}").code == 0


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x", "b/y"], ["x", "y"]),
        (["a/x", "b/x"], ["a/x", "b/x"]),
        (["a/x", "a/x"], ["x", "x"]),
        (["1/a/x", "2/a/x", "3/b/x"], ["1/a/x", "2/a/x", "b/x"]),
        ([], []),
    ],
)
def test_a_run_is_called_by_as_much_of_its_path_as_tells_it_apart(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names


def test_an_unknown_baseline_is_refused_with_the_names(runs):
    result = CliRunner().invoke(group, ["leaderboard", *runs, "--baseline", "other"])
    assert isinstance(result.exception, UserMistake)
    assert "'other' is not one of the runs (cheap, dear)" in str(result.exception)


def test_pass_at_more_than_the_repeats_is_refused(runs):
    result = CliRunner().invoke(group, ["leaderboard", *runs, "--k", "2"])
    assert isinstance(result.exception, UserMistake)
    assert "run more repeats" in str(result.exception)


def test_the_terminal_table_labels_accuracy_and_interval(runs):
    text = " ".join(printed(*runs).split())
    assert text.startswith("sums, avg@1 (2×1)")
    assert "50.0% (" in text


def test_a_bar_in_a_models_name_cannot_break_the_markdown(tmp_path):
    run = write_run(tmp_path / "run", {"a": [True]}, target={"model": "a|b\nc"})
    lines = printed(str(run), "--format", "markdown").splitlines()
    assert "a\\|b c" in lines[2]
    assert lines[2].replace("\\|", "").count("|") == lines[0].count("|")


def test_markup_in_a_models_name_stays_text_in_the_terminal(tmp_path):
    run = write_run(tmp_path / "run", {"a": [True]}, target={"model": "[red]x[/red]"})
    assert "[red]x[/red]" in "".join(printed(str(run)).split())


@pytest.fixture
def often(tmp_path):
    """A run of 600 repeats, so many that maj@300 is not worked out."""
    right = {str(problem): [repeat % 2 == 0 for repeat in range(600)] for problem in range(2)}
    return str(write_run(tmp_path / "often", right))


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_vote_of_too_many_has_a_dash_and_a_line_that_says_why(often, form):
    result = CliRunner().invoke(group, ["leaderboard", often, "--k", "300", "--format", form])
    said = " ".join(result.output.split())
    assert result.exit_code == 0
    for words in ("– (k=300)", "100.0% ± 0.0% (k=300)", "avg@600", "above 65,536"):
        assert words in said


def test_a_vote_of_too_many_is_unknown_in_csv_and_json_and_on_the_page(often, tmp_path):
    page = tmp_path / "page.html"
    asked = ["leaderboard", often, "--k", "300", "--html", str(page), "--format"]
    [row] = json.loads(CliRunner().invoke(group, [*asked, "json"]).stdout)
    assert (row["maj_at_k"], row["maj_at_k_error"], row["pass_at_k"]) == (None, None, 1.0)
    [line] = csv.DictReader(io.StringIO(CliRunner().invoke(group, [*asked, "csv"]).stdout))
    assert (line["maj_at_k"], line["accuracy"]) == ("", "0.5")
    assert "above 65,536" in page.read_text()


def test_a_vote_that_can_be_counted_has_no_line_about_it(often):
    result = CliRunner().invoke(group, ["leaderboard", often, "--k", "9"])
    assert "65,536" not in result.output
    assert "50.0% ± 0.0% (k=9)" in result.output


def test_pass_at_k_stands_with_its_error(tmp_path):
    run = write_run(tmp_path / "run", {"a": [True, False], "b": [False, False]})
    assert "50.0% ± 50.0% (k=2)" in printed(str(run), "--format", "markdown")
    [row] = json.loads(printed(str(run), "--format", "json"))
    assert row["pass_at_k_error"] == row["maj_at_k_error"] * 2 == 0.5
