"""The power that is claimed is the power that the test has."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics import power
from evaluators.statistics.power import ChangeLaw, detectable, drawn_studies, rejections
from evaluators.statistics.sign_flips import sign_flip_p


def p_of(changes, row):
    return sign_flip_p([c for c, times in zip(changes, row, strict=True) for _ in range(times)])


@given(
    st.lists(st.integers(-8, 8), min_size=1, max_size=6, unique=True),
    st.lists(st.lists(st.integers(0, 9), min_size=6, max_size=6), min_size=1, max_size=8),
)
def test_a_study_is_found_where_its_exact_p_is_small(changes, rows):
    studies = np.array(rows)[:, : len(changes)]
    expected = [p_of(changes, row) <= 0.05 for row in studies.tolist()]
    assert rejections(changes, studies).tolist() == expected


LAWS = [
    {1: 40, 2: 12, 5: 3},
    {14: 73, 15: 50},
    {28: 30, 55: 9},
    {8: 19, 9: 15},
    {1: 100, 2: 60, 3: 30, 4: 10, 8: 4},
]
"""Changes by size, regular and not: where the expansion's lattice correction fits, and not."""


@pytest.mark.parametrize("law", LAWS)
def test_the_expansion_decides_only_where_the_exact_test_agrees(law, monkeypatch):
    sizes = tuple(law)
    values = tuple(sign * size for size in sizes for sign in (1, -1))
    chance = np.random.default_rng(7)
    won = [chance.binomial(times, chance.uniform(0.5, 0.8, 600)) for times in law.values()]
    columns = [
        column for w, times in zip(won, law.values(), strict=True) for column in (w, times - w)
    ]
    studies = np.column_stack(columns)
    decided = rejections(values, studies)
    monkeypatch.setattr(power, "NEAR", 1.0)
    assert decided.tolist() == rejections(values, studies).tolist()
    assert 0.05 < decided.mean() < 0.95


def test_most_studies_need_no_characteristic_function(monkeypatch):
    law = ChangeLaw(tuple(range(-8, 9)), tuple(scipy.stats.binom.pmf(range(17), 16, 0.512)))
    worked_out = []
    exact = power._exact
    monkeypatch.setattr(
        power,
        "_exact",
        lambda *arguments: worked_out.append(len(arguments[2])) or exact(*arguments),
    )
    rejections(law.changes, drawn_studies(law, 400))
    assert 0 < sum(worked_out) < power.STUDIES / 10


def test_large_studies_are_decided_like_small_ones(monkeypatch):
    chances = scipy.stats.binom.pmf(range(17), 16, 0.512)
    law = ChangeLaw(tuple(range(-8, 9)), tuple(chances))
    studies = drawn_studies(law, 400)[:300]
    exact = rejections(law.changes, studies)
    monkeypatch.setattr(power, "MAX_LATTICE", 0)
    assert np.mean(rejections(law.changes, studies) != exact) < 0.01
    assert 0.2 < exact.mean() < 0.95


@pytest.mark.parametrize("problems", [30, 90, 500])
def test_one_problem_that_differs_leaves_all_to_those_that_would(problems):
    # All of the changed problems go one way, and of these the test needs six.
    found = detectable([1] + [0] * (problems - 1))
    assert scipy.stats.binom.sf(5, problems, found) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("won", "lost", "problems"), [(12, 8, 100), (30, 30, 500), (9, 3, 40)])
def test_with_one_repeat_it_is_the_power_of_mcnemars_test(won, lost, problems):
    changes = [1] * won + [-1] * lost + [0] * (problems - won - lost)
    found = detectable(changes)
    share = max((won + lost) / problems, found)
    total = 0.0
    for moved in range(problems + 1):
        here = scipy.stats.binom.pmf(moved, problems, share)
        if here > 1e-9:
            ups = np.arange(moved + 1)
            p = np.array([sign_flip_p([1] * up + [-1] * (moved - up)) for up in ups])
            lean = scipy.stats.binom.pmf(ups, moved, (1 + found / share) / 2)
            total += here * lean[p <= 0.05].sum()
    assert total == pytest.approx(0.8, abs=0.03)


def test_with_many_repeats_it_is_the_power_of_studies_drawn_problem_by_problem():
    chance = np.random.default_rng(28)
    changes = chance.integers(-5, 6, 60)
    found = detectable(changes.tolist())
    sizes = np.abs(changes)
    toward = (1 + found / sizes.mean()) / 2
    p_values = []
    for _ in range(600):
        drawn = chance.choice(sizes, 60)
        signs = np.where(chance.random(60) < toward, 1, -1)
        p_values.append(sign_flip_p((drawn * signs).tolist()))
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("changes", [[], [0] * 500, [1, 0], [1, -1, 1, 1, 0]])
def test_nothing_is_said_where_nothing_could_be_found_or_known(changes):
    assert detectable(changes) is None
