"""Anchors A4 to A18 and A24: what tracks ask of the models, and what stands in their records."""

import math
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_world import (
    StepSettings,
    World,
    always,
    moody,
    peaked,
    said,
    spoken,
    telling,
    three_tracks,
    wild,
)

from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.scripted.tokenizer import END_ID, ByteTokenizer
from pipeline.problems.prompting import guidance_text, open_prompt_set
from pipeline.reasoners.complete_answer import AnswerForm, ends_track
from pipeline.reasoners.selection import UNKNOWN
from pipeline.reasoners.step_ends import Written, stop_after
from pipeline.reasoners.vote_rules import ssr_mean_score
from pipeline.records import Stop

CLOSING = ("one\n\n", "two\n\n", "</think>\n\n\\boxed{7}")
SPECULATIVE = ("spec", "spec-async", "spec-methods")
POOLS = (6, 9, 12, 15)
GUIDANCE = {
    "roles": ("direct", "insightful", "systematic"),
    "methods": ("algebraic-simplification", "substitution", "coordinates"),
}
TIPS = {
    name: guidance_text(open_prompt_set("pocket"), group, name)
    for group, names in GUIDANCE.items()
    for name in names
}


def steps_of(requests):
    """The requests that write a step, not an answer and not a score."""
    return [(text, sampling) for text, sampling in requests if sampling.stop]


async def test_a4_a_step_ends_at_a_blank_line_or_512_tokens_and_is_sampled_at_06_and_095():
    world = World(target=telling(*CLOSING), draft=telling("d\n\n", *CLOSING[1:]), digits=always(0))
    await world.track()
    asked = steps_of(world.draft.asked + world.target.asked)
    limits = {(one.max_tokens, one.temperature, one.top_p, one.stop) for _, one in asked}
    assert limits == {(512, 0.6, 0.95, ("\n\n",))}


async def test_a4_a_step_that_was_cut_says_length_and_goes_on_as_the_next_step():
    text = "x" * 600 + "\n\n\\boxed{1}"
    world = World(draft=lambda prompt, seed: text[len(said(prompt)) :])
    track = await world.track()
    assert [(step.tokens, step.finish) for step in track.steps] == [
        (512, "length"),
        (90, "stop"),
        (10, "stop"),
    ]
    assert "".join(step.text for step in track.steps) == text


async def test_a5_a_digit_that_the_engine_does_not_tell_of_counts_nothing():
    world = World(target=telling(*CLOSING), draft=telling(*CLOSING))
    world.target.engine._logprobs = lambda prompt, ids: {ord("2"): -2.0} if ids else None
    track = await world.track()
    assert {step.author for step in track.steps} == {"target"}
    assert all("score not parsed" in step.notes[0] for step in track.steps)


async def test_a7_a_rewrite_begins_where_the_rejected_draft_began():
    target = telling("t1\n\n", "t2\n\n", "\\boxed{7}\n\n")
    world = World(target=target, draft=telling("bad\n\n"), digits=always(0))
    await world.track()
    rewritten = [text for text, _ in steps_of(world.target.asked)]
    assert rewritten == [text for text, _ in steps_of(world.draft.asked)]
    assert len(rewritten) == 3
    assert not any("bad" in text for text in rewritten)


def written(text="so \\boxed{3}\n\n", *, full=True):
    return Written("draft", text, (), 1, 0.0, "length", ended=False, context_full=full)


@pytest.mark.parametrize(
    ("last", "before", "left", "stop"),
    [
        (written(), "so \\boxed{3}\n\n", 0, Stop.FINISHED),
        (written("again\n\n"), "again\n\n", 0, Stop.REPEATED),
        (written("other\n\n"), "again\n\n", 0, Stop.BUDGET),
        (written("other\n\n"), "again\n\n", 1, Stop.LENGTH),
        (written("other\n\n", full=False), "again\n\n", 1, None),
    ],
)
def test_a10_of_all_reasons_to_stop_that_hold_the_first_is_recorded(last, before, left, stop):
    answered = ends_track(last.text, AnswerForm("integer"), thinking=False)
    assert stop_after(("first\n\n", before, last.text), last, left, answered=answered) is stop


