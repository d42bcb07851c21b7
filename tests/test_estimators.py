"""pass@k and maj@k are averages over every subset of k attempts."""

import itertools
import math
import statistics

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evaluators.statistics.estimators import (
    AnswerClass,
    TooFewAttempts,
    maj_at_k,
    pass_at_k,
    votes_are_countable,
)


def subsets_average(attempts, k, credit):
    return statistics.fmean(credit(chosen) for chosen in itertools.combinations(attempts, k))


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_attempt(right, data):
    k = data.draw(st.integers(1, len(right)))
    assert pass_at_k(len(right), sum(right), k) == pytest.approx(subsets_average(right, k, any))


def test_pass_at_one_is_the_mean_and_pass_at_n_any_correct():
    assert pass_at_k(4, 1, 1) == 0.25
    assert pass_at_k(4, 1, 4) == 1


def vote(chosen):
    """The share of the most voted answers that is right; answer 0 is, None does not vote."""
    votes = [answer for answer in chosen if answer is not None]
    if not votes:
        return 0
    most = max(votes.count(answer) for answer in votes)
    winners = {answer for answer in votes if votes.count(answer) == most}
    return (0 in winners) / len(winners)


def classes_of(answers):
    named = sorted({answer for answer in answers if answer is not None})
    return tuple(AnswerClass(n := answers.count(name), n * (name == 0)) for name in named)


@given(st.lists(st.sampled_from([0, 1, 2, None]), min_size=1, max_size=7), st.data())
def test_maj_at_k_is_the_average_vote_over_subsets(answers, data):
    k = data.draw(st.integers(1, len(answers)))
    expected = subsets_average(answers, k, vote)
    assert maj_at_k(len(answers), classes_of(answers), k) == pytest.approx(expected)


def test_two_classes_are_the_hypergeometric_tail():
    # 12 and 8 of 20 attempts, votes of 9: the chance of 5 and more, over 167,960 subsets.
    classes = (AnswerClass(12, 12), AnswerClass(8, 0))
    expected = scipy.stats.hypergeom.sf(4, 20, 12, 9)
    assert maj_at_k(20, classes, 9) == pytest.approx(expected, rel=1e-12)


def test_maj_at_k_is_exact_where_there_are_many_subsets():
    # 646,646 of 22 attempts with three classes and silent ones, each subset voted on one by one.
    classes = (AnswerClass(9, 9), AnswerClass(8, 0), AnswerClass(3, 1))
    ways = total = 0
    for a, b, c in itertools.product(range(10), range(9), range(4)):
        if 0 <= 10 - a - b - c <= 2:
            of_these = math.comb(9, a) * math.comb(8, b) * math.comb(3, c)
            of_these *= math.comb(2, 10 - a - b - c)
            worth = [w for v, w in ((a, 1), (b, 0), (c, 1 / 3)) if v == max(a, b, c)]
            ways += of_these * statistics.fmean(worth)
            total += of_these
    assert total == math.comb(22, 10)
    assert maj_at_k(22, classes, 10) == pytest.approx(ways / total, rel=1e-12)


def test_all_of_many_attempts_are_one_vote():
    assert maj_at_k(5_000, (AnswerClass(2_000, 2_000), AnswerClass(2_000, 0)), 5_000) == 0.5


@pytest.mark.parametrize(("attempts", "k"), [(257, 9), (512, 127), (2_000, 31), (8_192, 7)])
def test_a_part_of_many_attempts_is_exact(attempts, k):
    right = attempts * 11 // 20
    classes = (AnswerClass(right, right), AnswerClass(attempts - right, 0))
    expected = scipy.stats.hypergeom.sf(k // 2, attempts, right, k)
    assert maj_at_k(attempts, classes, k) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("attempts", "k", "countable"),
    [(256, 255, True), (8_192, 8, True), (500, 250, False), (100_000, 100_000, True)],
)
def test_votes_are_counted_where_the_work_is_bounded(attempts, k, countable):
    assert votes_are_countable(attempts, k) == countable


@pytest.mark.parametrize("k", [0, -1, 5])
def test_more_attempts_than_there_are_is_refused(k):
    with pytest.raises(TooFewAttempts, match=f"k is {k}, but there are 4"):
        pass_at_k(4, 2, k)
    with pytest.raises(TooFewAttempts, match="run more repeats"):
        maj_at_k(4, (AnswerClass(2, 2),), k)
