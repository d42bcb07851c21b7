"""The golden tables: what counts as the same answer, what an output's answer is."""

import json
from pathlib import Path

import pytest
from recorded_verdicts import judged, recorded, verdict_of

from evaluators import GRADER_VERSION, BadCase, Status, grade, grade_cases, is_at_a_limit

CASES = Path(__file__).parent / "cases"


def table(name):
    rows = [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=row["id"]) for row in rows]


@pytest.mark.parametrize(
    "row",
    [
        *table("equivalence.jsonl"),
        *table("notations.jsonl"),
        *table("compared.jsonl"),
        *table("several_names.jsonl"),
    ],
)
def test_answers_are_judged_as_the_table_says(row):
    verdict = verdict_of(row["answer"], row["gold"], row["kind"])
    assert verdict.correct is row["correct"], verdict.explanation


@pytest.mark.parametrize("row", table("bounded.jsonl"))
def test_integrals_sums_and_limits_are_judged_as_the_table_says(row):
    verdict = verdict_of(row["answer"], row["gold"], row["kind"])
    assert verdict.correct is row["correct"], verdict.explanation
    assert not is_at_a_limit(verdict.rule)


@pytest.mark.parametrize("row", table("choice.jsonl"))
def test_letters_are_judged_as_the_table_says(row):
    verdict = verdict_of(row["answer"], row["gold"], "choice")
    assert verdict.correct is row["correct"], verdict.explanation


def test_a_changed_verdict_comes_with_a_new_grader_version():
    version, verdicts = recorded()
    changed = [
        (row["id"], verdicts[key], status)
        for key, status, row in judged()
        if verdicts.get(key, status) != status
    ]
    renew = "change GRADER_VERSION, then: python tests/recorded_verdicts.py"
    assert not changed or version != GRADER_VERSION, f"verdicts changed within {version}; {renew}"
    assert version == GRADER_VERSION, "record the new verdicts: python tests/recorded_verdicts.py"


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ("\\boxed{42}", Status.CORRECT),
        ("\\boxed{43}", Status.WRONG),
        ("", Status.NO_ANSWER),
        ("I cannot answer this.", Status.NO_ANSWER),
        ("\\boxed{}", Status.NO_ANSWER),
        ("\\boxed{9^{9^{9^9}}}", Status.UNGRADABLE),
    ],
)
def test_every_status_has_its_case(output, status):
    assert grade(output, "42", "integer").status is status


def test_an_unknown_kind_is_an_error_that_names_the_kinds():
    with pytest.raises(ValueError, match="unknown answer kind 'number'; known kinds are integer"):
        grade("1", "1", "number")


def test_a_case_file_is_graded_row_by_row_with_rule_and_version(tmp_path):
    file = tmp_path / "cases.jsonl"
    lines = [
        '{"gold": "1/2", "answer": "0.5", "note": "kept"}',
        "",
        '{"gold": "A", "output": "so B", "kind": "choice"}',
    ]
    file.write_text("\n".join(lines))
    first, second = grade_cases(file)
    assert (first["verdict"], first["note"]) == ("correct", "kept")
    assert second["verdict"] == "wrong"
    assert first["rule"]
    assert first["grader_version"]


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ('"0.5"', "0.5", "correct"),
        ("7", '"7"', "correct"),
        ("0.001", "1e-3", "correct"),
        ('"true"', "true", "correct"),
        ('"null"', "null", "no_answer"),
        ('"None"', "null", "no_answer"),
    ],
)
def test_an_answer_that_is_no_text_counts_as_its_value_and_null_as_no_answer(
    tmp_path, gold, answer, verdict
):
    file = tmp_path / "cases.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + f'{{"gold": {gold}, "answer": {answer}}}'.encode())
    [row] = grade_cases(file)
    assert row["verdict"] == verdict


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 1: not a JSON object"),
        ('{"answer": "1"}', "line 1: a case needs the field gold"),
        ('{"gold": "1"}', "line 1: a case needs one of the fields answer, output"),
        ('{"gold": "1", "answer": "1", "kind": "number"}', "line 1: unknown kind 'number'"),
        ('{"gold": "1", "answer": "1", "kind": []}', r"line 1: unknown kind \[\]"),
        ('{"gold": null, "answer": "1"}', "line 1: a case needs the field gold"),
        ('{"gold": "1", "answer": ["1"]}', "line 1: answer is neither text nor a number"),
        ('{"gold": {"a": 1}, "answer": "1"}', "line 1: gold is neither text nor a number"),
        ('{"gold": NaN, "answer": "1"}', "line 1: not a JSON object"),
        ('{"gold": 1, "answer": 1, "more": 1e999}', "line 1: not a JSON object"),
        ('{"gold": 1, "answer": 1, "more": "\\ud800"}', "line 1: not a JSON object"),
        ("[" * 9999, "line 1: not a JSON object"),
    ],
)
def test_a_line_that_is_no_case_is_named(tmp_path, line, message):
    file = tmp_path / "cases.jsonl"
    file.write_text(line)
    with pytest.raises(BadCase, match=message):
        list(grade_cases(file))
