"""Speculative reasoning: what is drafted, scored, kept and rewritten, and when a track stops."""

import asyncio
from dataclasses import replace

import pytest
import spec_world
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

from pipeline.engines.scripted.script import Faults
from pipeline.errors import EngineDead, EngineFailure
from pipeline.records import Stop

CLOSING = ("one\n\n", "two\n\n", "</think>\n\n\\boxed{7}")


def judge(**scores):
    """Scores by a text that the judged chain ends with."""

    def digits(prompt):
        step = said(prompt).removesuffix("Score: ").rstrip("\n").rpartition("\n")[2]
        return peaked(scores.get(step, 9))

    return digits


async def test_good_drafts_are_kept_and_the_target_writes_nothing():
    world = World(draft=telling(*CLOSING))
    track = await world.track()
    assert [step.author for step in track.steps] == ["draft"] * 3
    assert (track.stop, track.answer) == (Stop.FINISHED, "7")
    assert world.target.prompts(scores=False) == []


async def test_a_think_close_is_followed_by_one_last_step_to_the_end():
    track = await World(draft=telling(*CLOSING)).track()
    assert [step.text for step in track.steps] == list(CLOSING)


async def test_text_before_a_think_close_belongs_to_the_last_step():
    texts = ("one\n\n", "so 7\n</think>\n\nIt is\n\n\\boxed{7}")

    def draft(prompt, seed):
        text = prompt.rpartition("assistant: ")[2]
        return (texts[0] + texts[1])[len(text) :]

    track = await World(draft=draft).track()
    assert [step.text for step in track.steps] == list(texts)


async def test_a_rejected_closing_is_rewritten_from_the_same_prefix():
    world = World(
        target=telling("one\n\n", "two\n\n", "really\n\n", "</think>\n\n\\boxed{8}"),
        draft=telling(*CLOSING),
        digits=judge(**{"\\boxed{7}": 0}),
    )
    track = await world.track()
    assert track.steps[2].text == "really\n\n"
    assert track.steps[2].draft_text == "</think>\n\n\\boxed{7}"


async def test_the_ssr_way_removes_the_tag_with_a_note_and_goes_on():
    world = World(draft=telling("one\n\n", "two</think>\n\n", "\\boxed{7}"))
    track = await world.track(steps=StepSettings(think_close="removed"))
    assert [step.text for step in track.steps] == ["one\n\n", "two\n\n", "\\boxed{7}"]
    assert "removed" in track.steps[1].notes[0]


async def test_a_rejected_draft_is_recorded_and_never_seen_again():
    world = World(
        target=telling("t1\n\n", "t2\n\n"),
        draft=telling("bad\n\n", *CLOSING[1:]),
        digits=judge(bad=6),
    )
    track = await world.track()
    first = track.steps[0]
    assert (first.text, first.author, first.draft_text, first.score) == (
        "t1\n\n",
        "target",
        "bad\n\n",
        6.0,
    )
    later = [text for text, _ in world.draft.asked[1:] + world.target.asked[1:]]
    assert not any("bad" in text for text in later)


@pytest.mark.parametrize(("digit", "author"), [(7, "draft"), (6, "target"), (9, "draft")])
async def test_a_score_at_the_threshold_is_enough(digit, author):
    world = World(target=telling(*CLOSING), draft=telling(*CLOSING), digits=always(digit))
    assert (await world.track()).steps[0].author == author


async def test_digits_without_mass_reject_and_are_flagged():
    world = World(
        target=telling(*CLOSING), draft=telling(*CLOSING), digits=lambda _: peaked(9, 0.3)
    )
    track = await world.track()
    assert track.steps[0].author == "target"
    assert "score not parsed" in track.steps[0].notes[0]


async def test_the_first_steps_are_the_targets_and_have_no_score():
    world = World(target=telling(*CLOSING), draft=telling(*CLOSING))
    track = await world.track(steps=StepSettings(first_n_steps_base_model=2))
    assert [(step.author, step.score) for step in track.steps] == [
        ("target", None),
        ("target", None),
        ("draft", 9.0),
    ]


