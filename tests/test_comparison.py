"""Runs are compared in pairs on the same problems, or refused."""

import csv
import io
import json
from pathlib import Path
from unittest import mock

import pytest
import scipy.stats
from click.testing import CliRunner
from graded_runs import verdict_row, write_run
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from evaluators.statistics.comparison import NotComparable, compare_runs, holm
from evaluators.statistics.metrics import graded_run
from pipeline.cli import group
from pipeline.errors import UserMistake


def paired(tmp_path, first, second, **identity):
    """Two runs of one repeat a problem; `first` and `second` are strings of 1 and 0."""
    paths = []
    for name, right in (("first", first), ("second", second)):
        answers = {str(n): [mark == "1"] for n, mark in enumerate(right)}
        changes = identity if name == "second" else {}
        paths.append(write_run(tmp_path / name, answers, **changes))
    return paths


def compared(tmp_path, first, second, **identity):
    runs = [graded_run(path) for path in paired(tmp_path, first, second, **identity)]
    [comparison] = compare_runs(runs)
    return comparison


def test_wins_ties_losses_and_the_difference_are_of_the_second_run(tmp_path):
    comparison = compared(tmp_path, "1100110", "1011111")
    assert (comparison.wins, comparison.ties, comparison.losses) == (3, 3, 1)
    assert comparison.difference == pytest.approx(2 / 7)
    assert [pair.problem_id for pair in comparison.discordant] == ["1", "2", "3", "6"]
    assert comparison.interval.low < comparison.difference < comparison.interval.high


def test_for_one_repeat_the_p_value_is_the_exact_mcnemar_test(tmp_path):
    comparison = compared(tmp_path, "0" * 9 + "1" * 11, "1" * 8 + "0" + "1" * 9 + "00")
    expected = scipy.stats.binomtest(2, 10).pvalue
    assert comparison.p == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_statsmodels(p_values):
    with mock.patch("gc.collect"):  # statsmodels collects garbage, in all that tests have loaded
        theirs = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(theirs)


def test_equal_runs_have_no_discordant_problem_and_an_unknown_detectable_effect(tmp_path):
    comparison = compared(tmp_path, "1100", "1100")
    assert (comparison.p, comparison.discordant, comparison.detectable) == (1.0, (), None)
    assert comparison.interval.low < 0 < comparison.interval.high


def test_what_is_detectable_is_a_share_of_problems_whatever_the_repeats(tmp_path):
    once = compared(tmp_path, "1" * 30, "0" * 3 + "1" * 27)
    right = {str(n): [n >= 3] * 4 for n in range(30)}
    second = graded_run(write_run(tmp_path / "four", right))
    first = graded_run(write_run(tmp_path / "one", {name: [True] * 4 for name in right}))
    [four_times] = compare_runs([first, second])
    assert four_times.detectable == once.detectable == pytest.approx(0.25, abs=0.03)


def test_two_problems_detect_nothing(tmp_path):
    assert compared(tmp_path, "10", "11").detectable is None


def test_several_comparisons_are_adjusted_together(tmp_path):
    first, second = paired(tmp_path, "0" * 10, "1" * 8 + "00")
    runs = [graded_run(path) for path in (first, second, second)]
    one, same = compare_runs(runs)
    assert one.p == same.p
    assert (one.adjusted_p, same.adjusted_p) == pytest.approx((2 * one.p, 2 * one.p))


def test_another_dataset_is_refused(tmp_path):
    with pytest.raises(NotComparable, match=r"differ in their dataset \(sums, other\)"):
        compared(tmp_path, "10", "10", dataset="other")


