"""The numbers of a graded run: what is right, what stays in the denominator, what it cost."""

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.metrics import NotGraded, percentile, run_metrics

ROW = {
    "problem_id": "0",
    "status": "ok",
    "verdict": "correct",
    "grader_version": "1.0",
    "stop": "finished",
    "usage": {"target": {"plain": {"generated": 10}}},
    "flops": {"decode": 1.0, "total": 3.0},
    "seconds": 2.0,
}


def write_run(folder, rows, problems=1, repeats=1):
    """A run directory of so many problems and repeats with these verdict rows."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "identity": {"dataset": "d", "reasoner": "baseline", "target": {"model": "m"}},
        "slice": {"problem_ids": [str(n) for n in range(problems)], "repeats": repeats},
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    lines = [json.dumps(ROW | row) + "\n" for row in rows]
    (folder / "verdicts.jsonl").write_text("".join(lines))
    return folder


def verdicts(*per_problem):
    """Rows from one list of verdicts a problem."""
    return [
        {"problem_id": str(number), "verdict": verdict}
        for number, made in enumerate(per_problem)
        for verdict in made
    ]


def test_accuracy_is_the_mean_over_problems_of_their_means(tmp_path):
    rows = verdicts(["correct", "correct"], ["correct", "wrong"], ["wrong", "wrong"])
    metrics = run_metrics(write_run(tmp_path, rows, problems=3, repeats=2))
    assert metrics.accuracy == statistics.fmean([1, 0.5, 0])
    assert metrics.standard_error == pytest.approx(0.5 / 3**0.5)
    assert (metrics.problems, metrics.repeats) == (3, 2)


def test_one_problem_has_no_standard_error(tmp_path):
    assert run_metrics(write_run(tmp_path, verdicts(["correct"]))).standard_error is None


def test_missing_attempts_stay_in_the_denominator(tmp_path):
    metrics = run_metrics(write_run(tmp_path, verdicts(["correct"]), problems=2, repeats=2))
    assert (metrics.accuracy, metrics.missing) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("row", "rate"),
    [
        ({"verdict": "no_answer"}, "no_answer"),
        ({"verdict": "ungradable"}, "ungradable"),
        ({"verdict": "no_answer", "status": "error"}, "error"),
        ({"verdict": "wrong", "stop": "budget"}, "truncated"),
        ({"verdict": "wrong", "stop": "length"}, "truncated"),
    ],
)
def test_what_went_wrong_counts_once_and_stays_in_the_denominator(tmp_path, row, rate):
    rows = [{"problem_id": "0"}, {"problem_id": "1"} | row]
    metrics = run_metrics(write_run(tmp_path, rows, problems=2))
    rates = ("no_answer", "ungradable", "error", "truncated", "missing")
    assert metrics.accuracy == 0.5
    assert {name: getattr(metrics, name) for name in rates} == dict.fromkeys(rates, 0) | {rate: 0.5}


def test_a_truncated_attempt_may_still_be_right(tmp_path):
    metrics = run_metrics(write_run(tmp_path, [{"stop": "budget"}]))
    assert (metrics.accuracy, metrics.truncated) == (1, 1)


def test_costs_are_per_recorded_attempt(tmp_path):
    draft = {"draft": {"draft_kept": {"generated": 3}, "draft_dropped": {"generated": 1}}}
    rows = [{"usage": ROW["usage"] | draft}, {"usage": {"target": {"plain": {"generated": 20}}}}]
    metrics = run_metrics(write_run(tmp_path, rows, repeats=4))
    assert (metrics.target_tokens, metrics.draft_tokens) == (15, 2)
    assert (metrics.flops_decode, metrics.flops_total) == (1.0, 3.0)


def test_one_attempt_of_unknown_cost_makes_the_cost_unknown(tmp_path):
    metrics = run_metrics(write_run(tmp_path, [{}, {"flops": None}], repeats=2))
    assert (metrics.flops_decode, metrics.flops_total) == (None, None)


def test_a_run_without_attempts_is_all_missing(tmp_path):
    metrics = run_metrics(write_run(tmp_path, [], problems=3))
    assert (metrics.accuracy, metrics.missing, metrics.seconds_p50) == (0, 1, None)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7.0], 0.95, 7.0), ([3.0, 1.0], 0.5, 2.0), ([1.0, 2.0, 3.0], 1.0, 3.0)],
)
def test_percentiles_are_interpolated_between_neighbours(values, share, expected):
    assert percentile(values, share) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_within_its_values(values, share):
    assert min(values) <= percentile(values, share) <= max(values)


@given(data=st.data(), problems=st.integers(1, 4), repeats=st.integers(1, 4))
def test_with_equal_repeats_accuracy_is_the_share_of_right_attempts(
    tmp_path_factory, data, problems, repeats
):
    verdict = st.sampled_from(["correct", "wrong", "no_answer", "ungradable"])
    made = [data.draw(st.lists(verdict, max_size=repeats)) for _ in range(problems)]
    run = write_run(tmp_path_factory.mktemp("run"), verdicts(*made), problems, repeats)
    metrics = run_metrics(run)
    right = sum(each.count("correct") for each in made)
    assert metrics.accuracy == pytest.approx(right / (problems * repeats))
    assert metrics.accuracy + metrics.no_answer + metrics.ungradable + metrics.missing < 1 + 1e-9


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("run.json", None, r"is not a run directory \(it has no run\.json\)"),
        ("run.json", "{", r"run\.json is broken"),
        ("run.json", "{}", r"run\.json is not the manifest of a run: it has no 'identity'"),
        ("run.json", "[]", r"run\.json is not the manifest of a run"),
        ("verdicts.jsonl", None, "has no verdicts yet; grade it first: speclrm grade"),
        ("verdicts.jsonl", "{\n", r"verdicts\.jsonl, line 1 is broken .* grade again"),
        ("verdicts.jsonl", "{}\n", r"verdicts\.jsonl, line 1 has no .* grade again"),
        ("verdicts.jsonl", "[]\n", r"verdicts\.jsonl, line 1 is not a verdict.* grade again"),
    ],
)
def test_what_is_not_a_graded_run_is_told_with_what_to_do(tmp_path, file, content, complaint):
    run = write_run(tmp_path, [{}])
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content)
    with pytest.raises(NotGraded, match=complaint):
        run_metrics(run)
