"""Every token is booked once, under one model and one use; attended positions are exact."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.protocol import Completion, Computed
from pipeline.ledger import Ledger, Use
from pipeline.records import Tokens


def completion(prompt: int, new: int, cached: int | None = 0) -> Completion:
    return Completion(
        text="",
        token_ids=tuple(range(new)),
        finish_reason="stop",
        stop_string=None,
        prompt_tokens=prompt,
        cached_prompt_tokens=cached,
        seconds=0.0,
        forwards=new,
    )


def booked(*completions: Completion) -> Tokens:
    ledger = Ledger()
    for one in completions:
        ledger.book("target", Use.PLAIN, one)
    return ledger.usage()["target"]["plain"]


@st.composite
def completions(draw):
    prompt = draw(st.integers(1, 300))
    return completion(prompt, draw(st.integers(0, 60)), draw(st.integers(0, prompt)))


def test_a_use_of_a_reasoners_own_is_counted_under_its_name():
    ledger = Ledger()
    ledger.book("target", "debate", completion(prompt=10, new=3, cached=4))
    assert ledger.usage()["target"]["debate"].generated == 3


def test_what_was_computed_for_guesses_is_booked_apart_and_the_assistants_under_its_own_role():
    ledger = Ledger()
    done = replace(
        completion(prompt=10, new=3),
        refused=Computed(prompt=0, attended_prompt=0, tokens=5, attended=60),
        assisted=Computed(prompt=9, attended_prompt=45, tokens=7, attended=80),
        forwards=2,
        assistant_forwards=6,
    )
    ledger.book("draft", Use.DRAFT_KEPT, done)
    ledger.book("draft", Use.DRAFT_DROPPED, done)
    usage = ledger.usage()
    assert usage.keys() == {"draft", "draft_assistant"}
    assert usage["draft"].keys() == {"draft_kept", "draft_dropped", "refused"}
    kept, refused = usage["draft"]["draft_kept"], usage["draft"]["refused"]
    assert (kept.generated, kept.forwards) == (3, 2)
    assert refused == Tokens(0, 0, 10, 0, 120, requests=0, forwards=0)
    guesses = Tokens(18, 0, 14, 90, 160, requests=0, forwards=12)
    assert usage["draft_assistant"] == {"guesses": guesses}


def test_nothing_booked_is_no_usage():
    assert Ledger().usage() == {}


def test_prompt_tokens_are_new_or_cached_and_never_both():
    tokens = booked(completion(prompt=10, new=3, cached=4))
    assert (tokens.prompt_new, tokens.prompt_cached, tokens.generated) == (6, 4, 3)


def test_a_token_attends_to_itself_and_to_all_before_it():
    tokens = booked(completion(prompt=3, new=2, cached=1))
    assert tokens.attended_prompt == 2 + 3
    assert tokens.attended_generated == 4


@pytest.mark.parametrize(("prompt", "new", "cached"), [(3, 2, 1), (9, 1, 0), (4, 7, 3)])
def test_as_many_positions_attend_as_tokens_are_fed(prompt, new, cached):
    """Of p prompt and g generated tokens p + g - 1 are fed: the last one is only drawn."""
    tokens = booked(completion(prompt, new, cached))
    fed = tokens.prompt_new + tokens.generated - tokens.requests
    assert fed == prompt - cached + new - 1
    positions = range(cached + 1, cached + 1 + fed)
    assert tokens.attended_prompt + tokens.attended_generated == sum(positions)


def test_a_request_that_wrote_nothing_has_no_last_token():
    tokens = booked(completion(prompt=3, new=0))
    assert (tokens.requests, tokens.attended_generated) == (0, 0)


def test_a_server_that_does_not_report_its_cache_leaves_the_count_unknown():
    tokens = booked(completion(5, 1, cached=2), completion(5, 1, cached=None))
    assert tokens.prompt_cached is None
    assert tokens.prompt_new == 3 + 5


UNKNOWN = ("prompt_new", "prompt_cached", "generated", "attended_prompt", "attended_generated")


@pytest.mark.parametrize(
    ("unsaid", "unknown"),
    [
        ({"prompt_tokens": None}, {"prompt_new", "attended_prompt", "attended_generated"}),
        ({"token_ids": None}, {"generated", "attended_generated", "requests"}),
        ({"forwards": None}, {"forwards"}),
        (
            {"prompt_tokens": None, "cached_prompt_tokens": None, "token_ids": None},
            {*UNKNOWN, "requests"},
        ),
    ],
)
@pytest.mark.parametrize("place", range(3))
def test_what_one_answer_does_not_count_is_unknown_of_the_sum_and_never_0(unsaid, unknown, place):
    answers = [completion(prompt=5, new=2, cached=1)] * 3
    answers[place] = replace(answers[place], **unsaid)
    tokens = booked(*answers)
    assert {name for name in tokens.__slots__ if getattr(tokens, name) is None} == unknown


def test_a_server_that_sends_no_token_ids_is_believed_its_count():
    silent = replace(completion(prompt=5, new=0, cached=None), completion_tokens=4)
    assert booked(silent).generated == 4


def test_models_and_uses_are_kept_apart():
    ledger = Ledger()
    ledger.book("draft", Use.DRAFT_KEPT, completion(5, 1))
    ledger.book("draft", Use.DRAFT_DROPPED, completion(5, 2))
    ledger.book("target", Use.VERIFY, completion(6, 1))
    generated = {
        (model, use): tokens.generated
        for model, uses in ledger.usage().items()
        for use, tokens in uses.items()
    }
    assert generated == {
        ("draft", "draft_kept"): 1,
        ("draft", "draft_dropped"): 2,
        ("target", "verify"): 1,
    }


@given(st.lists(completions(), min_size=1, max_size=6))
def test_sums_do_not_depend_on_how_requests_were_grouped(requests):
    tokens = booked(*requests)
    assert tokens.prompt_new + tokens.prompt_cached == sum(r.prompt_tokens for r in requests)
    assert tokens.generated == sum(len(r.token_ids) for r in requests)
    assert tokens.requests == sum(len(r.token_ids) > 0 for r in requests)
    assert tokens == booked(*reversed(requests))


@pytest.mark.parametrize("use", Use)
def test_uses_have_the_names_of_the_attempt_line(use):
    ledger = Ledger()
    ledger.book("target", use, completion(1, 1))
    assert list(ledger.usage()["target"]) == [use.value]
