# ruff: noqa: RUF001 - full-width punctuation of other scripts
"""Where an output states its answer, and the rule that finds it."""

import sys
from collections.abc import Callable

import pytest

from evaluators.finding.choice import chosen_letter
from evaluators.finding.extract import extract
from evaluators.finding.spans import statement

STATED = [
    ("so \\boxed{42}.", "42", "box"),
    ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}", "box"),
    ("\\boxed{1}, no: \\boxed{2}", "2", "box"),
    ("\\boxed{\\boxed{7}}", "7", "box"),
    ("\\fbox{7}", "7", "box"),
    ("\\boxed 7", "7", "box"),
    ("\\boxed{1} and \\boxed{2}", "1, 2", "boxes"),
    ("<think>\\boxed{1}</think>It is \\boxed{2}.", "2", "box"),
    ("reasoning \\boxed{1}</think>\\boxed{2}", "2", "box"),
    ("<think>\\boxed{1}</think>", "1", "box"),
    ("\\boxed{5}. Wait, that is wrong; the answer is 6.", "6", "marker"),
    ("The final answer is $42$. I hope it is correct.", "42", "marker"),
    ("The answer is: -50", "-50", "marker"),
    ("Answer - 42", "42", "marker"),
    ("**Answer:** $\\frac12$", "\\frac12", "marker"),
    ("steps\n#### 42", "42", "marker"),
    ("### Final Answer\n\n$$42$$", "42", "marker"),
    ("The answer is $28$ %.", "$28$ %", "marker"),
    ("答案：A", "A", "marker"),
    ("<answer>7</answer>", "7", "answer_tag"),
    ("x^2 + 1", "x^2 + 1", "bare"),
    ("First 6*7.\n42", "42", "last_line"),
    ("\\boxed{42}<|im_end|>", "42", "box"),
]


@pytest.mark.parametrize(("output", "answer", "rule"), STATED)
def test_the_stated_answer_is_found_by_its_rule(output, answer, rule):
    found = extract(output)
    assert found is not None
    assert (found.text, found.rule) == (answer, rule)


@pytest.mark.parametrize(
    "output",
    ["", "  \n ", "\\boxed{}", "I refuse to answer.", "Steps...\nI could not finish; maybe 480."],
)
def test_without_a_stated_answer_nothing_is_guessed(output):
    assert extract(output) is None


def test_a_box_at_the_end_of_a_very_long_output_is_found():
    found = extract("We find x = 7. " * 100_000 + "\\boxed{42}")
    assert found is not None
    assert found.text == "42"


def lines_run(function: Callable[[str], object], text: str) -> int:
    """Count the lines of Python that a call runs."""
    count = 0

    def trace(_frame: object, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "{", "}", "$", "\\left(", "**", "answer ", "<think>"]
)
def test_extraction_is_linear_in_unclosed_markup(piece):
    small, large = (lines_run(extract, piece * count + "42") for count in (500, 5_000))
    assert large <= 11 * small


@pytest.mark.parametrize(
    ("output", "letter", "rule"),
    [
        ("The answer is (C).", "C", "marker"),
        ("\\boxed{\\text{(C)}}", "C", "box"),
        ("C", "C", "bare"),
        ("we ruled out A, then B, settled on C", "C", "marker"),
        ("A and C", None, "bare_hedge"),
        ("\\boxed{AC}", None, "box_hedge"),
    ],
)
def test_a_letter_is_what_the_output_commits_to(output, letter, rule):
    found = chosen_letter(output)
    assert found is not None
    assert (found.letter, found.rule) == (letter, rule)


def test_an_output_without_a_letter_chooses_none():
    assert chosen_letter("I cannot answer this question.") is None


STANDS_BY_B = [
    *("Only option B works.", "Only B is consistent with the data.", "This leaves only B."),
    *("Eliminating A, C and D leaves B.", "A is wrong, C fails. So B.", "I choose B, not A."),
    "I eliminate A and C, so the answer is B.",
    "Having ruled out A and C the answer is B.",
    "I reject A, C and D. The answer is B.",
    *("The answer is B. Not A, not C.", "The answer is B because A is wrong.", "Therefore, B."),
    *("Is it B? Yes, the answer is B.", "B is correct; A is not.", "We can't exclude B. Answer: B"),
    *("I do not reject B; the answer is B.", "The only option that works is B.", "\\boxed{B}"),
]
DOES_NOT_STAND_BY_B = [
    *("I reject B.", "I can rule out B.", "Eliminate B.", "We discard option B.", "I dismiss (B)."),
    *("Anything but B.", "All but B.", "Everything except B.", "The wrong answer is B.", "Not B."),
    *(
        "B is wrong.",
        "Option B fails.",
        "B does not work.",
        "B can't be right.",
        "B is eliminated.",
    ),
    *("The answer is not B.", "The answer isn't B.", "The answer cannot be B.", "Never choose B."),
    *("I would not choose B.", "I don't think it's B.", "It is definitely not (B)."),
    "The answer is B?? Hmm, I am not sure. It could be C.",
    *("Is it B? Maybe, or C.", "The answer is B? No.", "B and C are both possible."),
    *("A is right, B is wrong.", "Only A works, B fails.", "The answer is B or C."),
]


@pytest.mark.parametrize("output", STANDS_BY_B)
def test_a_letter_that_the_last_clause_about_it_affirms_is_chosen(output):
    found = chosen_letter(output)
    assert found is not None
    assert found.letter == "B"


@pytest.mark.parametrize("output", DOES_NOT_STAND_BY_B)
def test_a_letter_that_the_last_clause_about_it_rejects_or_doubts_is_not_chosen(output):
    found = chosen_letter(output)
    assert found is None or found.letter != "B"


def test_a_statement_ends_within_any_run_of_blanks_without_trying_each_of_them():
    # Tried from every blank of the run this is 10**11 steps, and does not end.
    assert statement(f"$3$, x{' ' * 500_000}y. z") == f"$3$, x{' ' * 500_000}y"
