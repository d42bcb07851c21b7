"""What scores are worth: the suggested thresholds against counting, scipy, and a guarantee."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from scipy.stats import binom

from pipeline.review.calibration import RELIABLE, ScoredStep, calibration, right_at_least

STEPS = st.lists(
    st.builds(ScoredStep, st.integers(0, 9).map(float), st.booleans(), st.integers(0, 20).map(str)),
    min_size=1,
    max_size=60,
)


def steps(**scores: str) -> list[ScoredStep]:
    """`s8="rrw"`: three steps with score 8, two right and one wrong, each of its own problem."""
    return [
        ScoredStep(float(name[1:]), letter == "r", f"{name}-{number}")
        for name, letters in scores.items()
        for number, letter in enumerate(letters)
    ]


@pytest.mark.parametrize(
    ("scored", "best"),
    [
        (steps(s2="ww", s8="rr"), 5.0),
        (steps(s2="ww", s6="wrrr", s8="r" * 20), 7.0),
        (steps(s2="www", s6="r", s7="w", s8="rr"), 4.0),
        (steps(s2="rw", s8="r" * 18 + "w"), 5.0),
        (steps(s2="r", s8="r"), None),
        ([], None),
    ],
)
def test_where_right_and_wrong_are_told_apart_best(
    scored: list[ScoredStep], best: float | None
) -> None:
    assert calibration(scored).suggested_threshold == best


@pytest.mark.parametrize(
    ("scored", "reliable", "behind"),
    [
        # 0.95 ** 58 is above 0.05, so 58 right problems could come of 95 %; 59 hardly.
        (steps(s2="ww", s8="r" * 58), None, None),
        (steps(s2="ww", s8="r" * 59), 5.0, 59),
        # Repeats of one problem are no problems more.
        ([ScoredStep(8.0, True, "one")] * 5000, None, None),
        (steps(s8="r" * 59) * 3, 8.0, 177),
        # Wrong steps below a score of their own leave the higher one its promise.
        (steps(s2="w" * 9, s6="rrw", s8="r" * 59), 7.0, 59),
        # 95 % of the run's steps are no 95 % of others.
        (steps(s2="rw", s8="r" * 95 + "w" * 5), None, None),
        (steps(s2="ww", s8="r" * 990 + "w" * 10), 5.0, 1000),
        (steps(s2="w", s8="w"), None, None),
        ([], None, None),
    ],
)
def test_a_reliable_threshold_rests_on_enough_problems_and_says_on_how_many_steps(
    scored: list[ScoredStep], reliable: float | None, behind: int | None
) -> None:
    found = calibration(scored)
    assert (found.reliable_from, found.reliable_steps) == (reliable, behind)


@given(STEPS, st.integers(1, 40))
def test_reliable_steps_are_among_those_that_isotonic_regression_trusts(
    scored: list[ScoredStep], copies: int
) -> None:
    """With many problems like the run's own, they are all of them."""
    many = [
        ScoredStep(step.score, step.right, f"{step.problem} {copy}")
        for step in scored
        for copy in range(copies)
    ]
    by_score = [
        (score, [step.right for step in group])
        for score, group in itertools.groupby(
            sorted(many, key=lambda step: step.score), key=lambda step: step.score
        )
    ]
    fit = isotonic_regression(
        [np.mean(rights) for _, rights in by_score], weights=[len(rights) for _, rights in by_score]
    )
    trusted = {
        score
        for (score, _), chance in zip(by_score, fit.x, strict=True)
        if chance >= RELIABLE - 1e-9
    }
    reliable = calibration(many).reliable_from
    kept = {score for score, _ in by_score if reliable is not None and score >= reliable}
    assert kept <= trusted
    if reliable is not None:
        assert right_at_least([step for step in many if step.score >= reliable]) >= RELIABLE


@given(right=st.integers(1, 400), wrong=st.integers(0, 400))
def test_the_bound_of_independent_steps_is_below_the_exact_one(right: int, wrong: int) -> None:
    bound = right_at_least(steps(s8="r" * right + "w" * wrong))
    assert 0 <= bound <= right / (right + wrong)
    # Clopper and Pearson: as many right steps as seen, or more, by a chance of 5 % at most.
    assert binom.sf(right - 1, right + wrong, bound) <= 0.05 + 1e-9


@given(problems=st.integers(1, 200), copies=st.integers(1, 30))
def test_right_steps_promise_no_more_than_one_step_a_problem_would(
    problems: int, copies: int
) -> None:
    scored = steps(s8="r" * problems) * copies
    assert right_at_least(scored) <= 0.05 ** (1 / (problems + 1))


@pytest.mark.parametrize("alike", [1, 8], ids=["steps apart", "problems all right or all wrong"])
def test_scores_that_say_nothing_promise_nothing_where_eight_in_ten_steps_are_right(
    alike: int,
) -> None:
    chance = np.random.default_rng(0)
    promised = 0
    for _ in range(60):
        rights = np.repeat(chance.random(800 // alike) < 0.8, alike)
        scores = chance.uniform(0, 9, 800)
        scored = [
            ScoredStep(score, bool(right), str(number // 8))
            for number, (score, right) in enumerate(zip(scores, rights, strict=True))
        ]
        promised += calibration(scored).reliable_from is not None
    assert promised == 0
