"""What a leaderboard row says of a run, and what it refuses to say."""

import json

import numpy as np
import pytest
import scipy.stats
from graded_runs import verdict_row, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.reports import leaderboard
from evaluators.reports.board_columns import as_markdown, whole_columns
from evaluators.reports.leaderboard import as_csv, rows
from evaluators.run_files.verdict_rows import NotGraded
from evaluators.statistics.estimators import TooFewAttempts, pass_at_k
from evaluators.statistics.metrics import run_metrics
from evaluators.statistics.uncertainty import population_error
from evaluators.statistics.verdict_table import verdict_table


def line(*names, **changes):
    return json.dumps(verdict_row(*names, **changes)) + "\n"


GOOD_LINE = line("a")
RIGHT = {"a": [True, True, False, False], "b": [True, False, False, False], "c": [False] * 4}


def test_accuracy_is_the_mean_of_problem_means_with_its_uncertainty(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT))
    assert metrics.accuracy == pytest.approx(0.25)
    assert (metrics.problems, metrics.repeats) == (3, 4)
    assert metrics.uncertainty.population_error == pytest.approx(0.25 / 3**0.5)
    assert metrics.uncertainty.population.low < 0.25 < metrics.uncertainty.population.high


REFINED, WINDOWS = {"model": "m", "decoding": "refine"}, {"model": "m", "decoding": "window"}


@pytest.mark.parametrize(
    ("models", "shown"),
    [
        ({}, "baseline"),
        ({"target": WINDOWS, "draft": WINDOWS}, "baseline"),
        ({"target": REFINED}, "baseline (unverified tokens)"),
        ({"draft": REFINED}, "baseline (unverified tokens)"),
        ({"models": {"judge": REFINED}}, "baseline (unverified tokens)"),
    ],
)
def test_a_run_whose_tokens_no_model_verified_is_marked_at_its_reasoner(tmp_path, models, shown):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT, **models))
    assert metrics.reasoner == shown
    table = rows([metrics])
    assert shown in as_markdown(table)
    assert shown in as_csv(table)


def test_pass_and_majority_are_for_the_k_that_was_asked(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT), k=2)
    assert metrics.pass_at_k == pytest.approx((1 - 1 / 6 + 1 / 2 + 0) / 3)
    # Two votes for two classes: one class, or a tie that shares the credit.
    assert metrics.maj_at_k == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert metrics.any_correct == pytest.approx(2 / 3)


def test_the_errors_of_pass_and_majority_are_over_problems(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT), k=2)
    assert metrics.pass_at_k_error == pytest.approx(scipy.stats.sem([5 / 6, 1 / 2, 0]))
    assert metrics.maj_at_k_error == pytest.approx(scipy.stats.sem([0.5, 0.25, 0]))


def test_the_error_of_pass_at_k_is_the_spread_of_studies_of_other_problems():
    chance = np.random.default_rng(32)
    studies = [chance.binomial(4, chance.beta(1, 2, 40)) for _ in range(300)]
    estimates = [[pass_at_k(4, int(right), 2) for right in study] for study in studies]
    shown = np.mean([population_error(study) for study in estimates])
    assert shown == pytest.approx(np.std([np.mean(study) for study in estimates]), rel=0.1)