@pytest.mark.parametrize("field", ["revision", "fingerprint"])
def test_other_rows_of_the_same_dataset_are_refused(tmp_path, field):
    first, second = paired(tmp_path, "10", "10")
    manifest = json.loads((second / "run.json").read_text())
    manifest["dataset"][field] = "new"
    (second / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(NotComparable, match="only runs on the same problems"):
        compare_runs([graded_run(first), graded_run(second)])


def test_another_grader_is_refused(tmp_path):
    first, second = paired(tmp_path, "10", "10")
    verdicts = second / "verdicts.jsonl"
    verdicts.write_text(verdicts.read_text().replace('"1.0"', '"2.0"'))
    with pytest.raises(NotComparable, match=r"different versions \(1.0, 2.0\)"):
        compare_runs([graded_run(first), graded_run(second)])


def test_runs_without_a_common_problem_are_refused(tmp_path):
    first = write_run(tmp_path / "first", {"a": [True]})
    second = write_run(tmp_path / "second", {"b": [True]})
    with pytest.raises(NotComparable, match="no problem in common"):
        compare_runs([graded_run(first), graded_run(second)])


MODEL = {"model": "m", "dtype": "float32", "revision": "r1"}


@pytest.mark.parametrize(
    ("ours", "theirs", "warnings"),
    [
        ({}, {"token_budget": 50}, ["token_budget differs: 100 and 50"]),
        ({}, {"top_k": 40}, ["top_k differs: none and 40"]),
        (
            {},
            {"own_sampling": {"draft": {"temperature": 0.2}}},
            ['own_sampling differs: none and {"draft": {"temperature": 0.2}}'],
        ),
        (
            {"system_prompt": "Be  brief."},
            {"system_prompt": "Think at length, and check each step of it twice."},
            ["system_prompt differs: Be brief. and Think at length, and check each step of…"],
        ),
        ({"system_prompt": "x" * 50}, {"system_prompt": "x" * 60}, ["system_prompt differs"]),
        (
            {"think_budget": {"tokens": 256, "waits": 0}},
            {"think_budget": {"tokens": 512, "waits": 0}},
            ["think_budget.tokens differs: 256 and 512"],
        ),
        (
            {"think_budget": {"tokens": 256, "waits": 0}},
            {"reasoner": "parallel", "tracks": {"tracks": 3}},
            ['think_budget differs: {"tokens": 256, "waits": 0} and none'],
        ),
        (
            {"reasoner": "spec", "steps": {"score_threshold": 7.0}, "tracks": {"tracks": 1}},
            {"reasoner": "spec-async", "steps": {"score_threshold": 9.0}, "tracks": {"tracks": 1}},
            ["steps.score_threshold differs: 7.0 and 9.0"],
        ),
        (
            {"target": MODEL},
            {"target": MODEL | {"dtype": "bfloat16"}},
            ["target.dtype differs: float32 and bfloat16"],
        ),
        ({"target": MODEL}, {"target": {"model": "other", "dtype": "bfloat16"}}, []),
        ({}, {"reasoner": "spec", "draft": MODEL, "steps": {"score_threshold": 7.0}}, []),
        (
            {"prompts": {"task/a.j2": "1", "step/b.j2": "1"}},
            {"prompts": {"task/a.j2": "2"}},
            ["prompts differ: task/a.j2"],
        ),
        (
            {},
            {"imported_from": "ssr", "token_budget": 50, "temperature": None, "seed": None},
            ["token_budget differs: 100 and 50"],
        ),
    ],
)
def test_each_setting_that_differs_besides_reasoner_and_model_is_warned_of(
    tmp_path, ours, theirs, warnings
):
    write_run(tmp_path / "ours", {"0": [True]}, **ours)
    write_run(tmp_path / "theirs", {"0": [True]}, **theirs)
    [comparison] = compare_runs([graded_run(tmp_path / name) for name in ("ours", "theirs")])
    assert [*comparison.warnings] == warnings


def test_problems_that_one_run_lacks_are_left_out_and_said(tmp_path):
    comparison = compared(tmp_path, "110", "11")
    assert comparison.problems == 2
    assert comparison.warnings == ("first has 1 problems that the other run lacks; left out",)


def test_the_command_prints_the_table_and_the_discordant_problems(tmp_path):
    first, second = paired(tmp_path, "1100", "1011")
    result = CliRunner().invoke(group, ["compare", str(first), str(second)])
    assert result.exit_code == 0
    assert "2/1/1" in result.output
    assert "second: won 2, 3; lost 1\n" in result.output


def test_differences_are_points_and_shares_are_percent(tmp_path):
    first, second = paired(tmp_path, "1" * 50 + "0" * 50, "1" * 52 + "0" * 48)
    for form in ("table", "markdown"):
        said = CliRunner().invoke(group, ["compare", str(first), str(second), "--format", form])
        assert "+2.0 points" in said.output.replace("\\", "")
        assert "2.0%" not in said.output


def test_few_problems_are_listed_and_what_changed_only_where_it_is_a_part(tmp_path):
    many = {str(n): [True, True] for n in range(30)}
    first = write_run(tmp_path / "first", many | {"half": [True, False], "none": [False, False]})
    lost = {str(n): [False, False] for n in range(30)}
    second = write_run(tmp_path / "second", lost | {"half": [True, True], "none": [True, True]})
    command = ["compare", str(first), str(second)]
    listed = " ".join(CliRunner().invoke(group, command).output.split())
    assert "won none, half (50%→100%); lost 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more (" in listed
    assert " 27, 28, 29" in " ".join(CliRunner().invoke(group, [*command, "--all"]).output.split())


def test_holms_p_stands_only_where_several_runs_are_compared(tmp_path):
    first, second = map(str, paired(tmp_path, "1100", "1011"))
    third = str(write_run(tmp_path / "third", {str(n): [True] for n in range(4)}))
    assert "Holm" not in CliRunner().invoke(group, ["compare", first, second]).output
    assert "Holm p" in CliRunner().invoke(group, ["compare", first, second, third]).output


def test_a_p_value_too_small_to_print_is_not_printed_as_nothing(tmp_path):
    first, second = paired(tmp_path, "1" * 40, "0" * 40)
    printed = CliRunner().invoke(group, ["compare", str(first), str(second)]).output
    assert "<0.0001" in printed
    assert "0.0000" not in printed


def test_runs_with_other_repeats_are_compared_exactly_on_their_common_lattice(tmp_path):
    # Differences of 1/6, 1/3 and 0: of four sign patterns two are as far from 0.
    first = write_run(tmp_path / "first", {"a": [True, False], "b": [False] * 2, "c": [True] * 2})
    thirds = {"a": [True, True, False], "b": [True, False, False], "c": [True, True, True]}
    second = write_run(tmp_path / "second", thirds)
    [comparison] = compare_runs([graded_run(first), graded_run(second)])
    assert comparison.difference == pytest.approx((1 / 6 + 1 / 3) / 3)
    assert (comparison.p, comparison.wins, comparison.ties) == (0.5, 2, 1)


def test_the_command_writes_json(tmp_path):
    first, second = paired(tmp_path, "1100", "1011")
    result = CliRunner().invoke(group, ["compare", str(first), str(second), "--format", "json"])
    [comparison] = json.loads(result.output)
    assert (comparison["wins"], len(comparison["interval"])) == (2, 2)


@pytest.fixture
def alike(tmp_path):
    """Two runs of 400 problems that each fail at two others."""
    first, second = "0" * 2 + "1" * 398, "1" * 398 + "0" * 2
    return [str(path) for path in paired(tmp_path, first, second)]


@pytest.mark.parametrize(("margin", "says"), [("2", "yes (p 0.0"), ("0.5", "not shown (p 0.")])
@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_margin_is_answered_in_words(alike, form, margin, says):
    printed = CliRunner().invoke(group, ["compare", *alike, "--margin", margin, "--format", form])
    assert f"not worse by more than {margin} points" in " ".join(printed.output.split())
    assert says in printed.output


def test_a_margin_stands_in_json_and_csv(alike):
    made = [
        CliRunner().invoke(group, ["compare", *alike, "--margin", "2", "--format", form]).output
        for form in ("json", "csv")
    ]
    [one], [row] = json.loads(made[0]), list(csv.DictReader(io.StringIO(made[1])))
    assert (one["not_worse"]["margin"], one["not_worse"]["holds"]) == (0.02, True)
    assert (row["margin"], row["not_worse_holds"]) == ("0.02", "True")
    assert float(row["not_worse_p"]) == one["not_worse"]["p"]
    assert float(row["difference_low"]) == one["interval"][0]
    assert float(row["tokens_ratio"]) == one["costs"]["tokens"]["ratio"] == 1.0


def test_several_margins_are_adjusted_together(alike):
    first, second = (graded_run(Path(path)) for path in alike)
    [alone] = compare_runs([first, second], 0.02)
    twice = compare_runs([first, second, second], 0.02)
    assert [one.not_worse.adjusted_p for one in twice] == [2 * alone.not_worse.p] * 2


@pytest.mark.parametrize("margin", ["0", "-1", "100", "two"])
def test_a_margin_is_a_number_of_points(alike, margin):
    result = CliRunner().invoke(group, ["compare", *alike, "--margin", margin])
    assert result.exit_code == 2
    assert "--margin" in result.output


def test_costs_are_relative_to_the_first_runs_with_their_interval(tmp_path):
    rows = [[verdict_row(str(n), seconds=cost * (n + 1)) for n in range(5)] for cost in (1.0, 1.5)]
    right = {str(n): [True] for n in range(5)}
    paths = [str(write_run(tmp_path / f"run{n}", right, made)) for n, made in enumerate(rows)]
    printed = CliRunner().invoke(group, ["compare", *paths]).output
    assert "seconds ×" in printed
    assert "1.50 [1.50, 1.50]" in printed


def test_the_help_says_what_the_test_supposes():
    printed = CliRunner().invoke(group, ["compare", "--help"]).output
    assert "as likely to be positive as negative" in " ".join(printed.split())


def test_one_run_cannot_be_compared(tmp_path):
    result = CliRunner().invoke(group, ["compare", str(tmp_path)])
    assert isinstance(result.exception, UserMistake)
    assert "two or more runs" in str(result.exception)


@pytest.mark.parametrize("spelling", ["{first}", "{first}/", "{first}/../{name}", "{link}"])
def test_a_run_is_not_compared_with_itself_however_its_path_is_written(alike, tmp_path, spelling):
    first, second = alike
    link = tmp_path / "link"
    link.symlink_to(first)
    again = spelling.format(first=first, name=Path(first).name, link=link)
    for runs in ([first, again], [first, second, again]):
        result = CliRunner().invoke(group, ["compare", *runs])
        assert isinstance(result.exception, UserMistake)
        assert "is named twice" in str(result.exception)
