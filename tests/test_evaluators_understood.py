"""No text counts as right because a command, sign or bracket in it was passed over."""

import string

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evaluators import Status, grade

unhurried = settings(deadline=None, max_examples=300)

# None of the wraps below maps one of these to itself.
ANSWERS = ["2", "17", "-4", "\\frac{3}{7}", "\\sqrt{5}", "x+3", "(2,5)", "2\\pi", "x=7", "3.25"]
FRAMES = ["{}", "\\boxed{{{}}}", "The answer is ${}$.", "So we have \\[ \\boxed{{{}}} \\]"]
# Commands that only change how an answer looks, or whose sign stands beside it.
LOOKS = frozenset([
    "text", "mbox", "textbf", "textit", "textrm", "texttt", "textsf", "textnormal", "textsc",
    "textup", "textcirc", "mathrm", "hbox", "emph", "rm", "bf", "it", "mathsf", "mathit",
    "mathtt", "mathbf", "boldsymbol", "bm", "mathcal", "mathfrak", "mathscr", "bold", "pmb",
    "ensuremath", "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr",
    "biggl", "biggr", "Biggl", "Biggr", "bigm", "Bigm", "middle", "smash", "displaystyle",
    "textstyle", "scriptstyle", "limits", "nolimits", "mathop", "mathrel", "mathord", "boxed",
    "fbox", "framebox", "underline", "underbrace", "overbrace", "quad", "qquad", "hfill",
    "thinspace", "medspace", "thickspace", "enspace", "space", "negthinspace", "hspace", "vspace",
    "large", "Large", "LARGE", "small", "normalsize", "strut", "mathstrut", "par", "newline",
    "nonumber", "notag", "noindent", "allowbreak", "nobreak", "item", "centering", "cr",
    "therefore", "because", "implies", "iff", "Rightarrow", "Longrightarrow", "Leftrightarrow",
    "Longleftrightarrow", "color", "textcolor", "approx", "simeq", "doteq", "approxeq",
    "colonequals", "phantom", "hphantom", "vphantom", "tag", "label", "ref", "eqref", "pagecolor",
    "xlabel", "vec", "overrightarrow", "widehat", "angle", "measuredangle", "qed", "checkmark",
    "star", "bigstar", "square", "Box", "blacksquare", "degree", "circ", "textdegree", "percent",
    "prime", "pounds", "euro", "pmod",
])  # fmt: skip
# Functions that leave one positive number as it is.
NEUTRAL = frozenset(
    {"abs", "norm", "max", "min", "gcd", "lcm", "floor", "ceil", "ceiling", "Re", "sgn"}
)
CHANGING = [
    "\\sqrt{{{}}}", "\\sin({})", "\\cos{{{}}}", "\\ln({})", "e^{{{}}}", "-({})", "\\neg {}",
    "\\lnot {}", "\\neq {}", "\\ne {}", "\\not {}", "\\not= {}", "< {}", "\\le {}", "\\ge {}",
    "\\subset {}", "\\notin {}", "\\sim {}", "\\perp {}", "\\mapsto {}", "\\overline{{{}}}",
    "\\bar{{{}}}", "\\hat{{{}}}", "\\tilde{{{}}}", "\\dot{{{}}}", "\\ddot{{{}}}",
    "\\cancel{{{}}}", "\\xcancel{{{}}}", "\\sout{{{}}}", "\\operatorname{{foo}}({})",
    "\\operatorname{{foo}} {}", "\\operatorname{{foo}}{{{}}}", "\\mathrm{{foo}}({})",
    "\\text{{foo}}({})", "foo({})", "\\foo{{{}}}", "\\foo {}", "\\foo*{{{}}}", "\\foo({})",
    "\\sinc{{{}}}", "\\mathbb{{{}}}", "\\begin{{foo}}{}\\end{{foo}}",
    "\\begin{{Vmatrix}}{}\\end{{Vmatrix}}", "\\square {}", "\\star {}", "\\stackrel{{a}}{{=}}{}",
    "\\overset{{a}}{{{}}}", "\\sideset{{}}{{'}}{{{}}}", "\\_{}", "\\#{}", "#{}", "@{}",
    "\\~{{{}}}", "\\={}", "∂{}", "¬{}", "∜{}", "≉{}", "≮{}", "∇{}", "⁻{}", "({})^{{2}}",
    "({})^{{foo}}", "({})^{{\\foo}}", "({})^{{\\dagger}}", "({})²", "({})\u0338", "({})\u0305",
    "\\lim_{{x \\to 0}} \\foo {}", "/{}", "*{}", "\\times {}", "\\div {}", "\\cup {}",
    "\\setminus {}", "\\to {}", "\\pmod {}", "\\bmod {}", "!{}", "'{}", "\\frac {}", "\\binom {}",
    "\\root {}", "\\Pr {}", "\\dim {}", "({})/", "({})^", "({})_", "({})-", "({})+", "({})<",
    "({})\\ne", "({}) =", "\\{{{}", "({}", "[{}", "{{{}", "|{}", "\\lvert {}", "\\lfloor {}",
    "\\left| {}", "\\left( {}", "minus {}", "negative {}", "not {}", "half of {}",
    "the square root of {}", "less than {}", "at least {}", "{} or more", "{} is wrong",
    "{} million", "{} squared", "${}$ million", "$-\\boxed{{{}}}$", "$\\boxed{{{}}}^2$",
]  # fmt: skip


