"""The sign-flip test is exact: every sign pattern counts, however many there are."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics import sign_flips
from evaluators.statistics.sign_flips import is_exact, p_text, sign_flip_p

WHOLE = st.integers(-6, 6)


@given(st.lists(WHOLE, min_size=1, max_size=9))
def test_it_is_the_share_of_sign_patterns_as_far_from_zero(differences):
    patterns = list(itertools.product((-1, 1), repeat=len(differences)))
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in patterns]
    as_far = sum(abs(one) >= abs(sum(differences)) for one in sums)
    assert sign_flip_p(differences) == pytest.approx(as_far / len(patterns), rel=1e-12)


@given(st.lists(WHOLE, min_size=1, max_size=40), st.integers(1, 5))
def test_it_is_a_share_and_knows_neither_sign_nor_unit(differences, unit):
    p = sign_flip_p(differences)
    assert 0 < p <= 1
    assert sign_flip_p([-d for d in differences]) == p
    assert sign_flip_p([unit * d for d in differences]) == p


def test_it_is_scipys_exact_permutation_test():
    differences = [2, 1, -1, 4, 3, 0, -2]
    expected = scipy.stats.permutation_test(
        (np.array(differences),), np.mean, permutation_type="samples", n_resamples=math.inf
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("won", "lost"), [(26, 14), (60, 0), (300, 150), (400, 5), (0, 1)])
def test_for_one_repeat_it_is_mcnemars_exact_test(won, lost):
    expected = scipy.stats.binomtest(won, won + lost).pvalue
    assert sign_flip_p([1] * won + [-1] * lost) == pytest.approx(expected, rel=1e-12)


def exactly(differences):
    """The tail with whole numbers: one big number holds the count of patterns for each sum."""
    sizes = [abs(d) for d in differences]
    slot = len(sizes) + 1
    counts = 1
    for size in sizes:
        counts += counts << (size * slot)
    cut = (sum(sizes) - abs(sum(differences))) // 2
    as_far = sum((counts >> (t * slot)) & ((1 << slot) - 1) for t in range(cut + 1))
    return float(min(Fraction(1), Fraction(2 * as_far, 2 ** len(sizes))))


@pytest.mark.parametrize("drift", [0.0, 0.2, 0.6, 1.0])
def test_500_problems_of_16_repeats_agree_with_whole_numbers_in_the_far_tail(drift):
    chance = np.random.default_rng(30)
    sizes = chance.binomial(16, 0.2, 500)
    differences = np.where(chance.random(500) < (1 + drift) / 2, sizes, -sizes).tolist()
    assert sign_flip_p(differences) == pytest.approx(exactly(differences), rel=1e-12)


def test_it_never_reaches_zero():
    assert sign_flip_p([1] * 5_000) > 0


def test_a_case_too_large_to_be_exact_has_an_upper_bound(monkeypatch):
    differences = [3, 2, 2, 1, -1, 4, 1]
    exact = sign_flip_p(differences)
    monkeypatch.setattr(sign_flips, "MAX_ADDITIONS", 10)
    assert not is_exact(differences)
    assert exact < sign_flip_p(differences) <= 1


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "1.0000"), (0.0312, "0.0312"), (0.0001, "0.0001"), (3e-5, "<0.0001")]
)
def test_a_p_value_is_never_written_as_nothing(p, text):
    assert p_text(p) == text
