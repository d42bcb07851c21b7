"""Tracks: independent, each with its own guidance, counted to the last token."""

import asyncio
import contextlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_world import (
    StepSettings,
    TrackSettings,
    World,
    moody,
    spoken,
    telling,
    three_tracks,
    wild,
)

from pipeline.engines.scripted.script import Faults
from pipeline.errors import EngineFailure
from pipeline.problems.prompting import guidance_text, open_prompt_set
from pipeline.records import Stop

HANGS = 60.0
"""Seconds after which an attempt that takes milliseconds hangs."""
SOME = st.frozensets(st.integers(1, 40), max_size=6)
SPECULATIVE = ("spec", "spec-async", "spec-methods")
DONE = telling("a\n\n", "</think>\n\n\\boxed{4}")
TIPS = {
    name: guidance_text(open_prompt_set("pocket"), group, name)
    for group, names in {
        "roles": ("direct", "insightful", "systematic"),
        "methods": ("algebraic-simplification", "substitution", "coordinates"),
    }.items()
    for name in names
}


def tips_seen(world):
    """The names of the tips in each request to either model."""
    texts = [text for text, _ in world.target.asked + world.draft.asked]
    return [tuple(name for name, tip in TIPS.items() if tip in text) for text in texts]


@pytest.mark.parametrize("reasoner", ["parallel", "spec", "spec-async"])
async def test_each_role_stands_in_its_own_tracks_requests_only(reasoner):
    world = World(target=DONE, draft=DONE)
    outcome = await world.reason(reasoner, three_tracks(prompts="roles"))
    assert [track.role for track in outcome.tracks] == ["direct", "insightful", "systematic"]
    assert set(tips_seen(world)) == {("direct",), ("insightful",), ("systematic",)}


@pytest.mark.parametrize("reasoner", ["parallel", *SPECULATIVE])
async def test_each_method_stands_in_its_own_tracks_requests_only(reasoner):
    world = World(target=DONE, draft=DONE)
    outcome = await world.reason(reasoner, three_tracks(prompts="methods"))
    methods = [track.method for track in outcome.tracks]
    assert len(set(methods)) == 3
    seen = Counter(tips_seen(world))
    assert seen[()] == 3  # the method question, once a letter
    assert set(seen) == {(), *((method,) for method in methods)}


async def test_same_prompts_differ_by_their_seeds_only():
    world = World(target=DONE)
    await world.reason("parallel", three_tracks())
    assert len({text for text, _ in world.target.asked}) == 1
    assert len({sampling.seed for _, sampling in world.target.asked}) == 3


async def test_the_first_parallel_track_is_the_baseline():
    [alone] = (await World(target=wild(3)).reason("baseline")).tracks
    first = (await World(target=wild(3)).reason("parallel", three_tracks())).tracks[0]
    assert (first.steps[0].text, first.answer) == (alone.steps[0].text, alone.answer)


@pytest.mark.parametrize("reasoner", ["parallel", *SPECULATIVE])
async def test_no_track_waits_for_another(reasoner):
    """The first track's first request is never answered; the others go to their ends and agree."""
    hung = Faults(hang=frozenset({1}))
    alone = reasoner == "parallel"
    author = telling("\\boxed{4}")
    world = World(
        target=author,
        draft=author,
        faults=hung if alone else None,
        draft_faults=None if alone else hung,
    )
    prompts = "methods" if reasoner == "spec-methods" else "same"
    settings = three_tracks(prompts=prompts, fast="2")
    outcome = await asyncio.wait_for(world.reason(reasoner, settings), HANGS)
    stops = [track.stop for track in outcome.tracks]
    assert stops == [Stop.CANCELLED, Stop.FINISHED, Stop.FINISHED]
    assert (outcome.answer, world.target.cancelled + world.draft.cancelled) == ("4", 1)


