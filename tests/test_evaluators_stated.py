"""What a sentence states: a value, or only something about one; what a thing is, or is not."""

import pytest

from evaluators import grade


@pytest.mark.parametrize(
    "output",
    [
        *("The answer is between 40 and 42.", "between 40 and 42", "x is between 40 and 42"),
        *("The answer lies between 40 and 42.", "The answer is from 40 to 42.", "40 to 42"),
        *("The answer is one of 40, 42", "The answer is close to 42", "The answer is next to 42"),
        *("The answer is divisible by 42.", "The answer is at most 42.", "The answer is not 42"),
    ],
)
def test_words_that_bound_or_describe_a_value_do_not_state_it(output):
    assert not grade(output, "42", "integer").correct


@pytest.mark.parametrize(
    "output",
    [
        *("The answer simplifies to 42.", "The total comes to 42", "The answer is 42."),
        *("The answer is equal to 42.", "The clock points at 42", "It increases by 42"),
        *("First 40, then 42", "The answer is 42 apples", "Adding 40 and 2 gives 42"),
    ],
)
def test_words_that_announce_a_value_state_it(output):
    assert grade(output, "42", "integer").correct


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        *(("It was Alice.", "Alice"), ("So it was Alice.", "Alice"), ("It's Alice.", "Alice")),
        *(("The function is even.", "even"), ("\\boxed{The function is even}", "even")),
        *(("The winner is Alice.", "Alice"), ("The curve is a circle.", "circle")),
        ("Some reasoning.\nThis function is even.", "even"),
    ],
)
def test_a_sentence_that_says_what_its_subject_is_states_it(output, gold):
    assert grade(output, gold, "text").correct


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        *(("It was not Alice.", "Alice"), ("It was Alice or Bob.", "Alice")),
        *(("Is it Alice?", "Alice"), ("It might be Alice", "Alice")),
        *(("Bob thinks the thief is Alice", "Alice"), ("The thief is Bob, not Alice.", "Alice")),
        *(("The function is never even.", "even"), ("The function is neither even nor odd", "odd")),
        *(("The wrong answer is Alice.", "Bob"), ("The other function is even.", "even")),
        ("The function is not even.", "even"),
        ("off", "on"),
    ],
)
def test_a_sentence_that_denies_doubts_or_asks_states_nothing(output, gold):
    assert not grade(output, gold, "text").correct