async def test_a10_the_budget_counts_accepted_tokens_and_the_ledger_the_rest():
    target = telling(*(f"step {n}\n\n" for n in range(9)))
    world = World(target=target, draft=telling("a rejected draft\n\n"), digits=always(0))
    track = await world.track(token_budget=20)
    usage = world.ledger.usage()
    assert (track.stop, sum(step.tokens for step in track.steps)) == (Stop.BUDGET, 20)
    assert usage["draft"]["draft_dropped"].generated > 20
    assert usage["target"]["verify"].generated == len(track.steps)


@pytest.mark.parametrize(
    ("reasoner", "prompts"),
    [
        ("spec", "roles"),
        ("spec", "methods"),
        ("spec-async", "roles"),
        ("spec-async", "methods"),
        ("spec-methods", "methods"),
    ],
)
async def test_a12_drafts_scores_and_rewrites_of_a_track_see_its_own_tip_only(reasoner, prompts):
    """Every author names the tip it was given; the judge compares it with its own prompt's."""
    judged = []

    def tip_in(prompt):
        [name] = [name for name in GUIDANCE[prompts] if TIPS[name] in prompt]
        return name

    def author(prompt, seed):
        number, name = said(prompt).count("\n\n"), tip_in(prompt)
        return f"{number} by {name}\n\n" if number < 4 else f"\\boxed{{1}} by {name}"

    def judge(prompt):
        if any(f" by {name}" in prompt for name in TIPS):
            judged.append(f" by {tip_in(prompt)}" in said(prompt))
        return peaked(9 if said(prompt).count("\n\n") % 2 else 2)

    world = World(target=author, draft=author, digits=judge)
    outcome = await world.reason(reasoner, three_tracks(prompts=prompts))
    assert [track.role or track.method for track in outcome.tracks] == list(GUIDANCE[prompts])
    for track, name in zip(outcome.tracks, GUIDANCE[prompts], strict=True):
        assert {step.author for step in track.steps} == {"draft", "target"}
        assert all(f" by {name}" in step.text for step in track.steps)
        assert all(f" by {name}" in (step.draft_text or step.text) for step in track.steps)
    assert len(judged) > 6
    assert all(judged)


def with_letters(world, **probabilities):
    """Let the target give letters these probabilities, and the others next to none."""

    def logprobs(prompt, ids):
        if ids and ids[0] == ord("A"):
            shares = {ord(letter): share for letter, share in probabilities.items()}
            return {one: math.log(shares.get(one, 1e-9)) for one in ids}
        return dict.fromkeys(ids, math.log(0.1)) if ids else None

    world.target.engine._logprobs = logprobs
    return world


async def test_a14_the_likeliest_letters_are_chosen_and_unknown_as_often_as_it_leads():
    world = with_letters(World(draft=telling(*CLOSING)), D=0.5, M=0.3, B=0.1)
    outcome = await world.reason("spec-methods", three_tracks(prompts="methods"))
    assert [track.id for track in outcome.tracks] == ["D1", "M1", "M2"]
    assert outcome.selection.chosen == ("complex-numbers", UNKNOWN, UNKNOWN)
    assert outcome.selection.distributions[0][3] == pytest.approx(0.5)
    assert {one.temperature for _, one in world.target.asked if one.logprobs_of} == {0.0}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    ("kind", "choices"),
    [("integer", ()), ("latex", ()), ("choice", ("red", "green", "blue", "grey"))],
)
async def test_a14_every_kind_of_problem_is_asked_about_a_pool_of_every_size(pool, kind, choices):
    world = World(draft=telling(*CLOSING), kind=kind, choices=choices, prompts="standard")
    tracks = three_tracks(prompts="methods", method_pool=pool)
    outcome = await world.reason("spec-methods", tracks)
    question = world.target.asked[0][0]
    listed = question.partition("available:")[2]
    letters = [line[0] for line in listed.splitlines() if line[1:3] == ". "]
    assert "".join(letters) == "ABCDEFGHIJKLMNOP"[: pool + 1]
    assert all(choice in question for choice in choices)
    assert outcome.selection.chosen == outcome.selection.pool[:3]
    assert [track.id for track in outcome.tracks] == ["A1", "B1", "C1"]


