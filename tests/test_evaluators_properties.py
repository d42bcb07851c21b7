"""What must hold for every answer: symmetry, re-reading, indifference to spelling, no surprises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators import Status, grade, same_answer
from evaluators.comparing.equivalence import compare
from evaluators.comparing.scalars import Policy
from evaluators.nodes import Listing, Num, Op, Seq, Sym
from evaluators.reading.render import render
from evaluators.verdict import Outcome

# Examples are not timed: what else runs on the machine is no property of the grader.
unhurried = settings(deadline=None)

integers = st.integers(-999, 999)
numbers = st.fractions(-50, 50, max_denominator=40).map(Num)
symbols = st.sampled_from("xyabn").map(Sym)
formulas = st.recursive(
    numbers | symbols,
    lambda inner: (
        st.builds(
            lambda name, a, b: Op(name, (a, b)), st.sampled_from(["add", "mul"]), inner, inner
        )
        | st.builds(lambda a: Op("pow", (a, Num(2))), inner)
        | st.builds(lambda a: Op("neg", (a,)), inner)
    ),
    max_leaves=6,
)
answers = (
    formulas
    | st.lists(formulas, min_size=2, max_size=3).map(lambda items: Seq(tuple(items), "(", ")"))
    | st.lists(formulas, min_size=2, max_size=3).map(lambda items: Listing(tuple(items), ","))
)
texts = answers.map(render)
# Characters that answers are made of, to build text that is nearly an answer.
scraps = st.lists(
    st.sampled_from(
        ["\\frac", "{", "}", "\\sqrt", "(", ")", "[", "]", ",", "1", "2", "x", "^", "_", "=", "<",
         "\\text{", " ", "\\boxed{", "$", "or", "!", "%", "|", "\\left", "\\begin{pmatrix}", "&",
         "\\\\", "\\pm", "π", "½", "²", "\\{", "\\cup", ":", ".", "e", "i", "log", "\\infty", "-"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@unhurried
@given(texts)
def test_an_answer_equals_itself_after_rendering(text):
    assert same_answer(text, text.replace(" ", "  "), "latex") is True


@unhurried
@given(texts, texts)
def test_equality_is_symmetric(a, b):
    assert same_answer(a, b, "latex") == same_answer(b, a, "latex")


@unhurried
@given(scraps, scraps)
def test_equality_of_near_answers_is_symmetric(a, b):
    assert same_answer(a, b, "latex") == same_answer(b, a, "latex")


@unhurried
@given(
    texts,
    st.sampled_from(
        [
            "{}",
            " {} ",
            "${}$",
            "\\({}\\)",
            "$${}$$",
            "{}.",
            "\\boxed{{{}}}",
            "The answer is ${}$.",
            "**Answer:** ${}$",
            "so we get \\[\\boxed{{{}}}.\\]",
            "<think>perhaps 17?</think>\n\\boxed{{{}}}",
        ]
    ),
)
def test_what_surrounds_an_answer_does_not_matter(text, frame):
    assert grade(frame.format(text), text, "latex").status is Status.CORRECT


@unhurried
@given(texts)
def test_sizing_and_fraction_style_do_not_matter(text):
    styled = text.replace("(", "\\left(").replace(")", "\\right)").replace("\\frac", "\\dfrac")
    assert same_answer(text, styled, "latex") is True


@unhurried
@given(integers, integers)
def test_integers_are_equal_exactly_when_they_are(a, b):
    assert same_answer(str(a), str(b), "integer") is (a == b)


@unhurried
@given(st.integers(0, 999))
def test_leading_zeros_do_not_change_an_integer(value):
    assert grade(f"{value:03d}", str(value), "integer").correct
    assert grade(str(value), f"{value:03d}", "integer").correct


def test_711_is_not_11():
    assert not grade("711", "11", "integer").correct


@unhurried
@given(formulas, formulas)
def test_terms_and_factors_commute(a, b):
    for name in ("add", "mul"):
        left, right = render(Op(name, (a, b))), render(Op(name, (b, a)))
        assert same_answer(left, right, "latex") is True


@unhurried
@given(formulas)
def test_one_more_is_another_answer(formula):
    more = render(Op("add", (formula, Num(1))))
    assert compare(render(formula), more, Policy()).outcome is not Outcome.EQUAL


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["latex", "integer", "choice", "text"]))
def test_any_text_gets_a_verdict(text, kind):
    assert grade(text, "A" if kind == "choice" else "42", kind).status in Status


@settings(max_examples=300, deadline=None)
@given(scraps, scraps)
def test_any_near_answer_gets_a_verdict(answer, gold):
    assert grade(answer, gold, "latex").status in Status


@pytest.mark.parametrize("kind", ["latex", "integer", "text"])
def test_lone_surrogates_and_null_bytes_get_a_verdict(kind):
    assert grade("\udc80 \x00 42", "42", kind).status in Status
