"""What scores are worth: the suggested thresholds against counting and against scipy."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from pipeline.calibration import RELIABLE, ScoredStep, calibration

STEPS = st.lists(
    st.builds(ScoredStep, st.integers(0, 9).map(float), st.booleans()), min_size=1, max_size=60
)


def steps(**scores: str) -> list[ScoredStep]:
    """`s8="rrw"`: three steps with score 8, two right and one wrong."""
    return [
        ScoredStep(float(name[1:]), letter == "r")
        for name, letters in scores.items()
        for letter in letters
    ]


@pytest.mark.parametrize(
    ("scored", "best", "reliable"),
    [
        (steps(s2="ww", s8="rr"), 5.0, 5.0),
        (steps(s2="ww", s6="wrrr", s8="r" * 20), 7.0, 7.0),
        (steps(s2="www", s6="r", s7="w", s8="rr"), 4.0, 7.5),
        (steps(s2="rw", s8="r" * 18 + "w"), 5.0, None),
        (steps(s2="rw", s8="r" * 19 + "w"), 5.0, 5.0),
        (steps(s2="r", s8="r"), None, 2.0),
        (steps(s2="w", s8="w"), None, None),
        ([], None, None),
    ],
)
def test_where_the_thresholds_lie(
    scored: list[ScoredStep], best: float | None, reliable: float | None
) -> None:
    found = calibration(scored)
    assert (found.suggested_threshold, found.reliable_from) == (best, reliable)


@given(STEPS)
def test_reliable_steps_are_those_that_isotonic_regression_trusts(scored: list[ScoredStep]) -> None:
    by_score = [
        (score, [step.right for step in group])
        for score, group in itertools.groupby(
            sorted(scored, key=lambda step: step.score), key=lambda step: step.score
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
    reliable = calibration(scored).reliable_from
    kept = {score for score, _ in by_score if reliable is not None and score >= reliable}
    assert kept == trusted