@unhurried
@given(st.sampled_from(CHANGING), st.sampled_from(ANSWERS), st.sampled_from(FRAMES))
@example("\\sqrt{{{}", "2", "\\boxed{{{}}}")
@example("-\\sqrt{{{}", "2", "\\boxed{{{}}}")
def test_what_changes_an_answer_or_may_change_it_never_leaves_it_correct(wrap, answer, frame):
    assume("boxed" not in wrap or "boxed" not in frame)
    assume("$" not in wrap or "$" not in frame)
    verdict = grade(frame.format(wrap.format(answer)), answer, "latex")
    assert verdict.status is not Status.CORRECT, verdict.explanation


@pytest.mark.parametrize("wrap", CHANGING)
@pytest.mark.parametrize("answer", ["2", "\\frac{3}{7}"])
def test_no_wrapped_number_counts_as_the_number(wrap, answer):
    verdict = grade(wrap.format(answer), answer, "latex")
    assert verdict.status is not Status.CORRECT, verdict.explanation


@unhurried
@given(
    st.text(string.ascii_letters, min_size=2, max_size=8).filter(
        lambda name: name not in LOOKS | NEUTRAL
    ),
    st.sampled_from(["\\{}{{{}}}", "\\{} {}", "\\{}({})", "\\{}*{{{}}}"]),
    st.sampled_from(["17", "\\frac{3}{7}", "2\\pi", "x+3"]),
    st.sampled_from(FRAMES),
)
def test_a_command_of_unknown_meaning_never_leaves_an_answer_correct(name, form, answer, frame):
    verdict = grade(frame.format(form.format(name, answer)), answer, "latex")
    assert verdict.status is not Status.CORRECT, verdict.explanation


@unhurried
@given(st.sampled_from(["\\sqrt{2}", "\\frac{1}{2}", "\\sqrt{\\frac{2}{3}}", "x^{2}"]), st.data())
def test_a_lost_brace_is_never_read_over(answer, data):
    places = [place for place, sign in enumerate(answer) if sign in "{}"]
    lost = data.draw(st.sampled_from(places[:-1]))
    broken = answer[:lost] + answer[lost + 1 :]
    for gold in ("2", "1", "12", "x2", "\\frac{2}{3}"):
        for frame in FRAMES[:2]:
            assert grade(frame.format(broken), gold, "latex").status is not Status.CORRECT


@pytest.mark.parametrize(
    ("opening", "times"), [("\\sqrt{", 40), ("\\sqrt{", 5_000), ("\\sin{", 200), ("-", 60_001)]
)
def test_towers_of_any_height_are_not_their_argument(opening, times):
    closing = "}" * times if opening.endswith("{") else ""
    verdict = grade(f"\\boxed{{{opening * times}2{closing}}}", "2", "latex")
    assert verdict.status is not Status.CORRECT


@pytest.mark.parametrize(
    "look",
    [
        "\\mathbf{{{}}}", "\\boxed{{{}}}", "\\displaystyle {}", "\\left({}\\right)", "{{{}}}",
        "\\bm{{{}}}", "\\color{{red}}{}", "\\underline{{{}}}", "\\ensuremath{{{}}}", "\\quad {}",
        "{}\\,", "{}\\blacksquare", "✅ {}", "{}.", "{}\\checkmark", "\\therefore {}", "= {}",
        "\\approx {}", "“{}”", "`{}`",
    ],
)  # fmt: skip
@pytest.mark.parametrize("answer", ["17", "\\frac{3}{7}", "x+3"])
def test_what_only_changes_the_looks_leaves_an_answer_correct(look, answer):
    verdict = grade(look.format(answer), answer, "latex")
    assert verdict.status is Status.CORRECT, verdict.explanation


@pytest.mark.parametrize(
    "text", ["\\foo{2}", "\\operatorname{foo}(2)", "\\sqrt{2", "\\overset{a}{2}", "\\cancel{2}"]
)
def test_the_same_text_is_the_same_answer_though_it_is_not_understood(text):
    assert grade(text, text, "latex").status is Status.CORRECT
    assert grade(text, text.replace("2", "3"), "latex").status is not Status.CORRECT
