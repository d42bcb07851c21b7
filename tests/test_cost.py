"""Operations by the model's real shape: 2 a weight and 4 an attended position, cache is free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import tokens as drawn_tokens

from pipeline.cost import attempt_flops
from pipeline.records import Tokens

FACTS = {"non_embedding_parameters": 1000, "layers": 2, "attention_width": 16}
PER_POSITION = 4 * 2 * 16


def usage(tokens: Tokens, model: str = "target") -> dict[str, dict[str, Tokens]]:
    return {model: {"plain": tokens}}


def test_generated_tokens_cost_weights_and_attention():
    spent = Tokens(0, 0, generated=3, attended_prompt=0, attended_generated=33)
    flops = attempt_flops(usage(spent), {"target": FACTS})
    assert flops.decode == flops.total == 2 * 1000 * 3 + PER_POSITION * 33


def test_new_prompt_tokens_count_in_the_total_only():
    spent = Tokens(
        prompt_new=5, prompt_cached=0, generated=0, attended_prompt=15, attended_generated=0
    )
    flops = attempt_flops(usage(spent), {"target": FACTS})
    assert (flops.decode, flops.total) == (0, 2 * 1000 * 5 + PER_POSITION * 15)


def test_cached_prompt_tokens_cost_nothing():
    spent = Tokens(0, prompt_cached=500, generated=0, attended_prompt=0, attended_generated=0)
    assert attempt_flops(usage(spent), {"target": FACTS}).total == 0


def test_each_model_is_priced_by_its_own_shape():
    spent = Tokens(0, 0, generated=1, attended_prompt=0, attended_generated=0)
    both = usage(spent) | usage(spent, "draft")
    small = FACTS | {"non_embedding_parameters": 10}
    assert attempt_flops(both, {"target": FACTS, "draft": small}).decode == 2 * (1000 + 10)


def test_an_attempt_without_tokens_costs_nothing():
    assert attempt_flops({}, {"target": FACTS}).total == 0


@pytest.mark.parametrize("missing", FACTS)
def test_an_unknown_shape_gives_no_figure_rather_than_a_wrong_one(missing):
    spent = Tokens(1, 0, 1, 1, 1)
    assert attempt_flops(usage(spent), {"target": FACTS | {missing: None}}) is None


def test_a_model_that_the_manifest_does_not_know_gives_no_figure():
    assert attempt_flops(usage(Tokens(1, 0, 1, 1, 1)), {"target": None}) is None


@given(drawn_tokens, drawn_tokens)
def test_costs_of_two_uses_add(first, second):
    models = {"target": FACTS}
    both = attempt_flops({"target": {"verify": first, "rewrite": second}}, models)
    apart = [attempt_flops(usage(one), models) for one in (first, second)]
    assert both.total == pytest.approx(sum(one.total for one in apart))
    assert both.total >= both.decode >= 0


@given(st.integers(1, 10**6))
def test_a_short_context_costs_two_operations_a_weight(weights):
    facts = FACTS | {"non_embedding_parameters": weights}
    spent = Tokens(0, 0, generated=1, attended_prompt=0, attended_generated=1)
    flops = attempt_flops(usage(spent), {"target": facts})
    assert flops.decode == 2 * weights + PER_POSITION
