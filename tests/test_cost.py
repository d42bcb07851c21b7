"""Operations by the model's real shape: 2 a weight and 4 an attended position, cache is free."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_configs import CONFIGS
from strategies import tokens as drawn_tokens

from pipeline.cost import attempt_flops
from pipeline.engines.protocol import Completion
from pipeline.engines.shape import Shape
from pipeline.ledger import Ledger, Use
from pipeline.records import Tokens

FACTS = {"body_parameters": 1000, "head_parameters": 300, "layers": 2, "attention_width": 16}
PER_POSITION = 4 * 2 * 16


def usage(tokens: Tokens, model: str = "target") -> dict[str, dict[str, Tokens]]:
    return {model: {"plain": tokens}}


def completion(prompt: int, new: int, cached: int = 0) -> Completion:
    return Completion("", tuple(range(new)), "stop", None, prompt, cached, 0.0)


def booked(*completions: Completion) -> dict[str, dict[str, Tokens]]:
    ledger = Ledger()
    for one in completions:
        ledger.book("target", Use.PLAIN, one)
    return ledger.usage()


def by_hand(prompt: int, new: int, cached: int = 0) -> tuple[float, float]:
    """Decode and total of one request, token by token: fed at 1, 2, ... until the last is drawn."""
    fed = {position: 2 * 1000 + PER_POSITION * position for position in range(1, prompt + new)}
    written = sum(fed[position] for position in range(prompt + 1, prompt + new)) + new * 2 * 300
    return written, written + sum(fed[position] for position in range(cached + 1, prompt + 1))


@pytest.mark.parametrize(
    ("prompt", "new", "cached"),
    [(5, 3, 0), (5, 3, 4), (100, 1, 0), (100, 1, 96), (1, 1, 0), (7, 40, 2)],
)
def test_one_request_costs_the_sum_over_the_tokens_that_are_fed(prompt, new, cached):
    flops = attempt_flops(booked(completion(prompt, new, cached)), {"target": FACTS})
    assert (flops.decode, flops.total) == by_hand(prompt, new, cached)


def test_a_score_pays_for_its_prompt_once_and_for_one_row_of_logits():
    flops = attempt_flops(booked(completion(prompt=60, new=1, cached=48)), {"target": FACTS})
    assert flops.decode == 2 * 300
    assert flops.total == 2 * 300 + 12 * 2 * 1000 + PER_POSITION * sum(range(49, 61))


def test_a_prompt_of_qwen3_06b_does_not_pay_for_logits_that_nobody_reads():
    """Its head is a quarter of its weights: with it at each prompt token, 35 % too much."""
    shape = Shape.of(CONFIGS["Qwen3-0.6B"])
    facts = {
        "body_parameters": shape.body,
        "head_parameters": shape.head,
        "layers": shape.layers,
        "attention_width": shape.attention_width,
    }
    flops = attempt_flops(booked(completion(prompt=50, new=1)), {"target": facts})
    attention = 4 * 28 * 2048 * sum(range(1, 51))
    assert flops.total == 2 * 440_467_456 * 50 + 2 * 155_582_464 + attention
    every_logit = flops.total + 49 * 2 * 155_582_464
    assert every_logit / flops.total == pytest.approx(1.34, abs=0.005)


@given(prompt=st.integers(1, 300), new=st.integers(2, 60), data=st.data())
def test_a_request_costs_what_two_with_a_warm_cache_cost_together(prompt, new, data):
    cut = data.draw(st.integers(1, new - 1))
    whole = attempt_flops(booked(completion(prompt, new)), {"target": FACTS})
    # The first half's last token was drawn and not fed, so it is not in the cache.
    second = completion(prompt + cut, new - cut, cached=prompt + cut - 1)
    parts = attempt_flops(booked(completion(prompt, cut), second), {"target": FACTS})
    assert parts.total == whole.total


def test_cached_prompt_tokens_cost_nothing():
    spent = Tokens(0, prompt_cached=500, generated=0, attended_prompt=0, attended_generated=0)
    spent = replace(spent, requests=0)
    assert attempt_flops(usage(spent), {"target": FACTS}).total == 0


def test_each_model_is_priced_by_its_own_shape():
    both = booked(completion(1, 2)) | {"draft": booked(completion(1, 2))["target"]}
    small = FACTS | {"body_parameters": 10, "head_parameters": 3}
    flops = attempt_flops(both, {"target": FACTS, "draft": small})
    assert flops.decode == 2 * (1000 + 10) + 2 * 2 * (300 + 3) + 2 * PER_POSITION * 2


def test_an_attempt_without_tokens_costs_nothing():
    assert attempt_flops({}, {"target": FACTS}).total == 0


@pytest.mark.parametrize("missing", FACTS)
def test_an_unknown_shape_gives_no_figure_rather_than_a_wrong_one(missing):
    spent = Tokens(1, 0, 1, 1, 1, 1)
    assert attempt_flops(usage(spent), {"target": FACTS | {missing: None}}) is None


@pytest.mark.parametrize(
    "missing", ["prompt_new", "attended_prompt", "attended_generated", "requests"]
)
def test_an_unknown_count_gives_no_figure(missing):
    """`requests` is unknown in attempts of schema 1."""
    spent = replace(Tokens(1, 0, 1, 1, 1, 1), **{missing: None})
    assert attempt_flops(usage(spent), {"target": FACTS}) is None


@pytest.mark.parametrize("unknown", Tokens.__slots__)
def test_a_count_that_nobody_made_gives_no_figure(unknown):
    counted = replace(Tokens(10, 0, 5, 55, 65, 1), **{unknown: None})
    figure = attempt_flops(usage(counted), {"target": FACTS})
    assert (figure is None) == (unknown not in {"prompt_cached", "forwards"})


def test_a_model_that_the_manifest_does_not_know_gives_no_figure():
    assert attempt_flops(usage(Tokens(1, 0, 1, 1, 1, 1)), {"target": None}) is None


@given(drawn_tokens, drawn_tokens)
def test_costs_of_two_uses_add(first, second):
    models = {"target": FACTS}
    both = attempt_flops({"target": {"verify": first, "rewrite": second}}, models)
    apart = [attempt_flops(usage(one), models) for one in (first, second)]
    assert both.total == pytest.approx(sum(one.total for one in apart))
    assert both.total >= both.decode >= 0
