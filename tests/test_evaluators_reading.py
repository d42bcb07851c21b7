# ruff: noqa: RUF001 - signs that look alike are what these cases are about
"""How an answer's text is read: one typed tree, or no reading at all."""

from fractions import Fraction

import pytest

from evaluators.comparing.equivalence import readings
from evaluators.nodes import (
    Based,
    Listing,
    Mat,
    Num,
    Op,
    Quantity,
    Rel,
    Seq,
    Sym,
    Unreadable,
    Words,
)
from evaluators.numbers.exact import exact_value
from evaluators.reading.lexer import MAX_ANSWER
from evaluators.reading.parser import read

NUMBERS = [
    ("42", 42),
    ("-5", -5),
    ("−5", -5),
    ("1,234", 1234),
    ("1{,}234", 1234),
    ("13~535", 13535),
    ("1\\,000\\,000", 10**6),
    ("0.125", Fraction(1, 8)),
    (".5", Fraction(1, 2)),
    ("\\frac12", Fraction(1, 2)),
    ("\\dfrac{1}{2}", Fraction(1, 2)),
    ("{1 \\over 2}", Fraction(1, 2)),
    ("½", Fraction(1, 2)),
    ("2\\frac{1}{2}", Fraction(5, 2)),
    ("-2 1/2", Fraction(-5, 2)),
    ("0.\\overline{142857}", Fraction(1, 7)),
    ("0.333...", Fraction(1, 3)),
    ("1.5\\times 10^{-3}", Fraction(3, 2000)),
    ("5.1e-2", Fraction(51, 1000)),
    ("2^{10}", 1024),
    ("5!", 120),
    ("\\binom{5}{2}", 10),
    ("\\sqrt{16}", 4),
    ("8^{2/3}", 4),
    ("\\lfloor 3.7\\rfloor", 3),
    ("|{-5}|", 5),
    ("४२", 42),
    ("𝟒𝟐", 42),
    ("five", 5),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_numbers_are_read_exactly(text, value):
    assert exact_value(readings(text)[0]) == value


SHAPES = [
    ("(1, 2)", Seq),
    ("[0, 1)", Seq),
    ("]0, 1[", Seq),
    ("\\{1, 2\\}", Seq),
    ("1, 2", Listing),
    ("1 \\text{ or } 2", Listing),
    ("x = 5", Rel),
    ("0 < x \\le 1", Rel),
    ("52_8", Based),
    ("10\\text{ cm}^2", Quantity),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", Mat),
    ("east", Words),
    ("(-\\infty, 1) \\cup (2, \\infty)", Op),
    ("x", Sym),
    ("7", Num),
]


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_each_kind_of_answer_has_its_type(text, shape):
    assert isinstance(readings(text)[0], shape)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "((1, 2)",
        "\\frac{1}",
        "5 \\text{ or so } 6",
        "x^",
        "9" * 5000,
        "(" * 100 + ")" * 100,
    ],
)
def test_what_is_no_answer_is_not_read(text):
    with pytest.raises(Unreadable, match=r"[a-z]"):
        read(text)


def test_an_answer_longer_than_the_limit_is_compared_as_text_only():
    assert readings("1+" * MAX_ANSWER + "1") == ()


def test_a_comma_between_digits_can_be_a_list_or_a_number():
    number, listing, *_ = readings("1,234")
    assert isinstance(number, Num)
    assert isinstance(listing, Listing)


def test_two_numbers_in_brackets_are_never_thousands():
    assert {type(tree) for tree in readings("(36,104)")} == {Seq}
