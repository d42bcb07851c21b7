"""Results of other programs become runs that are graded and ranked beside ours, whole or none."""

import foreign_results as foreign
import pytest
from foreign_results import PROBLEMS, RIGHT, WRONG, dump, sample, samples_file, ssr_spec, step

from evaluators.statistics.metrics import run_metrics
from speclrm_testing.commands import speclrm


def test_an_imported_run_is_graded_and_ranked_with_dashes_for_what_is_unknown(bring, tmp_path):
    lines = [*sample(PROBLEMS[0], RIGHT), *sample(PROBLEMS[1], WRONG)]
    _, run = bring("lm-eval", samples_file(tmp_path, lines))
    assert speclrm(f"grade {run}").code == 0
    metrics = run_metrics(run)
    costs = metrics.costs
    assert metrics.accuracy == 0.5
    assert (costs.target_tokens, costs.seconds_p50, metrics.rates.truncated) == (None, None, None)
    said = speclrm(f"leaderboard {run} --format markdown")
    assert "| – / – |" in said.out


def test_pickles_and_ours_stand_in_one_table(bring, tmp_path):
    tracks = {"A1": [step(RIGHT)], "B1": [step(WRONG)]}
    _, run = bring("ssr", dump(ssr_spec(tracks, best="A1"), tmp_path / "60-0.pickle"))
    speclrm(f"grade {run}")
    metrics = run_metrics(run)
    assert (metrics.accuracy, metrics.reasoner, metrics.costs.acceptance) == (1, "spec-methods", 1)
    assert (metrics.costs.draft_tokens, metrics.costs.flops_total) == (20, None)
    assert speclrm(f"show {run} --problem-id 60").code == 0
    assert speclrm(f"leaderboard {run} --html {tmp_path / 'page.html'}").code == 0


def test_what_cannot_be_read_does_not_hide_what_is_known_of_the_rest(bring, tmp_path):
    dump(foreign.ssr_baseline(RIGHT), tmp_path / "all" / "60-0.pickle")
    (tmp_path / "all" / "61-0.pickle").write_bytes(b"\x80\x04]")
    said, run = bring("ssr", tmp_path / "all")
    assert "2 attempts, 1 of them unreadable" in said.out
    speclrm(f"grade {run}")
    metrics = run_metrics(run)
    assert (metrics.rates.error, metrics.costs.target_tokens) == (0.5, 30)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["99-0.pickle"], "problem '99', which is not in sums (60 to 61)"),
        (["result.pickle"], "does not say by its name which attempt it is"),
        (["60-20261121.pickle"], "does not say by its name which attempt it is"),
        (["60-0.pickle", "60/0.pickle"], "both hold problem 60, repeat 0"),
    ],
)
def test_files_that_fit_no_attempt_are_refused_and_nothing_is_left(
    bring, tmp_path, names, sentence
):
    files = [dump(foreign.ssr_baseline(RIGHT), tmp_path / "in" / name) for name in names]
    said, run = bring("ssr", *files)
    assert (said.code, run.exists()) == (2, False)
    assert sentence in said.sentence
    assert list(tmp_path.glob(".importing-*")) == []


def test_attempts_under_different_settings_make_no_run(bring, tmp_path):
    first = dump(ssr_spec({"A1": [step(RIGHT)]}, best="A1"), tmp_path / "60-0.pickle")
    other = ssr_spec({"A1": [step(RIGHT)]}, best="A1", score_threshold=5.0)
    said, _ = bring("ssr", first, dump(other, tmp_path / "61-0.pickle"))
    assert "score_threshold 5.0" in said.sentence
    assert "import them into two runs" in said.sentence


def test_a_folder_in_use_is_not_overwritten(bring, tmp_path):
    file = dump(foreign.ssr_baseline(RIGHT), tmp_path / "60-0.pickle")
    bring("ssr", file)
    said, _ = bring("ssr", file)
    assert said.code == 2
    assert "is not empty; choose a new --output-dir" in said.sentence