async def test_a14_a_letter_whose_probability_is_no_number_is_taken_last_and_recorded_as_zero():
    world = with_letters(World(draft=telling(*CLOSING)), A=math.nan, B=0.5, C=0.2)
    outcome = await world.reason("spec-methods", three_tracks(prompts="methods"))
    assert [track.id for track in outcome.tracks][:2] == ["B1", "C1"]
    assert outcome.selection.distributions[0][:2] == (0.0, 0.5)


async def test_a18_the_fields_of_the_ssr_records_follow_from_a_step():
    world = World(
        target=telling("t1\n\n"),
        draft=telling("a draft\n\n", "two\n\n", "\\boxed{7}"),
        digits=lambda prompt: peaked(3 if said(prompt).startswith("a draft") else 8),
    )
    track = await world.track()
    rewritten, kept, _ = track.steps
    assert [step.draft_text is not None for step in track.steps] == [True, False, False]
    assert (rewritten.draft_text, rewritten.draft_tokens) == ("a draft\n\n", 9)
    assert (rewritten.text, rewritten.tokens, rewritten.score) == ("t1\n\n", 4, 3.0)
    assert (kept.text, kept.tokens, kept.score, kept.author) == ("two\n\n", 5, 8.0, "draft")
    assert ssr_mean_score(track) == pytest.approx((9 + 8 + 8) / 3)
    assert sum(step.author == "target" for step in track.steps) / len(track.steps) == 1 / 3


@pytest.mark.parametrize("digit", [2, 9])
async def test_a24_score_rewrite_and_next_draft_share_all_but_the_tail_of_their_ids(digit):
    authors = {"target": telling(*CLOSING), "draft": telling(*CLOSING)}
    world = World(**authors, digits=always(digit))
    track = await world.track("spec", StepSettings())
    encode = world.target.tokenizer.encode
    question, prefix = encode("Score: "), world.draft.ids[0]
    scores = [
        ids
        for ids, (_, one) in zip(world.target.ids, world.target.asked, strict=True)
        if one.logprobs_of
    ]
    for step, ids in zip(track.steps, scores, strict=True):
        tail = encode(step.text if step.text.endswith("\n\n") else f"{step.text}\n\n")
        assert ids == (*prefix, *tail, *question)
        prefix += tuple(encode(step.text))


class Backwards(ByteTokenizer):
    """Another vocabulary: the bytes counted from the other end."""

    @property
    def fingerprint(self):
        return "backwards"

    def encode(self, text):
        return [255 - one if one < END_ID else one for one in super().encode(text)]

    def decode(self, token_ids):
        return super().decode([255 - one if one < END_ID else one for one in token_ids])


@pytest.mark.parametrize("think_close", ["answer", "removed"])
@pytest.mark.parametrize("reasoner", ["spec", "spec-async"])
@given(salt=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
async def test_a24_with_two_vocabularies_each_model_reads_the_same_text_in_its_own_ids(
    reasoner, think_close, salt
):
    outcomes = []
    for tokenizer in (ByteTokenizer(), Backwards()):
        world = World(target=wild(salt), draft=wild(salt + 1), digits=moody(salt))
        world.draft.engine._tokenizer = tokenizer
        steps = StepSettings(think_close=think_close)
        outcomes.append(spoken(await world.reason(reasoner, None, steps, token_budget=300)))
    assert outcomes[0] == outcomes[1]


def test_a24_no_request_can_ask_for_prompt_logprobs():
    assert not [one.name for one in fields(SamplingRequest) if "prompt" in one.name]
