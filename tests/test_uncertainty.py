"""Standard errors and intervals agree with closed forms and scipy, and stay within 0 to 1."""

import math
import statistics

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from evaluators.statistics.uncertainty import (
    Interval,
    clustered_interval,
    difference_interval,
    population_error,
    population_interval,
    samples_error,
    samples_interval,
    student_quantile,
    uncertainty,
)

COUNTS = st.lists(st.integers(0, 8), min_size=2, max_size=40)


@pytest.mark.parametrize("probability", [0.5, 0.8, 0.975, 0.9995])
@pytest.mark.parametrize("freedom", [1, 2, 5, 29, 499, 10_000])
def test_the_student_quantile_is_scipys(probability, freedom):
    expected = scipy.stats.t.ppf(probability, freedom)
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_the_population_error_is_scipys_standard_error_of_the_mean():
    means = [0, 0.25, 1, 1, 0.75]
    assert population_error(means) == pytest.approx(scipy.stats.sem(means))


def test_half_the_problems_at_nine_tenths_and_half_at_three_tenths():
    # 30 problems, 10 repeats: closed forms with p(1-p) of 0.09 and 0.21.
    correct = [9] * 15 + [3] * 15
    assert samples_error(correct, 10) == pytest.approx(math.sqrt((0.09 + 0.21) * 15 / 9) / 30)
    assert population_error([c / 10 for c in correct]) == pytest.approx(0.3 / math.sqrt(29))


def test_one_problem_has_no_population_error_and_one_repeat_no_samples_error():
    assert uncertainty([3], 4).population is None
    assert uncertainty([1, 0, 1], 1).samples is None


def test_the_samples_error_matches_repeated_sampling():
    skill = np.array([0.1, 0.5, 0.8, 0.95])
    drawn = np.random.default_rng(1).binomial(8, skill, size=(2_000, 4))
    spread = statistics.stdev((drawn / 8).mean(axis=1))
    estimated = math.sqrt(statistics.fmean(samples_error(row, 8) ** 2 for row in drawn.tolist()))
    assert estimated == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("right", [0, 1, 250, 499, 500])
def test_with_one_repeat_and_many_problems_it_is_wilsons_interval(right):
    ours = population_interval([1.0] * right + [0.0] * (500 - right), 1)
    wilson = proportion_confint(right, 500, method="wilson")
    assert ours == pytest.approx(wilson, abs=1e-3)


@given(COUNTS)
def test_intervals_hold_the_mean_and_stay_within_bounds(correct):
    mean = statistics.fmean(correct) / 8
    for interval in (
        population_interval([c / 8 for c in correct], 8),
        samples_interval(correct, 8),
    ):
        assert 0 <= interval.low <= mean + 1e-9
        assert mean - 1e-9 <= interval.high <= 1


@given(COUNTS)
def test_an_interval_of_the_failures_mirrors_that_of_the_successes(correct):
    low, high = samples_interval(correct, 8)
    assert samples_interval([8 - c for c in correct], 8) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("right", [0, 1, 15, 29, 30])
def test_with_one_repeat_the_size_is_the_number_of_problems(right):
    # Wilson's own interval, with Student's quantile in the place of the normal one.
    alpha = 2 * scipy.stats.norm.sf(scipy.stats.t.ppf(0.975, 29))
    wilson = proportion_confint(right, 30, alpha=alpha, method="wilson")
    assert population_interval([1.0] * right + [0.0] * (30 - right), 1) == pytest.approx(wilson)


def test_one_wrong_attempt_of_480_tells_hardly_more_than_none():
    all_right, one_wrong = [1.0] * 30, [15 / 16] + [1.0] * 29
    assert population_interval(all_right, 16).low == pytest.approx(0.878, abs=0.001)
    assert population_interval(one_wrong, 16).low == pytest.approx(0.878, abs=0.005)


def rare_kind(chance, share, rare, rest, problems=30):
    return np.where(chance.random((400, problems)) < share, rare, rest)


@pytest.mark.parametrize(
    ("share", "rare", "rest"),
    [(0.02, 0.0, 0.99), (1 / 30, 0.0, 0.99), (0.02, 1.0, 0.01), (1 / 30, 1.0, 0.01)],
)
def test_few_problems_of_another_kind_stay_within_the_interval(share, rare, rest):
    chance = np.random.default_rng(26)
    truth = share * rare + (1 - share) * rest
    rows = chance.binomial(16, rare_kind(chance, share, rare, rest)) / 16
    held = [low <= truth <= high for low, high in (population_interval(r, 16) for r in rows)]
    assert np.mean(held) > 0.92