@pytest.mark.parametrize(
    ("draft", "budget", "stop", "answer"),
    [
        (telling("a\n\n", "b\n\n", "it is \\boxed{3}\n\n"), 900, Stop.FINISHED, "3"),
        (telling("I will have boxed it\n\n", "b\n\n", "the end"), 900, Stop.FINISHED, "the end"),
        (telling("a \\boxed{\n\n", "b\n\n", "b\n\n"), 900, Stop.REPEATED, None),
        (telling("a \\boxed{}\n\n", "b\n\n", "c\n\n", "d\n\n"), 15, Stop.BUDGET, None),
        (telling("a\n\n", "again\n\n"), 900, Stop.REPEATED, None),
        (telling("a\n\n", "again\n\n"), 17, Stop.REPEATED, None),
        (telling("a\n\n", "b\n\n", "\\boxed{3}\n\n"), 17, Stop.FINISHED, "3"),
        (telling("aaaaaaaaaaaaaaaaaa"), 5, Stop.BUDGET, None),
        (telling("\\boxed{1}\n\n", "\\boxed{2}"), 900, Stop.FINISHED, "1"),
    ],
)  # fmt: skip
async def test_why_a_track_stops_and_what_it_answers(draft, budget, stop, answer):
    track = await World(draft=draft).track(token_budget=budget)
    assert (track.stop.value, track.answer) == (stop.value, answer)
    assert sum(step.tokens for step in track.steps) <= budget


async def test_the_last_box_of_a_chain_is_its_answer():
    draft = telling("a\n\n", "</think>\n\n\\boxed{1}, no: \\boxed{\\frac{2}{3}}")
    assert (await World(draft=draft).track()).answer == "\\frac{2}{3}"


async def test_a_letter_in_passing_does_not_end_a_choice():
    world = World(draft=telling("x is 14 (B)\n\n", "</think>\n\n\\boxed{B}"), kind="choice")
    track = await world.track()
    assert (len(track.steps), track.answer) == (2, "B")


async def test_a_full_context_is_a_length_stop_with_a_note():
    world = World(draft=telling(*(f"step {n}\n\n" for n in range(90))), context=150)
    track = await world.track()
    assert track.stop is Stop.LENGTH
    assert "context" in track.notes[0]


LONG = (*(f"step {n}\n\n" for n in range(30)), "</think>\n\n\\boxed{7}")


@pytest.mark.parametrize("reasoner", ["spec", "spec-async"])
async def test_when_the_drafts_context_is_full_the_target_goes_on_alone_with_a_note(reasoner):
    world = World(target=telling(*LONG), draft=telling(*LONG), draft_context=150)
    track = await world.track(reasoner)
    assert (track.stop, track.answer) == (Stop.FINISHED, "7")
    assert "".join(step.text for step in track.steps) == "".join(LONG)
    authors = [step.author for step in track.steps]
    kept = authors.index("target")
    assert kept > 0
    assert authors[kept:] == ["target"] * (len(LONG) - kept)
    assert track.notes == (
        f"from step {kept} on the target wrote alone: the draft's context is full",
    )
    assert track.steps[kept].notes == ("no draft: the draft's context is full",)
    longest = max(len(ids) for ids in world.draft.ids)
    assert len(world.draft.ids) <= kept + 2, f"asked again after {longest} tokens"


@pytest.mark.parametrize("reasoner", ["spec", "spec-async"])
@pytest.mark.parametrize("sign", ["é", "€", "😀"])
async def test_a_step_cut_by_its_length_never_splits_a_character(reasoner, sign):
    text = "".join(f"{n}{sign * 5}" for n in range(99)) + "\n\n\\boxed{1}"
    world = World(draft=lambda prompt, seed: text[len(said(prompt)) :])
    track = await world.track(reasoner)
    assert "".join(step.text for step in track.steps) == text
    assert not any("\ufffd" in prompt for prompt, _ in world.draft.asked + world.target.asked)