def test_one_problem_has_no_error_over_problems(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", {"a": [True, False]}), k=1)
    assert (metrics.pass_at_k_error, metrics.maj_at_k_error) == (None, None)


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


def test_tokens_are_unknown_where_the_server_did_not_count_those_of_one_attempt(tmp_path):
    known = {
        "target": {"verify": {"generated": 6}},
        "draft": {"draft_kept": {"generated": 30}, "draft_dropped": {"generated": 10}},
    }
    unknown = known | {"draft": {"draft_kept": {"generated": None}}}
    for usages, expected in (
        ((known, known), (6, 40, 0.75)),
        ((known, None), (6, 40, 0.75)),  # imported: nothing is known of the second
        ((known, unknown), (None, None, None)),
        (({}, unknown), (None, None, None)),  # the first failed before it had a token
    ):
        rows = [verdict_row(str(n), usage=usage) for n, usage in enumerate(usages)]
        run = write_run(
            tmp_path / str(len(list(tmp_path.iterdir()))), {"0": [True], "1": [True]}, rows
        )
        costs = run_metrics(run).costs
        assert (costs.target_tokens, costs.draft_tokens, costs.draft_kept) == expected


GUESSED = {
    "target": {
        "plain": {"generated": 30, "forwards": 10},
        "refused": {"generated": 50, "forwards": 0},
    },
    "target_assistant": {"guesses": {"generated": 44, "forwards": 40}},
}
UNTOLD = {"target": {"plain": {"generated": 30}}}


@pytest.mark.parametrize(
    ("usages", "forwards", "a_forward"),
    [
        ((GUESSED, GUESSED), {"target": 10, "target_assistant": 40}, {"target": 3}),
        ((GUESSED, {}), {"target": 5, "target_assistant": 20}, {"target": 3}),
        ((GUESSED, UNTOLD), {"target_assistant": 20}, {}),  # the second was made by an old version
        ((UNTOLD, UNTOLD), {}, {}),
        ((GUESSED, {"target": {"plain": {"generated": None}}}), {}, {}),
    ],
)
def test_a_forwards_tokens_are_those_of_the_text_and_unknown_where_one_attempts_are(
    tmp_path, usages, forwards, a_forward
):
    rows = [verdict_row(str(number), usage=usage) for number, usage in enumerate(usages)]
    measured = run_metrics(write_run(tmp_path / "run", {"0": [True], "1": [True]}, rows))
    assert (measured.costs.forwards, measured.costs.tokens_a_forward) == (forwards, a_forward)
    [row] = leaderboard.rows([measured])
    named = leaderboard.flattened(row)
    assert named["target_forwards"] == forwards.get("target")
    assert named["target_tokens_a_forward"] == a_forward.get("target")
    assert named["draft_tokens_a_forward"] is None


@pytest.mark.parametrize(
    ("forwards", "draft", "shown"),
    [
        (10, {}, "3.00"),
        (10, {"draft": {"draft_kept": {"generated": 8, "forwards": 5}}}, "3.00 / 1.60"),
        (10, {"draft": {"draft_kept": {"generated": 8}}}, "3.00 / –"),
        (30, {}, None),
        (None, {}, None),
    ],
)
def test_the_leaderboard_tells_the_tokens_of_a_forward_unless_all_are_one(
    tmp_path, forwards, draft, shown
):
    usage = {"target": {"plain": {"generated": 30, "forwards": forwards}}, **draft}
    run = write_run(tmp_path / "run", {"0": [True]}, [verdict_row("0", usage=usage)])
    table = leaderboard.rows([run_metrics(run)])
    found = {one.name: one.show(table[0]) for one in whole_columns(table)}
    assert found.get("tokens-a-forward") == shown


def test_flops_are_unknown_where_one_attempts_are(tmp_path):
    rows = [verdict_row("a"), verdict_row("b", flops=None)]
    costs = run_metrics(write_run(tmp_path / "run", {"a": [True], "b": [True]}, rows)).costs
    assert (costs.flops_decode, costs.flops_total) == (None, None)


def test_a_name_with_glob_characters_is_only_a_name(tmp_path):
    assert run_metrics(write_run(tmp_path / "r[1]*?", RIGHT)).problems == 3


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("run.json", None, r"is not a run directory \(it has no run\.json\)"),
        ("run.json", "{", r"run\.json is broken"),
        (
            "run.json",
            "{}",
            r"run\.json is not the manifest of a run .*missing required field `identity`",
        ),
        ("run.json", "[]", r"run\.json is broken .Expected `object`"),
        ("verdicts.jsonl", None, "has no verdicts yet; grade it first: speclrm grade"),
        ("verdicts.jsonl", "{\n", r"verdicts\.jsonl, line 1 is broken .* grade again"),
        ("verdicts.jsonl", "{}\n", r"verdicts\.jsonl, line 1 has no .* grade again"),
        ("verdicts.jsonl", "[]\n", r"verdicts\.jsonl, line 1 is not a verdict.* grade again"),
        ("verdicts.jsonl", GOOD_LINE + "not json\n", "line 2 is broken"),
        ("verdicts.jsonl", GOOD_LINE.replace("1.0,", '"long",'), "of a wrong type; grade again"),
        ("verdicts.jsonl", line("z"), "judges problem z"),
        ("verdicts.jsonl", line("a") * 2, "has 2 verdicts for problem a, repeat 0; grade again"),
        ("verdicts.jsonl", line("a", 4), "judges 5 repeats, which .* with --repeats 5"),
        ("verdicts.jsonl", line("a", 10**6), "judges 1000001 repeats"),
        ("verdicts.jsonl", line("a", 1.5), "line 1 has 1.5 for its repeat; grade again"),
        ("verdicts.jsonl", line("a", -1), "line 1 has -1 for its repeat"),
        ("verdicts.jsonl", line("a", "one"), "line 1 has 'one' for its repeat"),
        ("verdicts.jsonl", line("a", None), "line 1 has None for its repeat"),
        ("verdicts.jsonl", line("a", 10**30), "line 1 has 1000000.* for its repeat"),
        ("verdicts.jsonl", line("a", verdict="maybe"), "line 1 has 'maybe' for its verdict"),
        (
            "verdicts.jsonl",
            line("a", dataset="other"),
            "line 1 is of the dataset 'other', and the run of 'sums' by its run.json; grade again",
        ),
        ("verdicts.jsonl", line("a", status="lost"), "line 1 has 'lost' for its status"),
        ("verdicts.jsonl", line("a", made_from=None), "line 1 does not say what it was made from"),
        ("verdicts.jsonl", line("a", answer_class=-1), "line 1 has -1 for its answer_class"),
        ("verdicts.jsonl", line("a", seconds=-0.5), "line 1 has -0.5 for its seconds"),
        (
            "verdicts.jsonl",
            line("a", flops={"decode": 1.0, "total": -2.0}),
            r"line 1 has -2\.0 for its flops\.total",
        ),
        ("verdicts.jsonl", "[" * 100_000 + "\n", "line 1 is broken"),
        ("verdicts.jsonl", b"\xff\n", "line 1 is broken"),
    ],
)
def test_what_is_not_a_graded_run_is_told_with_what_to_do(tmp_path, file, content, complaint):
    run = write_run(tmp_path / "run", RIGHT)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(NotGraded, match=complaint):
        run_metrics(run)


