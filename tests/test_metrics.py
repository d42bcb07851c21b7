"""What a leaderboard row says of a run, and what it refuses to say."""

import json

import pytest
from graded_runs import verdict_row, write_run

from evaluators.estimators import TooFewAttempts
from evaluators.metrics import run_metrics
from evaluators.verdict_table import NotGraded, verdict_table

RIGHT = {"a": [True, True, False, False], "b": [True, False, False, False], "c": [False] * 4}


def test_accuracy_is_the_mean_of_problem_means_with_its_uncertainty(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT))
    assert metrics.accuracy == pytest.approx(0.25)
    assert (metrics.problems, metrics.repeats) == (3, 4)
    assert metrics.uncertainty.population_error == pytest.approx(0.25 / 3**0.5)
    assert metrics.uncertainty.population.low < 0.25 < metrics.uncertainty.population.high


def test_pass_and_majority_are_for_the_k_that_was_asked(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT), k=2)
    assert metrics.pass_at_k == pytest.approx((1 - 1 / 6 + 1 / 2 + 0) / 3)
    # Two votes for two classes: one class, or a tie that shares the credit.
    assert metrics.maj_at_k == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert metrics.any_correct == pytest.approx(2 / 3)


def test_more_attempts_than_repeats_are_refused(tmp_path):
    with pytest.raises(TooFewAttempts, match="k is 5, but there are 4 attempts"):
        run_metrics(write_run(tmp_path / "run", RIGHT), k=5)


def test_missing_and_failed_attempts_stay_in_the_denominator(tmp_path):
    rows = [
        verdict_row("a"),
        verdict_row("b", right=False, status="error", verdict="no_answer", answer_class=None),
    ]
    metrics = run_metrics(
        write_run(tmp_path / "run", {"a": [True], "b": [True], "c": [True]}, rows)
    )
    assert metrics.accuracy == pytest.approx(1 / 3)
    assert (metrics.rates.error, metrics.rates.missing) == (1 / 3, 1 / 3)
    assert metrics.rates.no_answer == 0


@pytest.mark.parametrize(
    ("change", "rate"),
    [
        ({"verdict": "no_answer"}, "no_answer"),
        ({"verdict": "ungradable"}, "ungradable"),
        ({"stop": "budget"}, "truncated"),
        ({"stop": "length"}, "truncated"),
        ({"stop": "repeated"}, "repeated"),
        ({"tracks": [{"verdict": "wrong"}, {"verdict": "correct"}]}, "vote_lost"),
    ],
)
def test_what_went_wrong_is_counted_under_its_name(tmp_path, change, rate):
    rows = [verdict_row("a", right=False, **change), verdict_row("b", right=False)]
    rates = run_metrics(write_run(tmp_path / "run", {"a": [True], "b": [True]}, rows)).rates
    others = {name for name in rates.__slots__ if getattr(rates, name) > 0}
    assert (getattr(rates, rate), others) == (0.5, {rate})


def test_costs_are_per_attempt_and_tokens_per_model(tmp_path):
    usage = {
        "target": {"verify": {"generated": 3}, "rewrite": {"generated": 7}},
        "draft": {"draft_kept": {"generated": 30}, "draft_dropped": {"generated": 10}},
    }
    rows = [verdict_row("a", usage=usage), verdict_row("b", usage=usage, seconds=3.0)]
    costs = run_metrics(write_run(tmp_path / "run", {"a": [True], "b": [True]}, rows)).costs
    assert (costs.target_tokens, costs.draft_tokens, costs.draft_kept) == (10, 40, 0.75)
    assert (costs.flops_decode, costs.flops_total) == (2e9, 3e9)
    assert (costs.seconds_p50, costs.seconds_p95) == (2.0, pytest.approx(2.9))


def test_flops_are_unknown_where_one_attempts_are(tmp_path):
    rows = [verdict_row("a"), verdict_row("b", flops=None)]
    costs = run_metrics(write_run(tmp_path / "run", {"a": [True], "b": [True]}, rows)).costs
    assert (costs.flops_decode, costs.flops_total) == (None, None)


def test_a_name_with_glob_characters_is_only_a_name(tmp_path):
    assert run_metrics(write_run(tmp_path / "r[1]*?", RIGHT)).problems == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{}\n", "have no verdict"),
        ('{"problem_id": "1", "verd\n', "line 1 is broken"),
        (json.dumps(verdict_row("a")) + "\nnot json\n", "line 2 is broken"),
        ('{"verdict": "wrong", "seconds": "long"}\n', "is broken; grade again"),
        (json.dumps(verdict_row("z")) + "\n", "judges problem z"),
    ],
)
def test_broken_verdicts_are_refused_with_what_to_do(tmp_path, text, named):
    run = write_run(tmp_path / "run", RIGHT)
    (run / "verdicts.jsonl").write_text(text)
    with pytest.raises(NotGraded, match=named):
        run_metrics(run)


def test_a_run_without_verdicts_says_how_to_grade_it(tmp_path):
    with pytest.raises(NotGraded, match="grade it first: speclrm grade"):
        verdict_table(tmp_path)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(NotGraded, match=r"not a run directory \(it has no run.json\)"):
        run_metrics(tmp_path)
