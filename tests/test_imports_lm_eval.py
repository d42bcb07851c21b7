"""Samples of lm-evaluation-harness become attempts without steps."""

import json

import pytest
from foreign_results import (
    PROBLEMS,
    RIGHT,
    quiz_file,
    sample,
    samples_file,
    the_attempt,
)

from pipeline.runs.directory import read_attempts, read_manifest


def test_a_samples_line_is_found_by_its_text_and_has_an_attempt_a_response(bring, tmp_path):
    file = samples_file(tmp_path, sample(PROBLEMS[1], "\\boxed{5}", "\\boxed{6}"))
    said, run = bring("lm-eval", file)
    assert said.code == 0, said.err
    assert [one.key for one in read_attempts(run)] == [("61", 0), ("61", 1)]
    identity = read_manifest(run)["identity"]
    assert (identity["target"]["model"], identity["token_budget"]) == ("Qwen/QwQ-32B", 100)


def test_the_same_responses_under_another_filter_are_no_new_attempts(bring, tmp_path):
    lines = sample(PROBLEMS[0], RIGHT, filters=("strict-match", "flexible-extract"))
    _, run = bring("lm-eval", samples_file(tmp_path, lines))
    assert len(list(read_attempts(run))) == 1


def test_another_text_is_found_by_its_id(bring, tmp_path):
    [line] = sample(PROBLEMS[0], RIGHT, problem="Reworded.", id=60)
    assert the_attempt(bring, "lm-eval", samples_file(tmp_path, [line])).problem_id == "60"


def test_a_line_without_responses_is_kept_as_a_failed_attempt(bring, tmp_path):
    [line] = sample(PROBLEMS[0], RIGHT)
    said, run = bring("lm-eval", samples_file(tmp_path, [line | {"resps": []}]))
    assert said.code == 0
    assert [one.error.type for one in read_attempts(run)] == ["CorruptEntry"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "samples_x.jsonl:1 is not a sample of lm-evaluation-harness"),
        ("[]", "it is not a JSON object"),
        (json.dumps({"doc": {"problem": "?"}, "resps": [["a"]]}), "not in sums, by its text"),
        (
            json.dumps({"doc": PROBLEMS[0], "resps": [[["-1.5", "False"]]]}),
            "holds log-likelihoods of given choices and no generated text",
        ),
    ],
)
def test_what_is_no_generated_sample_is_refused_in_a_sentence(bring, tmp_path, line, sentence):
    (tmp_path / "samples_x.jsonl").write_text(line + "\n")
    said, run = bring("lm-eval", tmp_path / "samples_x.jsonl")
    assert (said.code, run.exists()) == (2, False)
    assert sentence in said.sentence


def test_shuffled_choices_are_mapped_back_by_their_texts(bring, tmp_path):
    doc = {f"choice{n}": text for n, text in enumerate(("c ", "d", "a", "b"), start=1)}
    file = samples_file(tmp_path, sample({"problem": "Which?"}, "\\boxed{A}", **doc))
    _, run = bring("lm-eval", file, rows=quiz_file(tmp_path))
    [attempt] = read_attempts(run)
    assert (attempt.gold, attempt.choice_order) == ("A", (2, 3, 0, 1))


def test_choices_that_are_not_the_problems_fail_the_attempt(bring, tmp_path):
    doc = {f"choice{n}": text for n, text in enumerate("wxyz", start=1)}
    file = samples_file(tmp_path, sample({"problem": "Which?"}, "\\boxed{A}", **doc))
    _, run = bring("lm-eval", file, rows=quiz_file(tmp_path))
    [attempt] = read_attempts(run)
    assert "are not those of the problem in our dataset" in attempt.error.message


def test_a_line_of_very_many_responses_is_refused_before_one_is_written(bring, tmp_path):
    [line] = sample(PROBLEMS[0], RIGHT)
    file = samples_file(tmp_path, [line | {"resps": [[RIGHT] * 200_000]}])
    said, run = bring("lm-eval", file)
    assert (said.code, run.exists()) == (2, False)
    assert "200,000 responses to one problem, and a run holds at most 10,000" in said.sentence
