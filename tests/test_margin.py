"""Not worse by more than a margin: the error at the margin is measured, not promised."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evaluators.margin import ONE_SIDED_LEVEL, not_worse_p
from evaluators.uncertainty import difference_interval

STUDIES = 1_000


def error_rate(draw, margin, problems, repeats):
    """The share of studies that call a run not worse which is worse by exactly the margin."""
    chance = np.random.default_rng(32)
    wrong = 0
    for _ in range(STUDIES):
        first, second = draw(chance, problems)
        change = chance.binomial(repeats, second) - chance.binomial(repeats, first)
        wrong += not_worse_p((change / repeats).tolist(), margin) <= ONE_SIDED_LEVEL
    return wrong / STUDIES


def breaks(base, share, mends=0.0):
    def draw(chance, problems):
        place = chance.random(problems)
        first = np.where(place < mends, 0.0, base)
        second = np.where((place >= mends) & (place < 2 * mends + share), 0.0, base)
        return first, second

    return draw


@pytest.mark.parametrize("repeats", [1, 16])
@pytest.mark.parametrize(
    ("draw", "margin", "problems"),
    [
        (breaks(1.0, 0.02), 0.02, 200),
        (breaks(1.0, 0.02), 0.02, 500),
        (breaks(1.0, 0.02, mends=0.06), 0.02, 500),
        (breaks(0.9, 0.05 / 0.9), 0.05, 200),
        (breaks(1.0, 0.1), 0.1, 30),
        (lambda _, n: (np.full(n, 1.0), np.full(n, 0.98)), 0.02, 500),
        (lambda _, n: (np.full(n, 0.7), np.full(n, 0.68)), 0.02, 500),
    ],
)
def test_a_run_worse_by_the_margin_is_rarely_called_not_worse(draw, margin, problems, repeats):
    assert error_rate(draw, margin, problems, repeats) <= 0.05


def test_a_run_as_good_is_called_not_worse():
    chance = np.random.default_rng(1)
    change = chance.binomial(4, np.full(500, 0.9)) - chance.binomial(4, np.full(500, 0.9))
    assert not_worse_p((change / 4).tolist(), 0.05) < 0.001


@given(
    st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=60),
    st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.3]),
)
def test_the_verdict_never_contradicts_the_interval(differences, margin):
    if not_worse_p(differences, margin) <= ONE_SIDED_LEVEL:
        assert difference_interval(differences).low > -margin


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=2, max_size=60))
def test_a_wider_margin_is_never_harder(differences):
    p_values = [not_worse_p(differences, margin) for margin in (0.01, 0.02, 0.05, 0.1, 0.3)]
    assert p_values == sorted(p_values, reverse=True)


def test_where_problems_differ_often_it_is_a_t_test_with_two_problems_more():
    differences = [1.0] * 30 + [-1.0] * 25 + [0.0] * 45
    moment, mean = 56 / 102, 5 / 102
    t = (mean + 0.02) / np.sqrt((moment - 0.02**2) / 102)
    assert not_worse_p(differences, 0.02) == pytest.approx(scipy.stats.t.sf(t, 99), rel=1e-9)


@pytest.mark.parametrize("differences", [[], [1.0], [0.0] * 30])
def test_few_problems_show_nothing(differences):
    assert not_worse_p(differences, 0.02) > ONE_SIDED_LEVEL