@pytest.mark.parametrize(("rare", "rest"), [(1.0, 0.01), (0.0, 0.99)])
def test_few_attempts_that_come_out_otherwise_stay_within_the_interval_of_the_samples(rare, rest):
    # 90 problems of which 2 % always fail or always succeed, and 1 % of other attempts differ.
    chance = np.random.default_rng(28)
    skill = np.where(chance.random((1_000, 90)) < 0.02, rare, rest)
    intervals = [samples_interval(row.tolist(), 4) for row in chance.binomial(4, skill)]
    held = [low <= row.mean() <= high for row, (low, high) in zip(skill, intervals, strict=True)]
    assert np.mean(held) > 0.92


@pytest.mark.parametrize("share", [0.02, 0.05])
@pytest.mark.parametrize(("before", "after"), [(1.0, 0.0), (0.99, 0.0), (0.0, 1.0), (0.01, 1.0)])
def test_problems_broken_for_good_stay_within_the_interval_of_the_difference(share, before, after):
    chance = np.random.default_rng(27)
    second = chance.binomial(16, rare_kind(chance, share, after, before))
    rows = (second - chance.binomial(16, np.full(second.shape, before))) / 16
    truth = share * (after - before)
    held = [low <= truth <= high for low, high in (difference_interval(row) for row in rows)]
    assert np.mean(held) > 0.92


def test_no_interval_has_no_width():
    assert population_interval([1.0] * 30, 4).low < 0.9
    assert samples_interval([4] * 30, 4).low < 0.98
    assert difference_interval([0.0] * 30).high > 0.02


@pytest.mark.parametrize(("won", "lost", "problems"), [(8, 2, 30), (0, 0, 98), (1, 4, 60)])
def test_with_one_repeat_the_interval_of_a_difference_is_bonett_and_prices(won, lost, problems):
    # The published formula with Laplace's estimates, and Student's quantile for the normal one.
    ours, theirs = (won + 1) / (problems + 2), (lost + 1) / (problems + 2)
    mean, spread = ours - theirs, ours + theirs - (ours - theirs) ** 2
    half = scipy.stats.t.ppf(0.975, problems - 1) * math.sqrt(spread / (problems + 2))
    differences = [1] * won + [-1] * lost + [0] * (problems - won - lost)
    assert difference_interval(differences) == pytest.approx((mean - half, mean + half))


@pytest.mark.parametrize("problems", [10, 30, 39, 60, 90, 98, 120, 196, 200, 500])
def test_whatever_share_of_problems_is_lost_for_good_the_interval_holds_it(problems):
    # Exact: the coverage is a sum over the binomial distribution of the problems lost.
    lost = np.arange(problems + 1)
    low, high = np.array([difference_interval([-1.0] * b + [0.0] * (problems - b)) for b in lost]).T
    covered = [
        scipy.stats.binom.pmf(lost, problems, share)[(low <= -share) & (-share <= high)].sum()
        for share in np.linspace(0.0005, 0.5, 1_000)
    ]
    assert min(covered) > 0.92


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=40))
def test_a_difference_stays_within_its_bounds_and_flips_with_its_sign(differences):
    low, high = difference_interval(differences)
    assert -1 <= low <= high <= 1
    assert difference_interval([-d for d in differences]) == pytest.approx((-high, -low))


def test_an_interval_has_named_ends():
    assert Interval(0.1, 0.2).low == 0.1


CLUSTERS = st.lists(
    st.integers(1, 9).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size))),
    min_size=2,
    max_size=20,
)


@given(CLUSTERS)
def test_a_share_of_clusters_lies_in_its_interval_within_0_and_1(clusters):
    low, high = clustered_interval(clusters)
    share = sum(right for _, right in clusters) / sum(size for size, _ in clusters)
    assert 0 <= low <= share <= high <= 1


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_clusters_of_one_give_the_interval_of_single_attempts(right):
    clustered = clustered_interval([(1, int(one)) for one in right])
    assert clustered == pytest.approx(population_interval([float(one) for one in right], 1))


@given(CLUSTERS, st.integers(2, 30))
def test_clusters_that_agree_count_once_however_large_they_are(clusters, times):
    alike = [(1, int(right > 0)) for _, right in clusters]
    grown = [(size * times, right * times) for size, right in alike]
    assert clustered_interval(grown) == pytest.approx(clustered_interval(alike), abs=1e-9)


def test_one_cluster_says_nothing_of_others():
    assert clustered_interval([(50, 40)]) is None
    assert clustered_interval([]) is None
