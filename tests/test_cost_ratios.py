"""Cost ratios are ratios of sums over the same problems, with intervals over problems."""

import numpy as np
import pytest
import scipy.stats

from evaluators.statistics.cost_ratios import cost_ratio, cost_ratios
from evaluators.statistics.verdict_table import ProblemCosts


def costs(seed, problems, likeness=0.7):
    chance = np.random.default_rng(seed)
    shared, own = chance.normal(size=(2, problems))
    base = np.exp(7 + 0.5 * shared)
    alike = likeness * shared + (1 - likeness**2) ** 0.5 * own
    return base, 0.6 * np.exp(7 + 0.5 * alike)


def test_the_ratio_is_that_of_the_sums():
    assert cost_ratio([1, 3, 8, 4, 4], [2, 2, 2, 2, 2]).ratio == pytest.approx(0.5)


def test_the_interval_is_scipys_percentile_bootstrap_where_problems_are_many():
    base, other = costs(1, 800)
    ours = cost_ratio(base, other).interval
    expected = scipy.stats.bootstrap(
        (base, other),
        lambda a, b, axis: b.sum(axis) / a.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4_000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = expected.high - expected.low
    assert ours == pytest.approx((expected.low, expected.high), abs=0.08 * width)


def test_the_interval_holds_the_ratio_of_the_kind_of_problems():
    truth = 0.6  # both log-normals have the same mean
    held = 0
    for seed in range(300):
        base, other = costs(seed, 30)
        low, high = cost_ratio(base, other).interval
        held += low <= truth <= high
    assert held / 300 > 0.91


def test_the_same_costs_give_the_same_interval():
    base, other = costs(2, 40)
    assert cost_ratio(base, other) == cost_ratio(base, other)


def test_where_every_problem_has_the_same_ratio_the_interval_is_that_ratio():
    base, _ = costs(3, 40)
    assert cost_ratio(base, 2 * base).interval == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize(
    ("base", "other"), [([], []), ([1.0] * 4, [2.0] * 4), ([0.0] * 5, [1.0] * 5)]
)
def test_where_there_is_no_spread_or_no_base_there_is_no_ratio(base, other):
    assert cost_ratio(base, other) is None


def test_problems_that_one_run_lacks_are_left_out_and_unknown_costs_stay_unknown():
    first = {n: ProblemCosts(10.0, 1.0, None, 2.0) for n in "abcdef"}
    second = {n: ProblemCosts(5.0, 2.0, None, 2.0) for n in "abcde"} | {
        "g": ProblemCosts(None, None, None, None)
    }
    ratios = cost_ratios(first, second)
    assert (ratios.tokens.ratio, ratios.flops_decode.ratio, ratios.seconds.ratio) == (0.5, 2.0, 1.0)
    assert ratios.flops_total is None
