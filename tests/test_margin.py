"""Not worse by more than a margin: the error at the margin is measured, not promised."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics.margin import ONE_SIDED_LEVEL, not_worse_p
from evaluators.statistics.uncertainty import difference_interval

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
    # More won than lost: nothing is added to the second moment at the margin.
    differences = [1.0] * 30 + [-1.0] * 25 + [0.0] * 45
    moment, mean = 57 / 102, 5 / 102
    t = (mean + 0.02) / np.sqrt((moment - 0.02**2) / 102)
    assert not_worse_p(differences, 0.02) == pytest.approx(scipy.stats.t.sf(t, 99), rel=1e-9)


def test_where_problems_are_lost_the_error_is_the_one_at_the_margin():
    # 20 of 200 lost and 10 won: a loss of 10 points would come with more problems lost.
    differences = [-1.0] * 20 + [1.0] * 10 + [0.0] * 170
    supposed = np.array([*differences, 1.0, -1.0])
    slope = np.polyfit(supposed, supposed**2, 1)[0]
    moment = np.mean(supposed**2) + slope * (-0.1 - supposed.mean())
    t = (supposed.mean() + 0.1) / np.sqrt((moment - supposed.mean() ** 2) / 202)
    assert moment > np.mean(supposed**2)
    assert not_worse_p(differences, 0.1) == pytest.approx(scipy.stats.t.sf(t, 199), rel=1e-9)


LOST_AND_WON = [(0.0, 1.0), (0.5, 1.0), (0.5, 0.99), (1.0, 0.95)]
"""Problems won, as a multiple of the margin, and how often the first run is right at the others."""


@pytest.mark.parametrize(("problems", "margin"), [(90, 0.02), (90, 0.05), (200, 0.05)])
@pytest.mark.parametrize(("won", "base"), LOST_AND_WON)
def test_with_one_repeat_three_of_a_hundred_are_wrongly_called_not_worse(
    problems, margin, won, base
):
    # Exact: a sum over the trinomial distribution of problems won and lost; what the first run
    # gets wrong by chance, the second one gets right by chance.
    mended, noise = won * margin, base * (1 - base)
    lost = mended + margin / base
    up = mended * base + (1 - mended - lost) * noise
    down = up + margin
    wins, losses = np.mgrid[: problems + 1, : problems + 1]
    chances = scipy.stats.multinomial.pmf(
        np.stack([wins, losses, problems - wins - losses], axis=-1),
        problems,
        [up, down, 1 - up - down],
    )
    called = sum(
        chances[w, b]
        for w, b in np.argwhere(chances > 1e-7)
        if not_worse_p([1.0] * w + [-1.0] * b + [0.0] * (problems - w - b), margin)
        <= ONE_SIDED_LEVEL
    )
    assert called <= 0.03


@pytest.mark.parametrize("differences", [[], [1.0], [0.0] * 30])
def test_few_problems_show_nothing(differences):
    assert not_worse_p(differences, 0.02) > ONE_SIDED_LEVEL