class TestChoosingMethods:
    async def test_the_targets_distribution_over_the_pool_is_recorded(self):
        outcome = await World(target=DONE, draft=DONE).reason("spec-methods")
        selection = outcome.selection
        assert (selection.by, len(selection.pool), selection.pool[-1]) == ("model", 13, "unknown")
        assert [len(one) for one in selection.distributions] == [13] * 3
        assert [track.method for track in outcome.tracks] == list(selection.chosen)

    @pytest.mark.parametrize("pool", [6, 9, 12, 15])
    @pytest.mark.parametrize("count", [1, 3, 8])
    async def test_as_many_as_asked_from_every_pool(self, pool, count):
        settings = TrackSettings(tracks=count, prompts="methods", method_pool=pool)
        outcome = await World(target=DONE, draft=DONE).reason("spec-methods", settings)
        chosen = outcome.selection.chosen
        assert len(chosen) == count
        assert len(outcome.selection.pool) == pool + 1
        known = [method for method in chosen if method != "unknown"]
        assert len(set(known)) == len(known)

    async def test_only_the_unknown_method_is_chosen_twice(self):
        settings = TrackSettings(tracks=9, prompts="methods", method_pool=6)
        outcome = await World(target=DONE, draft=DONE).reason("spec-methods", settings)
        ids = [track.id for track in outcome.tracks]
        assert ids == ["A1", "B1", "C1", "D1", "E1", "F1", "G1", "G2", "G3"]

    async def test_a_letter_without_any_probability_is_flagged(self):
        world = World(target=DONE, draft=DONE)
        likely = ord("A")
        world.target.engine._logprobs = lambda prompt, ids: (
            dict.fromkeys(ids, -30.0) | {likely: -0.1}
        )
        selection = (await world.reason("spec-methods")).selection
        assert selection.notes == (
            "letter B at place 2 was chosen without any probability",
            "letter C at place 3 was chosen without any probability",
        )

    async def test_letters_with_probability_are_not(self):
        world = World(target=DONE, draft=DONE)
        world.target.engine._logprobs = lambda prompt, ids: dict.fromkeys(ids, -3.0)
        assert (await world.reason("spec-methods")).selection.notes == ()

    async def test_the_control_same_gives_every_track_the_plain_task(self):
        settings = three_tracks(prompts="methods", selection="same")
        world = World(target=DONE, draft=DONE)
        outcome = await world.reason("spec-methods", settings)
        assert [track.id for track in outcome.tracks] == ["M1", "M2", "M3"]
        assert len({text for text, _ in world.draft.asked if text.endswith("assistant: ")}) == 1
        assert "selection" not in world.ledger.usage()["target"]

    async def test_the_control_random_is_a_function_of_the_attempt(self):
        settings = three_tracks(prompts="methods", selection="random")
        chosen = [
            (
                await World(target=DONE, draft=DONE).reason("spec-methods", settings, seed=seed)
            ).selection.chosen
            for seed in (0, 0, 1)
        ]
        assert chosen[0] == chosen[1] != chosen[2]
        assert "unknown" not in chosen[0]


class TestEndingEarly:
    async def test_cancelled_tracks_say_so_and_are_cancelled_in_the_engine(self):
        slow = telling(*(f"step {n}\n\n" for n in range(60)), "\\boxed{9}")

        def draft(prompt, seed):
            return DONE(prompt, seed) if TIPS["direct"] in prompt else slow(prompt, seed)

        world = World(draft=draft)
        outcome = await world.reason("spec", three_tracks(prompts="roles", fast="1"))
        assert [track.stop for track in outcome.tracks] == [Stop.FINISHED, *[Stop.CANCELLED] * 2]
        assert outcome.answer == "4"
        assert {one.reason for one in outcome.vote.excluded} == {"cancelled"}
        assert any("saved about" in note for note in outcome.tracks[1].notes)
        assert world.draft.cancelled + world.target.cancelled == 2

    @given(salt=st.integers(0, 10**6), hurry=st.integers(0, 99), tracks=st.integers(1, 5))
    @settings(max_examples=40, deadline=None)
    async def test_exact_has_the_answer_of_the_whole_vote(self, salt, hurry, tracks):
        answers = []
        for fast in (None, "exact"):
            world = World(target=wild(salt), draft=wild(salt + 1), digits=moody(salt), hurry=hurry)
            settings = TrackSettings(tracks=tracks, fast=fast)
            outcome = await world.reason("spec", settings, token_budget=300)
            answers.append(outcome.answer)
        assert answers[0] == answers[1]


