"""On pocket a draft is right when the generator's own check says so."""

import json

import msgspec
import pytest
from graded_runs import attempt_line, manifest, step, verdict_row

from evaluators.run_files.attempt_record import AttemptLine
from pipeline.errors import UserMistake
from pipeline.problems.problem_set import load_problems
from pipeline.review.step_labels import pocket_labels


def pocket_run(folder, name="pocket", **identity):
    problems = load_problems(name, None, seed=0)
    settings = {"dataset": name, "dataset_fingerprint": problems.fingerprint} | identity
    folder.joinpath("run.json").write_text(json.dumps(manifest(["0"], 1, **settings)))
    return next(p for p in problems.problems if p.problem.startswith("Let"))


def line_of(problem_id, *tracks):
    """An attempt line with these tracks' steps."""
    return msgspec.convert(attempt_line(verdict_row(problem_id), tracks), AttemptLine)


@pytest.mark.parametrize("name", ["pocket", "pocket-long", "pocket-hard"])
def test_a_draft_is_judged_after_the_steps_before_it(tmp_path, name):
    from pipeline.pocket.step_checker import Question, next_steps  # noqa: PLC0415 - only this test

    problem = pocket_run(tmp_path, name)
    [first] = sorted(next_steps(Question(problem.problem, problem.choices), []))[:1]
    steps = [
        step("nonsense", score=9.0),
        step(f"{first}\n\n", score=1.0, draft=first),
        step("unjudged"),
    ]
    labels = pocket_labels(tmp_path)(line_of(problem.problem_id, steps[1:], steps))
    assert labels[0] == [True, None]
    assert labels[1][0] is False


def test_an_empty_rejected_draft_is_no_right_step_though_its_rewrite_is(tmp_path):
    from pipeline.pocket.step_checker import Question, next_steps  # noqa: PLC0415 - only this test

    problem = pocket_run(tmp_path)
    right = min(next_steps(Question(problem.problem, problem.choices), []))
    steps = [step(right, score=1.0, draft="")]
    assert pocket_labels(tmp_path)(line_of(problem.problem_id, steps)) == [[False]]


def test_an_attempt_at_a_problem_that_the_dataset_lacks_is_told(tmp_path):
    pocket_run(tmp_path)
    with pytest.raises(UserMistake, match="problem nowhere, which its dataset lacks"):
        pocket_labels(tmp_path)(line_of("nowhere", []))


def test_other_datasets_and_changed_problems_have_no_labels(tmp_path):
    pocket_run(tmp_path, dataset="aime")
    assert pocket_labels(tmp_path) is None
    pocket_run(tmp_path, dataset_fingerprint="older")
    assert pocket_labels(tmp_path) is None
