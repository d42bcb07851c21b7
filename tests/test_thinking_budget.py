"""Thinking that ends at a limit: the block is closed there, and the model answers."""

import json
import re
from pathlib import Path

import pytest
from test_sampling import MODEL, OLD

from pipeline.experiment import Experiment
from pipeline.problems.prompting import open_prompt_set, thinking_close, thinking_wait
from pipeline.records import Stop
from pipeline.runs import runner
from pipeline.runs.directory import read_attempts, read_manifest
from speclrm_testing.commands import speclrm

STANDARD = open_prompt_set("standard")
CLOSE, WAIT = thinking_close(STANDARD), thinking_wait(STANDARD)
THOUGHT = "a thought of forty letters, no more here"
CLOSED = f"{THOUGHT}\n</think>\n\nso \\boxed{{2}}"
ITS_OWN = ("here\n</think>", "\n\nso \\boxed{2}")
"""What the model says after it has closed the block itself."""
AFTER_CLOSE = "it must be \\boxed{2}"


COMMAND = (
    "run {0} --data-file sums.jsonl --engine scripted --script script.json --output-dir {0} {1}"
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = {"id": "0", "problem": "1+1?", "answer": "2", "kind": "integer"}
    Path("sums.jsonl").write_text(json.dumps(row) + "\n")


def run(*rules: tuple[str, str], options: str, reasoner: str = "baseline", **script: object):
    """Run on a script whose first fitting rule speaks; returns what was said and the attempt."""
    table = [{"when": when, "texts": [text]} for when, text in rules]
    Path("script.json").write_text(json.dumps({"rules": table} | script))
    said = speclrm(COMMAND.format(reasoner, f"--thinking on {options}"))
    assert said.code == 0, said.err
    [attempt] = read_attempts(Path(reasoner))
    return said, attempt


def test_thinking_that_ends_within_the_budget_is_not_touched(here):
    _, attempt = run(ITS_OWN, ("1+1?", CLOSED), options="--thinking-budget 100")
    [track] = attempt.tracks
    assert track.text == attempt.response == CLOSED
    assert [step.text for step in track.steps] == [f"{THOUGHT}\n</think>", "\n\nso \\boxed{2}"]
    assert (track.stop, attempt.answer) == (Stop.FINISHED, "2")
    assert [step.notes for step in track.steps] == [(), ()]


def test_at_the_budget_the_block_is_closed_and_the_model_answers(here):
    rules = ("I have to give the solution", AFTER_CLOSE), ("1+1?", CLOSED)
    _, attempt = run(*rules, options="--thinking-budget 9")
    [track] = attempt.tracks
    assert track.text == attempt.response == THOUGHT[:9] + CLOSE + AFTER_CLOSE
    thinking, answer = track.steps
    assert (thinking.tokens, thinking.finish) == (9, "length")
    assert thinking.notes == ("thinking was closed after 9 tokens: the thinking budget",)
    assert (answer.text, track.stop, attempt.answer) == (AFTER_CLOSE, Stop.FINISHED, "2")


def test_what_the_model_writes_is_counted_and_what_is_put_before_it_is_its_prompt(here):
    rules = ("I have to give the solution", AFTER_CLOSE), ("1+1?", CLOSED)
    _, attempt = run(*rules, options="--thinking-budget 9")
    _, plain = run(("1+1?", CLOSED), options="", reasoner="parallel")
    opened = plain.usage["target"]["plain"].prompt_new / 3
    tokens = attempt.usage["target"]["plain"]
    written = sum(step.tokens for step in attempt.tracks[0].steps)
    assert (tokens.generated, tokens.requests) == (written, 2)
    assert written == 9 + len(AFTER_CLOSE) + 1  # and the end of the text
    put_in = 9 + len(CLOSE)
    assert tokens.prompt_new == 2 * opened + put_in


def test_a_text_that_ends_inside_the_block_is_closed_there(here):
    rules = ("I have to give the solution", AFTER_CLOSE), ("1+1?", THOUGHT)
    _, attempt = run(*rules, options="--thinking-budget 100")
    thinking, answer = attempt.tracks[0].steps
    assert thinking.text == THOUGHT + CLOSE
    assert thinking.notes == ("thinking was closed after 41 tokens: its text ended there",)
    assert answer.text == AFTER_CLOSE


def test_a_model_that_stops_early_is_sent_back_as_often_as_asked(here):
    rules = (
        ("no\n</think>", "\n\n\\boxed{3}"),
        (f"see\n{WAIT}", " no\n</think>\n\nthe end"),
        (f"here\n{WAIT}", " let me see\n</think>\n\nyes, \\boxed{2}"),
        ("1+1?", CLOSED),
    )
    _, attempt = run(*rules, options="--thinking-budget 100 --wait 2")
    [track] = attempt.tracks
    assert [step.text for step in track.steps] == [
        f"{THOUGHT}\n{WAIT}",
        f" let me see\n{WAIT}",
        " no\n</think>",
        "\n\n\\boxed{3}",
    ]
    assert [step.notes for step in track.steps] == [
        ("stopped thinking after 49 tokens and was sent back (1)",),
        ("stopped thinking after 69 tokens and was sent back (2)",),
        (),
        (),
    ]
    assert attempt.answer == "3"


def test_nobody_is_sent_back_beyond_the_budget(here):
    rules = ("I have to give the solution", AFTER_CLOSE), (WAIT, "x" * 500), ("1+1?", CLOSED)
    _, attempt = run(*rules, options="--thinking-budget 60 --wait 9")
    first, second, answer = attempt.tracks[0].steps
    assert (first.tokens, second.tokens) == (49, 11)
    assert second.text == "x" * 11 + CLOSE
    assert answer.text == AFTER_CLOSE


def test_who_stops_with_the_budgets_last_token_is_not_sent_back(here):
    closed = len(f"{THOUGHT}\n</think>")
    options = f"--thinking-budget {closed} --wait 9"
    _, attempt = run(ITS_OWN, ("1+1?", CLOSED), options=options)
    assert attempt.tracks[0].text == CLOSED


def test_the_answer_has_what_is_left_of_the_token_budget(here):
    rules = ("I have to give the solution", "y" * 500), ("1+1?", CLOSED)
    _, attempt = run(*rules, options="--thinking-budget 9 --token-budget 30")
    [track] = attempt.tracks
    assert [step.tokens for step in track.steps] == [9, 21]
    assert (track.stop, attempt.answer) == (Stop.BUDGET, None)


@pytest.mark.parametrize("context", [360, 560, 600])
def test_a_context_that_fills_while_thinking_closing_or_answering_ends_the_track(here, context):
    rules = ("I have to give the solution", "y" * 900), ("1+1?", "x" * 900)
    _, attempt = run(*rules, options="--thinking-budget 120", context=context)
    assert attempt.tracks[0].stop is Stop.LENGTH


def test_a_context_that_is_full_when_the_model_is_sent_back_ends_the_track(here):
    _, attempt = run(("1+1?", THOUGHT), options="", reasoner="baseline")
    context = attempt.usage["target"]["plain"].prompt_new + len(THOUGHT) + 2
    options = "--thinking-budget 100 --wait 1"
    _, attempt = run(("1+1?", THOUGHT), options=options, reasoner="parallel", context=context)
    assert {track.stop for track in attempt.tracks} == {Stop.LENGTH}


def test_every_track_of_parallel_thinks_for_itself_up_to_the_budget(here):
    rules = ("I have to give the solution", AFTER_CLOSE), ("1+1?", CLOSED)
    _, attempt = run(*rules, options="--thinking-budget 9 --tracks 2", reasoner="parallel")
    assert [track.text for track in attempt.tracks] == [THOUGHT[:9] + CLOSE + AFTER_CLOSE] * 2
    assert attempt.vote.winner == "2"


def test_the_limit_is_part_of_the_identity_only_where_it_is_set(here):
    assert runner.reasoners.with_defaults(Experiment("baseline", MODEL)).settings() == OLD
    run(("1+1?", CLOSED), options="")
    identity = read_manifest(Path("baseline"))["identity"]
    assert not any("thinking/" in file for file in identity["prompts"])
    run(("1+1?", CLOSED), options="--thinking-budget 9", reasoner="parallel")
    identity = read_manifest(Path("parallel"))["identity"]
    assert identity["think_budget"] == {"tokens": 9, "waits": 0}
    assert {"thinking/close.j2", "thinking/wait.j2"} <= identity["prompts"].keys()
    refused = speclrm(COMMAND.format("parallel", "--thinking on --thinking-budget 10"))
    assert "think_budget.tokens: 9 recorded, 10 asked" in refused.sentence


def test_a_plan_tells_the_limit(here):
    Path("script.json").write_text(json.dumps({"rules": []}))
    said = speclrm(COMMAND.format("baseline", "--dry-run --thinking-budget 90 --wait 2"))
    line = r"think_budget +90 tokens of thinking, sent back 2 times at most, then the answer"
    assert re.search(line, said.out)


@pytest.mark.parametrize(
    ("reasoner", "options", "sentence"),
    [
        ("baseline", "--wait 2", "--wait has an effect with --thinking-budget only"),
        ("baseline", "--thinking-budget 0", "--thinking-budget is 0; it must be at least 1"),
        ("baseline", "--thinking-budget 9 --wait -1", "-1 is not in the range x>=0"),
        ("baseline", "--thinking-budget 8192", "leaves no token of --token-budget 8192 for the"),
        ("parallel", "--thinking-budget 9 --presence-penalty 1", "a presence penalty forgets"),
        ("baseline", "--thinking-budget 9 --thinking off", "needs a target that thinks"),
        (
            "spec",
            "--thinking-budget 9",
            "cannot use --thinking-budget; drop it, or choose baseline",
        ),
        ("spec-async", "--wait 9", "cannot use --wait; drop it, or choose baseline"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_run(here, reasoner, options, sentence):
    Path("script.json").write_text(json.dumps({"rules": []}))
    draft = "--draft-script script.json" if reasoner.startswith("spec") else ""
    said = speclrm(COMMAND.format(reasoner, f"{draft} {options}"))
    assert said.code == 2
    assert sentence in said.sentence
    assert not Path(reasoner).exists()


def test_texts_that_close_nothing_are_refused(here):
    Path("mine/thinking").mkdir(parents=True)
    Path("mine/thinking/close.j2").write_text("Answer now.")
    Path("script.json").write_text(json.dumps({"rules": []}))
    said = speclrm(COMMAND.format("baseline", "--thinking-budget 9 --prompts mine"))
    assert said.code == 2
    assert "the prompt thinking/close.j2 holds no </think>" in said.sentence