def test_a_run_without_attempts_is_all_missing(tmp_path):
    metrics = run_metrics(write_run(tmp_path / "run", RIGHT, []))
    assert (metrics.accuracy, metrics.rates.missing, metrics.costs.seconds_p50) == (0, 1, None)


def test_a_truncated_attempt_may_still_be_right(tmp_path):
    rows = [verdict_row("a", stop="budget")]
    metrics = run_metrics(write_run(tmp_path / "run", {"a": [True]}, rows))
    assert (metrics.accuracy, metrics.rates.truncated) == (1, 1)


def test_drafts_kept_and_steps_rewritten_are_shares_of_steps(tmp_path):
    steps = [{"all": 6, "judged": 4, "rewritten": 1}, {"all": 4, "judged": 4, "rewritten": 1}]
    rows = [verdict_row(name, steps=one) for name, one in zip("ab", steps, strict=True)]
    costs = run_metrics(write_run(tmp_path / "run", {"a": [True], "b": [True]}, rows)).costs
    assert (costs.acceptance, costs.rewrites) == (0.75, 0.2)


@settings(max_examples=20, deadline=None)  # each example writes and reads files
@given(data=st.data(), problems=st.integers(1, 4), repeats=st.integers(1, 4))
def test_accuracy_is_the_share_of_right_attempts_of_all_planned(
    tmp_path_factory, data, problems, repeats
):
    verdict = st.sampled_from(["correct", "wrong", "no_answer", "ungradable"])
    made = [data.draw(st.lists(verdict, max_size=repeats)) for _ in range(problems)]
    rows = [
        verdict_row(str(number), repeat, verdict=one)
        for number, verdicts in enumerate(made)
        for repeat, one in enumerate(verdicts)
    ]
    shape = {str(number): [True] * repeats for number in range(problems)}
    metrics = run_metrics(write_run(tmp_path_factory.mktemp("made") / "run", shape, rows))
    right = sum(verdicts.count("correct") for verdicts in made)
    assert metrics.accuracy == pytest.approx(right / (problems * repeats))
    assert metrics.rates.missing == pytest.approx(1 - len(rows) / (problems * repeats))


def test_a_run_without_verdicts_says_how_to_grade_it(tmp_path):
    with pytest.raises(NotGraded, match="grade it first: speclrm grade"):
        verdict_table(tmp_path, "sums")