async def test_a_broken_character_that_the_model_wrote_stays():
    text = "x" * 511 + "\ufffd" * 9 + "\n\n\\boxed{1}"
    world = World(draft=lambda prompt, seed: text[len(said(prompt)) :])
    assert "".join(step.text for step in (await world.track()).steps) == text


async def test_a_baseline_cut_by_its_budget_does_not_end_in_a_broken_character():
    [track] = (await World(target=telling("x" + "€" * 9)).reason("baseline", token_budget=9)).tracks
    assert (track.steps[0].text, track.stop) == ("x€€", Stop.BUDGET)


async def test_chains_may_be_longer_than_sixteen_steps():
    draft = telling(*(f"step {n}\n\n" for n in range(40)), "\\boxed{1}")
    assert len((await World(draft=draft).track()).steps) == 41


async def test_every_score_is_one_greedy_token_right_after_the_step():
    world = World(draft=telling(*CLOSING))
    await world.track()
    asked = [one for one in world.target.asked if one[1].logprobs_of]
    assert [text.endswith("\n\nScore: ") for text, _ in asked] == [True] * 3
    assert {(s.max_tokens, s.temperature, len(s.logprobs_of)) for _, s in asked} == {(1, 0.0, 10)}


@given(salt=st.integers(0, 10**6), threshold=st.sampled_from([0.0, 7.0, 8.5]))
@settings(max_examples=60, deadline=None)
async def test_prompts_are_append_only_and_ids_are_passed_back(salt, threshold):
    world = World(target=wild(salt), draft=wild(salt + 1), digits=always(8))
    track = await world.track(steps=StepSettings(score_threshold=threshold), token_budget=600)
    chain = "".join(step.text for step in track.steps)
    opening = world.draft.asked[0][0]
    for text, sampling in world.draft.asked + world.target.asked:
        accepted = text.removeprefix(opening)
        assert text.startswith(opening)
        if not sampling.logprobs_of and not accepted.endswith("</think>\n\n"):
            assert chain.startswith(accepted)


class TestEnginesThatFail:
    async def test_a_failing_draft_request_is_written_by_the_target(self):
        world = World(
            target=telling(*CLOSING),
            draft=telling(*CLOSING),
            draft_faults=Faults(fail=frozenset({2})),
        )
        track = await world.track()
        assert [step.author for step in track.steps] == ["draft", "target", "draft"]
        assert "no draft" in track.steps[1].notes[0]

    async def test_a_dead_draft_is_not_hidden(self):
        world = World(draft=telling(*CLOSING), draft_faults=Faults(die=frozenset({2})))
        with pytest.raises(EngineDead, match="the script made it die"):
            await world.track()

    async def test_a_failing_target_fails_the_attempt_with_one_track(self):
        world = World(draft=telling(*CLOSING), faults=Faults(fail=frozenset({2})))
        with pytest.raises(EngineFailure, match="request 2 fail"):
            await world.track()

    async def test_a_failed_track_does_not_sink_the_others(self):
        world = World(draft=telling(*CLOSING), faults=Faults(fail=frozenset({2})))
        outcome = await world.reason(tracks=three_tracks())
        stops = sorted(track.stop.value for track in outcome.tracks)
        assert stops == ["error", "finished", "finished"]
        assert (outcome.answer, len(outcome.vote.excluded)) == ("7", 1)

    async def test_a_hanging_draft_is_given_up_in_time(self, monkeypatch):
        monkeypatch.setattr(
            spec_world, "SETTINGS", replace(spec_world.SETTINGS, request_timeout=0.01)
        )
        world = World(
            target=telling(*CLOSING),
            draft=telling(*CLOSING),
            draft_faults=Faults(hang=frozenset({1})),
        )
        assert "not finished within 0.01 s" in (await world.track()).steps[0].notes[0]


