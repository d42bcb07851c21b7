"""Answers at several thinking budgets from one run: those of runs with each budget alone."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_world import SETTINGS, Watched, number
from test_thinking_budget import AFTER_CLOSE, CLOSE, CLOSED, COMMAND, ITS_OWN, here, run

from pipeline import reasoners
from pipeline.engines.scripted.script import Script
from pipeline.experiment import Experiment
from pipeline.ledger import Ledger
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import open_prompt_set, task_prompt
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import ThinkingLimit, TrackSettings
from pipeline.records import Attempt
from pipeline.review.budgets import attempt_at
from pipeline.runs.directory import read_attempts, read_manifest
from speclrm_testing.commands import speclrm
from speclrm_testing.reasoner_contract import timeless

__all__ = ["here"]

STANDARD = open_prompt_set("standard")
PROBLEM = Problem("mine", "1", "1", (), "1+1?", "2", "integer", (), (), None)
PROMPT = replace(task_prompt(STANDARD, PROBLEM, ""), text="1+1?")
PIECES = ("so ", "é", "日本", "</think>", "\n</think>\n\n", "\\boxed{2}", "\\boxed{3}", "\n\n", "x")
RULES = ITS_OWN, ("I have to give the solution", AFTER_CLOSE), ("1+1?", CLOSED)


def solved(reasoner: str, limit: ThinkingLimit, salt: int, context: int) -> Attempt:
    """An attempt on a script of chance, which is a function of prompt and seed."""

    def continuation(prompt: str, seed: int) -> str:
        draws = [number(salt, prompt, seed, place) for place in range(1 + number(salt, prompt) % 9)]
        return "".join(PIECES[draw % len(PIECES)] for draw in draws)

    async def attempt() -> Attempt:
        sections = (TrackSettings(tracks=2), limit) if reasoner == "parallel" else (limit,)
        experiment = Experiment(
            reasoner, SETTINGS, thinking="on", token_budget=60, sections=sections
        )
        engine, ledger = Watched(Script(continuation=continuation, context=context)), Ledger()
        await engine.start()
        assignment = Assignment(experiment, PROBLEM, PROMPT, STANDARD, 0, engine, None, ledger)
        found = await reasoners.entry(reasoner).solve(assignment)
        blank = Attempt(
            *("mine", "1", 0, 0, reasoner, "ok", "2", "integer", (), None),
            *(found.tracks, found.vote, found.response, found.answer, ledger.usage(), None, None),
        )
        return timeless(blank)

    return asyncio.run(attempt())


@given(
    st.sampled_from(["baseline", "parallel"]),
    st.lists(st.integers(1, 40), min_size=2, max_size=4, unique=True).map(sorted),
    st.integers(0, 2),
    st.integers(0, 10**6),
    st.sampled_from([60, 90, 10_000]),
)
@settings(max_examples=60, deadline=None)
def test_each_budget_of_a_run_is_the_run_with_that_budget_alone(
    reasoner, budgets, waits, salt, context
):
    several = solved(
        reasoner, ThinkingLimit(budgets[-1], waits, tuple(budgets[:-1])), salt, context
    )
    for budget in budgets:
        alone = solved(reasoner, ThinkingLimit(budget, waits), salt, context)
        assert timeless(attempt_at(several, budget)) == alone


def test_thinking_is_written_once_and_only_answers_to_other_thinking_are_asked_for(here):
    _, attempt = run(*RULES, options="--thinking-budget 9,20,100")
    [track] = attempt.tracks
    tokens, answered = attempt.usage["target"], len(AFTER_CLOSE) + 1
    assert (tokens["plain"].requests, tokens["plain"].generated) == (2, 49 + 15)
    assert (tokens["early"].requests, tokens["early"].generated) == (2, 2 * answered)
    assert [one.budget for one in track.early] == [9, 20]
    assert all(one.steps[-1].text == AFTER_CLOSE for one in track.early)


def test_who_stops_thinking_within_a_smaller_budget_is_asked_nothing_more(here):
    _, attempt = run(("1+1?", CLOSED), options="--thinking-budget 60,70,100")
    assert "early" not in attempt.usage["target"]
    for early in attempt.tracks[0].early:
        assert (early.whole_steps, early.steps, early.answer) == (2, (), "2")


def test_smaller_budgets_are_part_of_the_identity_only_where_they_are_set(here):
    run(*RULES, options="--thinking-budget 9,20")
    assert read_manifest(Path("baseline"))["identity"]["think_budget"] == {
        "tokens": 20,
        "waits": 0,
        "early": [9],
    }
    resumed = speclrm(COMMAND.format("baseline", "--thinking on --thinking-budget 9,20"))
    assert (resumed.code, "1 already recorded" in resumed.err + resumed.out) == (0, True)
    refused = speclrm(COMMAND.format("baseline", "--thinking on --thinking-budget 20"))
    assert "think_budget.early: [9] recorded, none asked" in refused.sentence


def test_replay_shows_each_budget_as_a_run_with_its_interval_and_its_own_cost(here):
    wrong = f"{CLOSED[:9]}{CLOSE}", "\\boxed{7}"
    run(wrong, *RULES, options="--thinking-budget 9,20,100")
    found = json.loads(speclrm("replay baseline --format json").out)
    assert [(one["run"], one["accuracy"], one["target_tokens"]) for one in found] == [
        ("baseline-budget-009", 0.0, 9 + 10),
        ("baseline-budget-020", 1.0, 20 + len(AFTER_CLOSE) + 1),
        ("baseline-budget-100", 1.0, 49 + 15),
    ]
    rows = re.findall(r"baseline-budget-(\d+) .*? ([\d.]+%)", speclrm("replay baseline").out)
    assert rows == [("009", "0.0%"), ("020", "100.0%"), ("100", "100.0%")]


def test_runs_of_each_budget_are_kept_for_other_commands_and_never_over_others(here):
    run(*RULES, options="--thinking-budget 9,20,100 --tracks 2", reasoner="parallel")
    assert speclrm("replay parallel --output-dir kept").code == 0
    [alone] = read_attempts(Path("kept/parallel-budget-020"))
    assert [track.text for track in alone.tracks] == [CLOSED[:20] + CLOSE + AFTER_CLOSE] * 2
    assert alone.vote.winner == "2"
    manifest = read_manifest(Path("kept/parallel-budget-020"))
    assert manifest["identity"]["think_budget"] == {"tokens": 20, "waits": 0}
    assert manifest["replayed_from"] == "parallel"
    assert speclrm("compare kept/parallel-budget-009 kept/parallel-budget-100").code == 0
    refused = speclrm("replay parallel --output-dir kept")
    assert (refused.code, "kept is not empty; choose a new" in refused.sentence) == (2, True)


def test_a_leaderboard_by_budget_has_a_row_and_a_page_has_a_run_for_each(here):
    run(*RULES, options="--thinking-budget 9,100")
    run(*RULES, options="--thinking-budget 9", reasoner="parallel")
    for name in ("baseline", "parallel"):
        assert speclrm(f"grade {name}").code == 0
    said = speclrm("leaderboard baseline parallel --by budget --format json --html page.html")
    assert said.code == 0, said.err
    names = {"baseline-budget-009", "baseline-budget-100", "parallel"}
    assert {row["run"] for row in json.loads(said.out)} == names
    assert all(f'"run":"{name}"' in Path("page.html").read_text() for name in names)
    assert not list(Path().glob("**/*budget-*"))


def test_a_trace_tells_the_answers_at_smaller_budgets(here):
    run(*RULES, options="--thinking-budget 9,100")
    assert "at 9 tokens of thinking (finished): 2" in speclrm("show baseline --problem-id 0").out


def test_a_plan_tells_the_smaller_budgets(here):
    Path("script.json").write_text(json.dumps({"rules": []}))
    said = speclrm(COMMAND.format("baseline", "--dry-run --thinking-budget 9,20,90"))
    assert "then the answer; recorded too: answers at 9 and 20 tokens" in said.out
    assert "on top         each track's answers at 9 and 20 tokens of thinking" in said.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("baseline --thinking-budget 20,9", "each must be larger than the one before it"),
        ("baseline --thinking-budget 9,9", "each must be larger than the one before it"),
        ("baseline --thinking-budget 9,", "'9,'; it must be a whole number of at least 1, or"),
        ("baseline --thinking-budget 9,x", "'9,x'; it must be a whole number"),
        ("baseline --thinking-budget 9,9000", "9000 leaves no token of --token-budget 8192"),
        ("parallel --thinking-budget 9,20 --fast exact", "--fast ends tracks by the votes at the"),
        ("spec --thinking-budget 9,20", "cannot use --thinking-budget"),
        ("baseline --wait 2", "--wait has an effect with --thinking-budget only"),
    ],
)
def test_what_several_budgets_cannot_be_is_refused_before_the_run(here, options, sentence):
    Path("script.json").write_text(json.dumps({"rules": []}))
    reasoner, _, rest = options.partition(" ")
    draft = "--draft-script script.json" if reasoner == "spec" else ""
    said = speclrm(COMMAND.format(reasoner, f"--thinking on {draft} {rest}"))
    assert (said.code, sentence in said.sentence) == (2, True), said.err


def test_blocks_that_are_refined_would_differ_at_each_budget_and_are_refused(here):
    command = "run baseline --engine transformers --decoding refine --dry-run"
    said = speclrm(f"{command} --thinking-budget 9,20")
    assert (said.code, "--decoding refine the last tokens" in said.sentence) == (2, True), said.err


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("leaderboard baseline --by budget", "--by budget needs a run with several thinking"),
        ("replay baseline --output-dir kept", "--output-dir is for runs with several thinking"),
    ],
)
def test_what_needs_several_budgets_says_so(here, command, sentence):
    run(*RULES, options="--thinking-budget 9")
    assert speclrm("grade baseline").code == 0
    said = speclrm(command)
    assert (said.code, sentence in said.sentence) == (2, True), said.err
