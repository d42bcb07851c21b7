"""A score is a digit's place in the target's distribution, and nothing else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.scripted.tokenizer import ByteTokenizer
from pipeline.errors import UserMistake
from pipeline.reasoners.step_score import digit_ids, is_kept, score_of, value_of

IDS = tuple(range(48, 58))
masses = st.lists(st.floats(0, 1), min_size=10, max_size=10).filter(lambda d: sum(d) > 0.01)


def logprobs(digits):
    return {IDS[n]: math.log(p) if p > 0 else -math.inf for n, p in enumerate(digits)}


@given(masses)
def test_the_average_is_the_expected_digit_over_the_ten(digits):
    total = sum(digits)
    expected = sum(n * p / total for n, p in enumerate(digits))
    assert value_of(tuple(digits), "average") == pytest.approx(expected, abs=1e-9)
    assert 0 <= value_of(tuple(digits), "average") <= 9


@pytest.mark.parametrize(("low", "high"), [(4, 8), (5, 9), (6, 9), (6, 8), (2, 8)])
@given(millionths=st.integers(1, 150_000))
def test_an_expected_digit_of_exactly_seven_is_seven(low, high, millionths):
    digits = [0.0] * 10
    digits[low] = round(millionths * (high - 7) / 10**6, 6)
    digits[high] = round(millionths * (7 - low) / 10**6, 6)
    assert value_of(tuple(digits), "average") == 7.0


@given(masses)
def test_greedy_is_the_likeliest_digit_the_smaller_of_two(digits):
    assert value_of(tuple(digits), "greedy") == float(digits.index(max(digits)))


@given(masses, st.sampled_from(["greedy", "average"]), st.floats(0, 9))
def test_the_recorded_digits_give_the_recorded_score_and_decide(digits, method, threshold):
    score = score_of(logprobs(digits), IDS, method, 0.0)
    assert score.value == value_of(score.digits, method)
    kept = math.fsum(score.digits) >= 0.5 and score.value >= threshold
    assert is_kept(score.digits, method, threshold) == kept


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_digit_without_probability_counts_nothing(bad):
    score = score_of(dict.fromkeys(IDS, bad), IDS, "average", 0.0)
    assert (score.value, score.digits) == (0.0, (0.0,) * 10)


def test_digits_below_half_of_the_mass_are_no_score():
    assert not is_kept((0.0,) * 9 + (0.49,), "greedy", 0.0)
    assert is_kept((0.0,) * 9 + (0.51,), "greedy", 9.0)


def test_digits_of_several_tokens_are_refused():
    class Merging(ByteTokenizer):
        def encode(self, text):
            return [*text.encode(), 0] if text == "7" else super().encode(text)

    with pytest.raises(UserMistake, match=r"for: 7\).*cannot be scored"):
        digit_ids(Merging())
