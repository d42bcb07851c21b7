"""pass@k and maj@k are averages over every subset of k attempts."""

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.estimators import AnswerClass, TooFewAttempts, maj_at_k, pass_at_k


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
    return [AnswerClass(n := answers.count(name), n * (name == 0)) for name in named]


@given(st.lists(st.sampled_from([0, 1, 2, None]), min_size=1, max_size=7), st.data())
def test_maj_at_k_is_the_average_vote_over_subsets(answers, data):
    k = data.draw(st.integers(1, len(answers)))
    expected = subsets_average(answers, k, vote)
    assert maj_at_k(len(answers), classes_of(answers), k) == pytest.approx(expected)


def test_drawn_subsets_agree_with_all_of_them():
    # Two classes of 12 and 8 of 20 attempts, votes of 9: the hypergeometric tail at 5 and more.
    import scipy.stats  # noqa: PLC0415 - only this test needs it

    classes = [AnswerClass(12, 12), AnswerClass(8, 0)]
    expected = scipy.stats.hypergeom.sf(4, 20, 12, 9)
    assert maj_at_k(20, classes, 9) == pytest.approx(expected, abs=0.02)
    assert maj_at_k(20, classes, 9) == maj_at_k(20, classes, 9)


@pytest.mark.parametrize("k", [0, -1, 5])
def test_more_attempts_than_there_are_is_refused(k):
    with pytest.raises(TooFewAttempts, match=f"k is {k}, but there are 4"):
        pass_at_k(4, 2, k)
    with pytest.raises(TooFewAttempts, match="run more repeats"):
        maj_at_k(4, [AnswerClass(2, 2)], k)
