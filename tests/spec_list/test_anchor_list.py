"""The list: what the original scripts do (A1 to A25), and their defects that are not here (D1 to
D15).

An entry is a test in this folder whose name begins with its code, or tests elsewhere that are named
below; most are both.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
CONTRACTS = sorted((TESTS.parent / "speclrm_testing").glob("*_contract.py"))
ENTRIES = {
    "A1": "every stage runs alone, skips what is done and resumes after a kill",
    "A2": "options and defaults of the scripts; an unknown option is an error",
    "A3": "AIME keeps its ids, MATH and GPQA go by row; full sets",
    "A4": "a step is the text to a blank line, at most 512 tokens, and says how it ended",
    "A5": "a score is one token of one call, a digit or rejected; greedy and average",
    "A6": "a score at the threshold is enough",
    "A7": "a rewrite begins at the accepted prefix; the rejected draft is recorded, never seen",
    "A8": "the first n steps are the target's, without draft and score",
    "A9": "a stray think-close is removed with a warning, where asked for",
    "A10": "stop reasons in a fixed order; the budget counts accepted tokens, the ledger the rest",
    "A11": "finished needs a complete answer; the last one counts",
    "A12": "every request of a track carries the track's own role or method and no other",
    "A13": "three roles, and as many tracks without roles",
    "A14": "methods are chosen by the target at temperature 0, exactly as many as asked",
    "A15": "both votes of the scripts; ties decided; equality is the grader's; reasons recorded",
    "A16": "fast modes; cancelled tracks say so and have no vote",
    "A17": "drafting ahead gives the tracks of spec; no cap on steps; a failed track sinks none",
    "A18": "records hold what those of the scripts hold, valid after a kill",
    "A19": "GPQA's choices are shuffled by the problem; the order is stored, letters are even",
    "A20": "answers are graded as mathematics",
    "A21": "pass@1, any correct, maj@k and pass@k; what is missing stays in the denominator",
    "A22": "acceptance, scores, tokens, times and relative costs are reported",
    "A23": "engines behind one interface, started and stopped; a crash is retried, then recorded",
    "A24": "score, rewrite and next draft share their prefix; no prompt logprobs",
    "A25": "baseline rows are graded as all others",
    "D1": "the last track's method leaks into all tracks",
    "D2": "the average score cannot be computed",
    "D3": "GPQA: always A, never graded, no method prompt",
    "D4": "baseline rows all score 0",
    "D5": "answers are compared by their digits",
    "D6": "the first box wins, and the word is enough",
    "D7": "drafting ahead: sixteen steps, no stop reason, no vote",
    "D8": "a track stopped by budget never votes",
    "D9": "what has no answer leaves the denominator",
    "D10": "failed problems leave the denominator",
    "D11": "a resume ignores changed settings",
    "D12": "the pool of twelve is asked about with the prompt of nine",
    "D13": "a track's time is that of its batch",
    "D14": "an engine's failure to start is swallowed",
    "D15": "one problem at a time",
}
COVERED_BY = {
    "A1": (
        (
            "test_every_reasoner.py::TestSpec::"
            "test_kill_dash_nine_and_the_same_command_leave_every_attempt_once"
        ),
        "test_kill.py::test_kill_dash_nine_loses_and_doubles_nothing",
        "test_reasoner_options.py::test_every_reasoner_runs_resumes_and_is_graded",
    ),
    "A2": (
        "test_cli_bad_input.py::test_bad_input_is_told_in_a_sentence_with_exit_code_2",
        "test_cli_runs.py::test_the_spellings_of_the_ssr_scripts_are_accepted",
    ),
    "A3": (
        "test_problems.py::test_aime_keeps_its_ids_and_answers_and_knows_the_papers_numbers",
        "test_problems.py::test_math_rows_are_numbered_and_the_unique_id_is_an_alias",
    ),
    "A5": (
        "test_spec.py::test_every_score_is_one_greedy_token_right_after_the_step",
        "test_spec.py::test_digits_without_mass_reject_and_are_flagged",
        "test_step_score.py::test_the_average_is_the_expected_digit_over_the_ten",
        "test_step_score.py::test_greedy_is_the_likeliest_digit_the_smaller_of_two",
        "test_step_score.py::test_digits_of_several_tokens_are_refused",
    ),
    "A6": ("test_spec.py::test_a_score_at_the_threshold_is_enough",),
    "A7": ("test_spec.py::test_a_rejected_draft_is_recorded_and_never_seen_again",),
    "A8": ("test_spec.py::test_the_first_steps_are_the_targets_and_have_no_score",),
    "A9": ("test_spec.py::test_the_ssr_way_removes_the_tag_with_a_note_and_goes_on",),
    "A10": ("test_spec.py::test_why_a_track_stops_and_what_it_answers",),
    "A11": (
        "test_spec.py::test_why_a_track_stops_and_what_it_answers",
        "test_spec.py::test_the_last_box_of_a_chain_is_its_answer",
        "test_spec.py::test_a_letter_in_passing_does_not_end_a_choice",
    ),
    "A12": (
        "test_tracks.py::test_each_role_stands_in_its_own_tracks_requests_only",
        "test_tracks.py::test_each_method_stands_in_its_own_tracks_requests_only",
    ),
    "A13": (
        "test_tracks.py::test_each_role_stands_in_its_own_tracks_requests_only",
        "test_tracks.py::test_same_prompts_differ_by_their_seeds_only",
        "test_prompting.py::test_a_set_has_three_roles_and_fifteen_methods_in_order",
    ),
    "A14": (
        "test_tracks.py::TestChoosingMethods::test_as_many_as_asked_from_every_pool",
        "test_tracks.py::TestChoosingMethods::test_only_the_unknown_method_is_chosen_twice",
    ),
    "A15": (
        "test_vote.py::test_each_rule_has_its_own_winner",
        "test_vote.py::test_ties_go_to_the_first_track",
        "test_vote.py::test_ssr_v2_counts_a_rewritten_step_as_nine",
        "test_vote.py::test_equal_answers_are_one_class_however_they_are_written",
    ),
    "A16": (
        "test_vote.py::test_fast_modes_end_at_an_answer_or_at_two_that_agree",
        "test_vote.py::test_cancelled_and_failed_tracks_have_no_vote",
        (
            "test_tracks.py::TestEndingEarly::"
            "test_cancelled_tracks_say_so_and_are_cancelled_in_the_engine"
        ),
    ),
    "A17": (
        "test_spec.py::TestDraftingAhead::test_gives_exactly_the_tracks_of_spec",
        "test_spec.py::test_chains_may_be_longer_than_sixteen_steps",
        "test_spec.py::TestEnginesThatFail::test_a_failed_track_does_not_sink_the_others",
    ),
    "A18": (
        "test_records.py::test_a_line_reads_back_as_the_attempt_it_was",
        "test_run_directory.py::test_a_file_cut_anywhere_resumes_with_its_whole_lines",
    ),
    "A19": (
        "test_problems.py::test_gpqa_choices_are_shuffled_and_the_letter_follows",
        "test_problems.py::test_gpqa_orders_depend_on_record_and_seed_alone",
        "test_seeds.py::test_the_correct_choice_is_at_each_letter_about_equally",
    ),
    "A20": (
        "spec_list/test_defects.py::test_d5_answers_are_compared_as_mathematics_not_as_digits",
        "test_grading.py::test_each_kind_is_graded_as_its_own",
    ),
    "A21": (
        "test_metrics.py::test_accuracy_is_the_mean_of_problem_means_with_its_uncertainty",
        "test_metrics.py::test_pass_and_majority_are_for_the_k_that_was_asked",
        "test_metrics.py::test_missing_and_failed_attempts_stay_in_the_denominator",
    ),
    "A22": (
        "test_tracks.py::TestTheLedger::test_holds_every_token_that_the_engines_report",
        "test_metrics.py::test_costs_are_per_attempt_and_tokens_per_model",
        "test_metrics.py::test_what_went_wrong_is_counted_under_its_name",
        "test_leaderboard.py::test_costs_are_relative_to_the_chosen_baseline",
    ),
    "A23": (
        (
            "test_engines_contract.py::TestTransformers::"
            "test_a_stopped_engine_is_dead_and_starts_again"
        ),
        (
            "test_every_reasoner.py::TestSpec::"
            "test_an_engine_that_dies_once_comes_back_and_nothing_is_lost"
        ),
        "test_runner.py::test_a_failing_request_is_an_error_record_and_the_rest_goes_on",
    ),
    "A24": (
        "test_spec.py::test_prompts_are_append_only_and_ids_are_passed_back",
        "test_spec_vllm.py::test_a_score_recomputes_little_more_than_its_step",
    ),
    "A25": (
        (
            "spec_list/test_defects.py::"
            "test_d4_the_verdicts_of_all_reasoners_have_the_same_fields_and_are_right"
        ),
    ),
    "D1": (
        (
            "spec_list/test_anchors_of_tracks.py::"
            "test_a12_drafts_scores_and_rewrites_of_a_track_see_its_own_tip_only"
        ),
    ),
    "D3": ("test_problems.py::test_gpqa_choices_are_shuffled_and_the_letter_follows",),
    "D6": (
        "test_spec.py::test_the_last_box_of_a_chain_is_its_answer",
        "test_spec.py::test_why_a_track_stops_and_what_it_answers",
    ),
    "D7": ("test_spec.py::TestDraftingAhead::test_gives_exactly_the_tracks_of_spec",),
    "D8": ("test_vote.py::test_only_the_ssr_rules_want_a_finished_track",),
    "D9": ("test_metrics.py::test_missing_and_failed_attempts_stay_in_the_denominator",),
    "D10": (
        "test_metrics.py::test_missing_and_failed_attempts_stay_in_the_denominator",
        "test_runner.py::test_a_failing_request_is_an_error_record_and_the_rest_goes_on",
        "test_grading.py::test_a_failed_attempt_has_no_answer_by_the_rule_attempt_error",
    ),
    "D11": (
        "test_every_reasoner.py::TestSpec::test_changed_settings_are_refused_with_the_difference",
        "test_runner.py::test_a_changed_setting_is_refused_with_the_difference",
    ),
    "D12": (
        (
            "spec_list/test_anchors_of_tracks.py::"
            "test_a14_every_kind_of_problem_is_asked_about_a_pool_of_every_size"
        ),
    ),
}


Test = ast.FunctionDef | ast.AsyncFunctionDef


def classes_of(body: list[ast.stmt]) -> dict[str, ast.ClassDef]:
    """The classes of a module by name."""
    return {one.name: one for one in body if isinstance(one, ast.ClassDef)}


def members(one: ast.ClassDef, known: dict[str, ast.ClassDef]) -> Iterator[ast.stmt]:
    """What stands in a class and in those that it inherits from."""
    for base in one.bases:
        if isinstance(base, ast.Name) and base.id in known:
            yield from members(known[base.id], known)
    yield from one.body


def named_tests(file: Path) -> dict[str, Test]:
    """The tests of a file by the names that pytest collects them under, inherited ones too."""
    body = ast.parse(file.read_text()).body
    known = classes_of(body)
    for contract in CONTRACTS:
        known |= classes_of(ast.parse(contract.read_text()).body)
    inside = [
        (f"{name}::", node)
        for name, one in classes_of(body).items()
        if name.startswith("Test")
        for node in members(one, known)
    ]
    return {
        prefix + node.name: node
        for prefix, node in [("", node) for node in body] + inside
        if isinstance(node, Test) and node.name.startswith("test")
    }


def node_ids(code: str) -> list[str]:
    """The tests of an entry as pytest is asked for them."""
    elsewhere = [f"{TESTS}/{name}" for name in COVERED_BY.get(code, ())]
    return elsewhere + [f"{TESTS}/{name}" for name in by_code().get(code, {})]


def by_code() -> dict[str, dict[str, Test]]:
    """The tests of this folder by the code that their names begin with."""
    found: dict[str, dict[str, Test]] = {}
    for file in Path(__file__).parent.glob("test_*.py"):
        for name, test in named_tests(file).items():
            if match := re.match(r"test_([ad][0-9]+)_", name):
                tests = found.setdefault(match[1].upper(), {})
                tests[f"{file.parent.name}/{file.name}::{name}"] = test
    return found


def what_is_weak(test: Test, file: Path) -> str | None:
    """Why a test can hardly fail; None where it asserts something and is always run."""
    if any(word in ast.dump(mark) for mark in test.decorator_list for word in ("skip", "xfail")):
        return "it may be skipped"
    calls = [node.func for node in ast.walk(test) if isinstance(node, ast.Call)]
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    helpers = [
        node
        for node in ast.parse(file.read_text()).body
        if isinstance(node, Test) and node.name in called
    ]
    asserts = [
        node for one in [test, *helpers] for node in ast.walk(one) if isinstance(node, ast.Assert)
    ]
    for one in asserts:
        if isinstance(one.test, ast.Constant):
            return "it asserts a constant"
        if isinstance(one.test, ast.Compare):
            sides = [ast.dump(side) for side in (one.test.left, *one.test.comparators)]
            if len(set(sides)) < len(sides):
                return "it compares a thing with itself"
    return None if asserts or "attr='raises'" in ast.dump(test) else "it asserts nothing"


@pytest.mark.parametrize("code", ENTRIES)
def test_every_entry_has_a_test(code):
    assert COVERED_BY.get(code) or by_code().get(code), ENTRIES[code]


@pytest.mark.parametrize("code", ENTRIES)
def test_the_tests_of_an_entry_exist_are_run_and_assert_something(code):
    weak = {}
    for node_id in node_ids(code):
        file, _, test = node_id.partition("::")
        assert test in named_tests(Path(file)), node_id
        weak[node_id] = what_is_weak(named_tests(Path(file))[test], Path(file))
    assert {name: why for name, why in weak.items() if why is not None} == {}


@pytest.fixture(scope="module")
def broken() -> dict[str, int]:
    """For each entry that is broken on purpose, how its tests ended."""
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "breaking.py")],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": ":".join([str(TESTS), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


def test_the_tests_of_an_entry_fail_when_what_they_hold_is_broken(broken):
    assert len(broken) >= 9
    assert {code: status for code, status in broken.items() if status != 1} == {}


def test_the_list_is_whole_and_no_test_has_a_code_that_is_not_on_it():
    every = {f"A{n}" for n in range(1, 26)} | {f"D{n}" for n in range(1, 16)}
    assert set(ENTRIES) == every
    assert by_code().keys() | COVERED_BY.keys() <= every