class TestDraftingAhead:
    @given(
        salt=st.integers(0, 10**6),
        hurry=st.integers(0, 10**6),
        haste=st.tuples(st.integers(0, 4), st.booleans()),
        first=st.integers(0, 2),
        room=st.tuples(st.integers(1, 400), st.sampled_from([1_000_000, 120, 200, 300])),
    )
    @settings(max_examples=150, deadline=None)
    async def test_gives_exactly_the_tracks_of_spec(self, salt, hurry, haste, first, room):
        budget, draft_context = room

        def world(hurry):
            author, draft, judge = wild(salt), wild(salt + 1), moody(salt)
            return World(
                target=author, draft=draft, digits=judge, hurry=hurry, draft_context=draft_context
            )

        one_by_one = StepSettings(first_n_steps_base_model=first)
        ahead = replace(one_by_one, lookahead=haste[0], rewrite_ahead=haste[1])
        plain = await world(None).reason("spec", None, one_by_one, token_budget=budget)
        fast = await world(hurry).reason("spec-async", None, ahead, token_budget=budget)
        assert spoken(fast) == spoken(plain)
        assert (fast.answer, fast.response) == (plain.answer, plain.response)

    @pytest.mark.parametrize("failing", [{1}, {3}, {2, 4}])
    async def test_a_failing_draft_changes_nothing_about_the_rest(self, failing):
        world = World(
            target=telling(*CLOSING),
            draft=telling(*CLOSING),
            draft_faults=Faults(fail=frozenset(failing)),
        )
        track = await world.track("spec-async", StepSettings(lookahead=2))
        assert "".join(step.text for step in track.steps) == "".join(CLOSING)

    async def test_a_rejection_drops_what_was_built_on_it(self):
        world = World(
            target=telling("t1\n\n", *CLOSING[1:]), draft=telling(*CLOSING), digits=judge(one=2)
        )
        track = await world.track("spec-async", StepSettings(lookahead=3))
        assert [step.author for step in track.steps] == ["target", "draft", "draft"]
        assert world.ledger.usage()["draft"]["draft_dropped"].generated > 0

    async def test_a_rejected_step_is_being_rewritten_already(self):
        world = World(
            target=telling("t1\n\n", *CLOSING[1:]), draft=telling(*CLOSING), digits=judge(one=2)
        )
        track = await world.track("spec-async", StepSettings(rewrite_ahead=True))
        assert [step.author for step in track.steps] == ["target", "draft", "draft"]
        # A score and an own step for every draft, whatever becomes of it.
        writes = [request.max_tokens > 1 for _, request in world.target.asked]
        assert writes[:4] == [False, True, False, True]

    async def test_goes_on_drafting_while_a_score_is_awaited(self):
        world = World(
            draft=telling(*CLOSING[:2], "3\n\n", "4\n\n"), faults=Faults(hang=frozenset({1}))
        )
        task = asyncio.create_task(world.track("spec-async", StepSettings(lookahead=2)))
        while len(world.draft.answered) < 3 or len(world.target.answered) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (len(world.draft.asked), world.target.cancelled) == (3, 1)
        assert world.ledger.usage()["draft"]["draft_dropped"].generated == sum(
            len(one.token_ids) for one in world.draft.answered
        )

    @pytest.mark.parametrize("salt", [0, 1, 2])
    async def test_cancelling_it_at_any_moment_leaves_no_request_behind(self, salt):
        moment, ended = 0, False
        while not ended:
            world = World(target=wild(salt), draft=wild(salt), digits=moody(salt), hurry=salt)
            steps = StepSettings(lookahead=2, rewrite_ahead=True)
            task = asyncio.create_task(world.track("spec-async", steps, token_budget=150))
            for _ in range(moment):
                await asyncio.sleep(0)
            ended = task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            moment += 1
        assert moment > 50
