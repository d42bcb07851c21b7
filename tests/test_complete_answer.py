"""When a step states a complete answer, and when it only speaks of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_world import World, telling

from pipeline.problems.prompting import open_prompt_set, task_prompt
from pipeline.reasoners.complete_answer import AnswerForm, answer_form, is_thinking, states_answer
from pipeline.reasoners.step_ends import track_answer
from pipeline.records import Stop

KINDS = ("integer", "latex", "choice", "text")


def form(kind, options=4):
    """The form that the standard prompt of a kind asks for."""
    problem = World(kind=kind, choices=("x",) * options if kind == "choice" else ()).problem
    return answer_form(problem, task_prompt(open_prompt_set("standard"), problem, "").text)


def states(kind, text, thinking):
    return states_answer(text, form(kind), thinking=thinking)


ANSWERS = [
    ("integer", r"So \boxed{204}."),
    ("integer", r"The answer is $\boxed{-3}$."),
    ("integer", r"\boxed{025}"),
    ("integer", "Therefore\n\\[\n\\boxed{1{,}024}.\n\\]\n"),
    ("integer", r"Hence $n = \boxed{7}$, which is what was asked for."),
    ("integer", r"\boxed{x = 12}"),
    ("integer", r"\boxed{12 \text{ cm}}"),
    ("integer", r"\boxed{45^\circ}"),
    ("integer", r"\boxed{50\%}"),
    ("integer", r"\boxed{\text{42}}"),
    ("integer", r"\boxed{\frac{10}{2}}"),
    ("integer", r"If 3 is even, we are done. It is not. So the answer is \boxed{8}."),
    ("integer", r"The user wants \boxed{integer}. All in all \boxed{5}."),
    ("integer", r"What is the answer? It is \boxed{5}."),
    ("integer", r"What is the sum? The answer is \boxed{5}."),
    ("integer", r"Each of the roots works, so there are \boxed{6} of them."),
    ("integer", "</think>\n\nThe answer is\n\n\\boxed{7}"),
    ("integer", "Is it \\boxed{3}? Let me check.</think>\n\n\\boxed{7}"),
    ("integer", r"So the number of possible rolls is \(\boxed{20}\)."),
    ("integer", r"If $a = 1$, \[b = 2.\]Therefore the largest is \boxed{6}."),
    ("integer", r"So the number of workers required is \boxed{3}."),
    ("integer", r"\boxed{9x = 1440 \Rightarrow x = 160}"),
    ("integer", r"\boxed{\text{Thus the volume is }4^3=64.}"),
    ("integer", r"Altogether it is, in total, \boxed{20} times."),
    ("integer", r"In \frac{5!}{3!} ways, so the answer is \boxed{20}."),
    ("latex", r"So the value is \boxed{\frac{3}{8}}."),
    ("latex", r"\boxed{\emptyset}"),
    ("latex", r"So $x \in \boxed{[0, 7)}$."),
    ("latex", r"So the solution is \boxed{x \ge 2}."),
    ("latex", r"\boxed{\{\}}"),
    ("latex", r"So this is \boxed{3} and \boxed{5}."),
    ("latex", r"Hence the polynomial is \boxed{(x-1)(x+1)}."),
    ("latex", r"That is so if and only if $x = \boxed{2}$."),
    ("latex", r"Thus \fbox{12}."),
    ("text", r"So the capital is \boxed{\text{Paris}}."),
    ("text", r"\boxed{no solution}"),
    ("choice", r"\boxed{B}"),
    ("choice", r"So it is \boxed{\text{(C)}}."),
    ("choice", r"The energy is 14 eV, so the answer is: \boxed{A. 14 eV}"),
]  # fmt: skip
NO_ANSWERS = [
    ("integer", r"The user wants \boxed{integer}."),
    ("integer", r"I need to give it in the form \boxed{answer}."),
    ("integer", r"\boxed{...}"),
    ("integer", r"\boxed{?}"),
    ("integer", r"\boxed{\text{}}"),
    ("integer", r"I will put it in a \boxed at the end"),
    ("integer", r"\boxed{"),
    ("integer", r"\boxed{}"),
    ("integer", r"\boxed 5"),
    ("integer", r"\boxed{\frac{1}{2}}"),
    ("integer", r"\boxed{3.5}"),
    ("integer", r"\boxed{x}"),
    ("integer", r"\boxed{3, 5}"),
    ("integer", r"\boxed{n+1}"),
    ("integer", r"So is it \boxed{12}?"),
    ("integer", r"Maybe \boxed{12}."),
    ("integer", r"Suppose the answer is \boxed{12}. Then the sum is even."),
    ("integer", r"If $n = 3$ then \boxed{9}."),
    ("integer", r"It could be \boxed{12}."),
    ("integer", r"We have to look again. Is the answer \boxed{12}"),
    ("integer", r"It might then be \boxed{12}."),
    ("integer", r"It seems that this is \boxed{12}."),
    ("integer", r"\boxed{12}. Wait, that counts twice."),
    ("integer", r"So \boxed{12}. But I should check it."),
    ("integer", r"The answer is not \boxed{12}."),
    ("integer", r"It cannot be \boxed{12}."),
    ("integer", r"They expect the final answer in a form such as \boxed{42}."),
    ("integer", r"Put the result inside \boxed{42}."),
    ("integer", r"At the end I will write \boxed{42}."),
    ("integer", r"For example, \boxed{42}."),
    ("integer", "It is 12. The answer is 12."),
    ("integer", "the word boxed"),
    ("latex", r"The final answer goes in \boxed{answer}."),
    ("latex", r"\boxed{\text{answer}}"),
    ("latex", r"\boxed{\text{your answer}}"),
    ("latex", r"\boxed{\ldots}"),
    ("latex", r"\boxed{\square}"),
    ("latex", r"\boxed{\phantom{}}"),
    ("latex", r"\boxed{\_\_}"),
    ("latex", r"\boxed{<answer>}"),
    ("latex", r"Is it $\boxed{\frac{3}{8}}$? Let me check."),
    ("latex", r"Let us guess \boxed{\pi}."),
    ("text", r"The instructions ask for \boxed{answer}."),
    ("text", r"\boxed{Final answer here}"),
    ("choice", r"\boxed{letter}"),
    ("choice", r"\boxed{X}"),
    ("choice", r"\boxed{14}"),
    ("choice", r"\boxed{A} or \boxed{B}"),
    ("choice", r"\boxed{A or B}"),
    ("choice", "If the answer is A, then the mass is negative."),
    ("choice", "So the answer is B? Let me check."),
    ("choice", "Maybe the answer is A. But wait"),
    ("choice", "Suppose the answer is C. Then"),
    ("choice", "the answer A is wrong"),
    ("choice", "ANSWER: X"),
    ("choice", "answer: I don't know yet"),
    ("choice", "The answer: a value in eV"),
    ("choice", "The answer I need is the energy E"),
    ("choice", "The answer is A or B."),
    ("choice", "The answer is a matter of taste."),
    ("choice", "The answer is not A."),
    ("choice", "The wrong answer is A."),
    ("choice", "I think the answer is B."),
    ("choice", "The answer is B. Hmm, no."),
    ("choice", "x is 14 (B)"),
]  # fmt: skip
# For multiple choice, outside a thinking block only.
STATED_LETTERS = [
    "The answer is B.",
    "The answer is (B).",
    "The answer is (b).",
    "**Answer: B**",
    "Answer: **B**",
    "ANSWER: D",
    "The correct answer is option C.",
    "Final answer: A",
    "The answer is $D$.",
    "It is not B; the answer is A.",
]


NOTHING_BUT_AN_END_MAY_FOLLOW = [
    "Hold on, I lost a factor.", "Hang on.", "Oops.", "Scratch that.", "Hm.",
    "On second thought it fails.",
    "That contradicts the parity.", "This can be ruled out.", "I forgot the case of zero.",
    "Still, one case is left.", "Yet zero remains.", "Except that zero is allowed.",
    "Alternatively it is 18.",
    "Or is it 18.", "I am unsure.", "Double-checking: 3 times 5 is 15.",
    "Sanity test: it disagrees.",
    "The next case is longer.", "Now the second part.", "Reconsidering: 18.",
]  # fmt: skip
NOT_PREDICATES = [
    "is too small", "does not fit",
    "can be excluded", "cannot occur", "is impossible as n is odd",
    "would be the count for n = 3", "is what one writes in haste", "is the answer for n = 3",
    "or 18", "- or 18", "were the coin fair", "if n is even", "at most", "in the first case",
]  # fmt: skip
NOT_LEADS = [
    "The template shows", "Sample output:", "Example:", "Placeholder:", "Reminder of the format:",
    "The problem statement has, as a sample,", "The last line has to be: Answer:",
    "Imagine the answer is", "Were the answer", "Had we got the answer", "In case the answer is",
    "Provided that n = 3 the answer is", "When n = 3 the answer is", "Tentatively, the answer is",
    "Conjecture: the answer is", "My hunch: the answer is", "So a first approximation is",
    "Part (a) gives", "So for part (b) we get", "For the subproblem the answer is",
    "So an upper bound is", "Thus it is at most", "The answer lies between 3 and",
    "A common error leads to the answer", "So the student's claim is",
    "Many claim that the answer is",
    "I doubt that the answer is", "It is false that the answer is",
    "It is tempting to say the answer is",
    "A trap: the answer is", "In that case the answer is", "Suppose n = 3. So the answer is",
    "Case n = 3. Thus", "say", "The count is", "which leads to",
]  # fmt: skip
NO_VALUES = [
    r"\text{TBD}", r"\text{to be determined}", r"\text{unknown}", "N/A", "answer goes here",
    r"\phantom{x}", r"\bullet", r"\text{see below}",
]  # fmt: skip
ENDS = [
    "", ".", "$.", "\n\\]", "\\).\n", ".$$", ".\n\\end{align*}", " meters.", "$ square feet.",
    " is the final answer.", ", as required.", ". Q.E.D.", ". I hope it is correct.",
    ", and no other pair works.",
    " is the answer. (No other cases arise.)", "\n</think>\n",
]  # fmt: skip


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(("kind", "text"), ANSWERS)
def test_a_closed_box_with_something_of_the_kind_is_an_answer(kind, text, thinking):
    assert states(kind, text, thinking)


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(("kind", "text"), NO_ANSWERS)
def test_what_is_quoted_asked_supposed_taken_back_or_of_another_kind_is_none(kind, text, thinking):
    assert not states(kind, text, thinking)


@pytest.mark.parametrize("text", STATED_LETTERS)
def test_a_stated_letter_is_an_answer_once_thinking_is_over(text):
    assert states("choice", text, thinking=False)
    assert not states("choice", text, thinking=True)
    assert states("choice", f"{text}</think>\n\n", thinking=True)
    assert not states("integer", text, thinking=False)


@pytest.mark.parametrize("after", NOTHING_BUT_AN_END_MAY_FOLLOW)
def test_a_sentence_behind_the_answer_keeps_the_track_going(after):
    assert not states("integer", rf"So \boxed{{17}}. {after}", thinking=True)
    assert not states("choice", f"The answer is A. {after}", thinking=False)
    assert not states("choice", f"The answer is A; {after}", thinking=False)


@pytest.mark.parametrize("after", NOT_PREDICATES)
def test_something_else_said_of_the_answer_keeps_the_track_going(after):
    assert not states("integer", rf"So \boxed{{17}} {after}.", thinking=True)
    assert not states("choice", f"The answer is A {after}.", thinking=False)


@pytest.mark.parametrize("lead", NOT_LEADS)
def test_what_is_quoted_supposed_partial_or_ascribed_keeps_the_track_going(lead):
    assert not states("integer", rf"{lead} \boxed{{17}}.", thinking=True)
    assert not states("choice", f"{lead} A.", thinking=False)


@pytest.mark.parametrize("after", ENDS)
def test_the_answer_ends_the_track_where_only_an_end_follows(after):
    assert states(
        "integer", rf"Therefore, the number of ways is $\boxed{{17}}{after}", thinking=True
    )


@pytest.mark.parametrize("content", NO_VALUES)
def test_a_box_of_words_that_are_no_value_is_a_placeholder(content):
    assert not states("latex", rf"So \boxed{{{content}}}.", thinking=True)


@pytest.mark.parametrize("content", ["A?", r"\text{A letter}"])
def test_a_letter_in_doubt_or_a_description_of_one_is_no_choice(content):
    assert not states("choice", rf"\boxed{{{content}}}", thinking=True)


def test_only_shown_options_are_letters():
    assert states_answer("\\boxed{E}", form("choice", options=5), thinking=True)
    assert not states_answer("\\boxed{E}", form("choice", options=4), thinking=True)
    assert states_answer("Answer: I.", form("choice", options=10), thinking=False)
    text = "Answer: I don't know yet"
    assert not states_answer(text, form("choice", options=10), thinking=False)


def test_the_words_of_the_prompts_own_format_are_no_answer():
    problem = World(kind="text").problem
    own = answer_form(problem, "Solve it. Write \\boxed{DEIN ERGEBNIS} when done.")
    assert not states_answer("\\boxed{dein Ergebnis}", own, thinking=True)
    assert states_answer("\\boxed{dein Ergebnis}", AnswerForm("text"), thinking=True)


TAGS = ["</think>", "<think>", "\n\n", "{"]
PIECES = st.sampled_from([*(text for _, text in ANSWERS + NO_ANSWERS), *STATED_LETTERS, *TAGS])


@given(st.lists(PIECES | st.text(max_size=20), max_size=6), st.sampled_from(KINDS), st.booleans())
def test_the_decision_is_total(parts, kind, thinking):
    assert states(kind, " ".join(parts), thinking) in {True, False}


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (True, "a", True),
        (False, "a", False),
        (True, "a</think>b", False),
        (False, "<think>a", True),
        (False, "<think>a</think>b", False),
        (True, "a</think>b<think>", True),
    ],
)
def test_whether_the_thinking_block_is_open_is_read_from_the_text(before, text, after):
    assert is_thinking(text, before=before) is after


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("one\n\nso \\boxed{5}\n\nWait, let me", "5"),
        ("so \\boxed{5}\n\nor is it \\boxed{6}? Let me", None),
        ("The user wants \\boxed{integer}.\n\nSo we", None),
        ("if \\boxed{6}, then", None),
        ("a</think>\n\nSo it is \\boxed{5}.\n\nThat is because", "5"),
    ],
)
def test_a_track_that_was_cut_off_has_an_answer_only_where_a_step_states_it(text, answer):
    assert track_answer(text, form("integer"), Stop.BUDGET, thinking=True) == answer


BEFORE_THE_ANSWER = [
    ("integer", "The user wants \\boxed{integer}.\n\n"),
    ("integer", "So is it \\boxed{12}? Let me check.\n\n"),
    ("choice", "If the answer is A, then the mass is negative.\n\n"),
    ("choice", "So the answer is B? Let me check.\n\n"),
    ("choice", "ANSWER: X\n\n"),
]


@pytest.mark.parametrize(("kind", "early"), BEFORE_THE_ANSWER)
@pytest.mark.parametrize("reasoner", ["spec", "spec-async"])
async def test_a_track_goes_on_to_its_answer(kind, early, reasoner):
    right = {"integer": "7", "choice": "C"}[kind]
    draft = telling(early, "b\n\n", f"</think>\n\n\\boxed{{{right}}}")
    world = World(draft=draft, kind=kind, choices=("x",) * 4 if kind == "choice" else ())
    track = await world.track(reasoner)
    assert (track.stop, track.answer) == (Stop.FINISHED, right)
    assert track.steps[0].text == early


@pytest.mark.parametrize(
    "premise", ["Suppose x=3.", "So far so good. Assume n is odd.", "Case 1: x > 0"]
)
def test_what_an_earlier_step_supposes_ends_no_track_before_the_thinking_is_closed(premise):
    step, asked = r"Then the answer is \boxed{3}.", form("integer")
    assert states_answer(step, asked, thinking=True, earlier=("We try.",))
    assert not states_answer(step, asked, thinking=True, earlier=(premise, "More."))
    assert states_answer(step, asked, thinking=False, earlier=(premise, "Done.</think>"))
    assert states_answer(f"</think>{step}", asked, thinking=True, earlier=(premise,))
    whole = f"{premise}\n\n{step}\n\nAnd then"
    assert track_answer(whole, asked, Stop.BUDGET, thinking=True) is None
