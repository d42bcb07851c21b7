"""What stands around a box: when its content is the answer, and when it is part of a formula."""

import tracemalloc

import pytest

from evaluators import grade
from evaluators.finding.boxes import complete_boxes
from evaluators.finding.extract import extract

VALUES = ["42", "-7", "\\frac{1}{2}", "x^2+1", "\\sqrt{2}"]
# `@` is the box.
PART_OF_A_FORMULA = [
    *("10-@", "@/2", "5\\cdot@", "5 \\cdot @", "@\\cdot 10", "1-@+1", "@-x", "@ * 3", "@ + C"),
    *(
        "x\\ge@",
        "x > @",
        "x \\leq @",
        "\\neq@",
        "@ < x",
        "at least @",
        "n is at most @",
        "@ or more",
    ),
    *("\\log@", "\\log @", "\\ln(@)", "f(@)", "\\operatorname{foo}@", "\\foo@", "@\\foo"),
    *("@\\%\\text{ of }50", "@\\text{ thousand}", "$@$ million", "@\\text{ squared}"),
    *("@!", "$@!$", "$x = @!$ is it", "@\\pm1", "@\\times 10^3", "@\\cup[1,2]", "@ or 43"),
    *("0.@", "1.@", "@3", "@.5", "@,000", "3@", "@:2", "3:@"),
    *("$@x$", "$x@$", "@i", "@\\pi", "@\\sqrt{3}", "@(x+1)", "(x+1)@", "$(x+1)\\,@$"),
    *("\\frac{@}{2}", "\\frac{1}{@+1}", "\\sqrt{@}", "2^{@}", "$(@, 3)$", "\\lfloor @ + 1\\rfloor"),
    *("So $x=10-@$.", "\\[ x = 5 \\times @ \\]", "$@$/2", "2\\cdot(@)", "$x + 3 -$ $@$"),
    *("not $@$", "$@$ is wrong", "The result is 10-@.", "\\boxed{1}+@", "It isn't $@$"),
]
NOTHING_AROUND = [
    *("x=@", "@.", "\\therefore @", "(@)", "$$@$$", "\\[ @ \\]", "@\\quad\\blacksquare", "= @"),
    *("@\\text{ cm}", "@\\,\\text{m/s}^2", "@\\%", "\\$@", "@\\text{ dollars}", "@ m", "@ units"),
    *("- @", "* @", "• @", "> @", "### @", "1. @", "a) @", "(1) @", "| @ |", "| Answer | @ | 3 |"),
    *("**@**", "*@*", "`@`", "**Answer:** @", "<b>@</b>", "<answer>@</answer>", "--> @", "✅ @"),
    *("@ [^1]", "@[1]", "@\\tag{1}", "@ (1)", "@ (see Lemma 3)", "(see above) @", "(so it is @)"),
    *("The final answer is @!", "Yes! @", "Problem 10 - @", "Step 3: @", "Answer - @", "@ – done"),
    *("$@$ - as shown", "@, since 3 < 4", "@ = 2\\cdot 21", "$x\\equiv@\\pmod{100}$"),
    *("\\text{So the answer is } @ \\text{ as required.}", "\\mathbf{@}", "\\color{red}{@}"),
    *("\\begin{align} x &= 2\\cdot 21 \\\\ &= @ \\end{align}", "$5$ apples, so @"),
    *(
        "It costs $5 and we get @ for $3",
        "\\boxed{x}=@",
        "Not 3. @",
        "$x \\to @$",
        "\\large @",
        "__@__",
    ),
]


def verdict(frame: str, value: str) -> bool:
    return grade(frame.replace("@", f"\\boxed{{{value}}}"), value, "latex").correct


@pytest.mark.parametrize("frame", PART_OF_A_FORMULA)
def test_a_box_that_is_part_of_a_formula_is_not_the_answer(frame):
    assert [value for value in VALUES if verdict(frame, value)] == []


@pytest.mark.parametrize("frame", NOTHING_AROUND)
def test_what_only_surrounds_a_box_leaves_its_content_the_answer(frame):
    assert [value for value in VALUES if not verdict(frame, value)] == []


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("10-\\boxed{42}", "-32"),
        ("So $x = 5\\cdot\\boxed{42}$.", "210"),
        ("x\\ge\\boxed{42}", "x \\ge 42"),
        ("\\boxed{4}!", "24"),
        ("$\\boxed{1}+\\boxed{2}$", "3"),
        ("x=-\\boxed{3}", "-3"),
        ("The answer is -\\boxed{3}.", "-3"),
        ("\\boxed{1}, -\\boxed{2}", "1, -2"),
        ("\\boxed{110}_2", "110_2"),
    ],
)
def test_where_a_box_is_part_of_a_formula_the_formula_is_the_answer(output, answer):
    assert grade(output, answer, "latex").correct


def test_a_hyphen_that_touches_no_formula_is_no_minus():
    assert grade("Answer-\\boxed{42}", "42", "integer").correct


@pytest.mark.parametrize("opening", ["\\boxed{", "\\boxed{x", "\\boxed{ "])
def test_nested_boxes_take_memory_in_proportion_to_their_number(opening):
    text = opening * 10_000 + "42" + "}" * 10_000
    tracemalloc.start()
    complete_boxes(text)
    extract(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * len(text)


def test_digits_that_touch_a_box_of_digits_are_no_factor():
    assert not grade("$1\\boxed{42}$", "42", "integer").correct