class TestTheLedger:
    @given(
        salt=st.integers(0, 10**6),
        hurry=st.integers(0, 10**6),
        reasoner=st.sampled_from(["parallel", *SPECULATIVE]),
        fast=st.sampled_from([None, "1", "exact"]),
        lookahead=st.integers(0, 3),
    )
    @settings(max_examples=100, deadline=None)
    async def test_holds_every_token_that_the_engines_report(
        self, salt, hurry, reasoner, fast, lookahead
    ):
        world = World(target=wild(salt), draft=wild(salt + 1), digits=moody(salt), hurry=hurry)
        prompts = "methods" if reasoner == "spec-methods" else "same"
        steps = None if reasoner == "parallel" else StepSettings(lookahead=lookahead)
        settings = three_tracks(prompts=prompts, fast=fast)
        await world.reason(reasoner, settings, steps, token_budget=200)
        for name, engine in {"target": world.target, "draft": world.draft}.items():
            booked = world.ledger.usage().get(name, {}).values()
            assert sum(one.generated for one in booked) == sum(
                len(one.token_ids) for one in engine.answered
            )
            assert sum(one.prompt_new + (one.prompt_cached or 0) for one in booked) == sum(
                one.prompt_tokens for one in engine.answered
            )

    @given(
        salt=st.integers(0, 10**6),
        reasoner=st.sampled_from(["parallel", *SPECULATIVE]),
        fast=st.sampled_from([None, "2", "exact"]),
        faults=st.builds(Faults, fail=SOME),
        draft_faults=st.builds(
            Faults, fail=SOME, die=st.frozensets(st.integers(1, 60), max_size=1)
        ),
    )
    @settings(max_examples=80, deadline=None)
    async def test_holds_every_token_although_requests_fail_and_the_attempt_ends(
        self, salt, reasoner, fast, faults, draft_faults
    ):
        world = World(
            target=wild(salt),
            draft=wild(salt + 1),
            digits=moody(salt),
            hurry=salt,
            faults=faults,
            draft_faults=draft_faults,
        )
        prompts = "methods" if reasoner == "spec-methods" else "same"
        steps = None if reasoner == "parallel" else StepSettings(lookahead=2)
        attempt = world.reason(
            reasoner, three_tracks(prompts=prompts, fast=fast), steps, token_budget=200
        )
        with contextlib.suppress(EngineFailure):
            await asyncio.wait_for(attempt, HANGS)
        for name, engine in {"target": world.target, "draft": world.draft}.items():
            booked = world.ledger.usage().get(name, {}).values()
            answered = sum(len(one.token_ids) for one in engine.answered)
            assert sum(one.generated for one in booked) == answered

    async def test_kept_drafts_are_the_draft_steps_of_the_tracks(self):
        world = World(target=wild(5), draft=wild(6), digits=moody(5))
        outcome = await world.reason("spec", three_tracks(), token_budget=400)
        steps = [step for track in outcome.tracks for step in track.steps]
        usage = world.ledger.usage()
        kept = sum(step.tokens for step in steps if step.author == "draft")
        rewritten = sum(step.tokens for step in steps if step.draft_text is not None)
        dropped = sum(step.draft_tokens or 0 for step in steps)
        assert kept == usage["draft"]["draft_kept"].generated
        assert rewritten == usage["target"]["rewrite"].generated
        assert dropped == usage["draft"]["draft_dropped"].generated


async def test_what_else_is_in_flight_changes_nothing():
    async def attempt(hurry):
        world = World(target=wild(1), draft=wild(2), digits=moody(3), hurry=hurry)
        return spoken(await world.reason("spec-async", three_tracks(), token_budget=300))

    alone = await attempt(None)
    assert await asyncio.gather(*(attempt(n) for n in range(8))) == [alone] * 8
