"""When a step ends its track, and when it only speaks of an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_world import World, telling

from pipeline.problems.prompting import open_prompt_set, task_prompt
from pipeline.reasoners.complete_answer import (
    AnswerForm,
    answer_form,
    ends_track,
    is_thinking,
    states_answer,
)
from pipeline.reasoners.step_ends import track_answer
from pipeline.records import Stop

KINDS = ("integer", "latex", "choice", "text")


def form(kind, options=4):
    """The form that the standard prompt of a kind asks for."""
    problem = World(kind=kind, choices=("x",) * options if kind == "choice" else ()).problem
    return answer_form(problem, task_prompt(open_prompt_set("standard"), problem, "").text)


def ends(kind, text, *earlier, thinking=False):
    return ends_track(text, form(kind), thinking=thinking, earlier=earlier)


STATED = [
    ("integer", r"So \boxed{204}."),
    ("integer", r"The answer is $\boxed{-3}$."),
    ("integer", r"\boxed{025}"),
    ("integer", "Therefore\n\\[\n\\boxed{1{,}024}.\n\\]\n"),
    ("integer", "Therefore, the answer is:\n\n\\[\\boxed{17}\\]"),
    ("integer", r"Therefore, $m+n = \boxed{42}$."),
    ("integer", r"$36 + 6 = \boxed{42}$"),
    ("integer", "**Final Answer**\n\\[\\boxed{42}\\]\n\n"),
    ("integer", "### Final Answer:\n\n$$\n\\boxed{42}\n$$"),
    ("integer", r"The final answer to the problem is \boxed{42}."),
    ("integer", r"Hence there are \boxed{42} ways."),
    ("integer", r"In total, \boxed{42}."),
    ("integer", r"So we get $20+22=\boxed{42}$ in total."),
    ("integer", r"Let $a = b$. Expanding gives $c$. So the answer is \boxed{8}."),
    ("integer", r"\boxed{x = 12}"),
    ("integer", r"\boxed{12 \text{ cm}}"),
    ("integer", r"So it is \boxed{12} square meters."),
    ("integer", r"\boxed{45^\circ}"),
    ("integer", r"\boxed{50\%}"),
    ("integer", r"\boxed{\text{42}}"),
    ("integer", r"\boxed{\frac{10}{2}}"),
    ("integer", r"If 3 is even, we are done. It is not. So the answer is \boxed{8}."),
    ("integer", r"The user wants \boxed{integer}. All in all \boxed{5}."),
    ("integer", r"What is the answer? It is \boxed{5}."),
    ("integer", "</think>\n\nThe answer is\n\n\\boxed{7}"),
    ("integer", "Is it \\boxed{3}? Let me check.</think>\n\n\\boxed{7}"),
    ("integer", "**Final Answer**\n\\boxed{7}\n</think>\n\n"),
    ("integer", r"\boxed{9x = 1440 \Rightarrow x = 160}"),
    ("integer", r"\boxed{\text{Thus the volume is }4^3=64.}"),
    ("latex", r"So $x=\boxed{\frac{1}{2}}$."),
    ("latex", r"\boxed{\emptyset}"),
    ("latex", r"So $x \in \boxed{[0, 7)}$."),
    ("latex", r"Thus the answer is \boxed{x \ge 2}."),
    ("latex", r"\boxed{\{\}}"),
    ("latex", r"So this is \boxed{3} and \boxed{5}."),
    ("latex", r"Thus \fbox{12}."),
    ("latex", r"So the answer is \boxed{\text{Tuesday}}."),
    ("text", r"The answer is \boxed{\text{Paris}}."),
    ("text", r"\boxed{no solution}"),
    ("choice", r"\boxed{B}"),
    ("choice", r"So it is \boxed{\text{(C)}}."),
    ("choice", r"The energy is 14 eV. So the answer is: \boxed{A. 14 eV}"),
    ("choice", "The answer is B."),
    ("choice", "Therefore, the correct option is (B)."),
    ("choice", "The answer is (b)."),
    ("choice", "**Answer: B**"),
    ("choice", "Answer: **B**"),
    ("choice", "ANSWER: D"),
    ("choice", "Final answer: A"),
    ("choice", "The answer is $D$."),
    ("choice", "It is not B; the answer is A."),
]  # fmt: skip
NOT_STATED = [
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
# Each of these may be the answer, and may be a step on the way or a mistake that comes to light.
UNCLEAR = [
    "Thus the number of red balls is", "So step 1 gives", "For n=3 the answer is",
    "So for n=2 we have", "So, ignoring symmetry, the answer is",
    "So, without the constraint, the answer is", "So the old answer is", "So far we have",
    "So x is",
    "So the units digit is", "So I bet the answer is", "So I recall the answer is",
    "So the proposed answer is", "So the unverified answer is", "So a candidate is",
    "So another possibility is", "So the distractor is", "So the second best answer is",
    "So the popular answer is", "So AoPS says the answer is", "So the answer is double",
    "So the answer is nearly", "Is the answer", "Then the answer is", "If x > 0, then x =",
    "1.", "2. It is", "(b)", r"x \le", r"x \neq", r"x \not=", "x <=", "x ~=", "> The answer is",
    "So the dummy answer is", "Thus, counting only positive ones, the answer is",
]  # fmt: skip
# Steps before one that says "So the answer is", where no block is open.
INTRODUCED = [
    "If k=1:", "Without the last condition:", "A solution I found online reads:",
    "My earlier (flawed) argument was:", "For n = 2:", "Sample output:", "Suppose x=3.",
    "So far so good. Assume n is odd.", "Case 1: x > 0",
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
    "", ".", "$.", "\n\\]", "\\).\n", ".$$", ".\n\\end{align*}", " meters.", "$ square feet.", "!",
    "\n</think>\n",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), STATED)
def test_a_sentence_that_says_this_is_the_answer_ends_the_track_where_no_block_is_open(kind, text):
    assert ends(kind, text)
    assert ends(kind, f"Let me think.</think>\n\n{text}", thinking=True)
    assert ends(kind, text, "Suppose not.</think>\n\n")


@pytest.mark.parametrize(("kind", "text"), STATED)
def test_inside_an_open_thinking_block_not_even_that_ends_it(kind, text):
    step, closed, _ = text.partition("</think>")
    assert not ends(kind, step, thinking=True)
    assert not ends(kind, f"<think>{step}")
    assert not closed or ends(kind, text, thinking=True)


@given(st.text() | st.sampled_from([text for _, text in STATED]), st.sampled_from(KINDS))
def test_no_step_ends_a_track_while_its_block_is_open(text, kind):
    step = text.replace("</think>", "")
    assert not ends(kind, step, thinking=True)
    assert not ends(kind, f"a</think>b<think>{step}")


@pytest.mark.parametrize(("kind", "text"), NOT_STATED)
def test_what_is_quoted_asked_supposed_taken_back_or_of_another_kind_is_none(kind, text):
    assert not ends(kind, text)
    assert not ends(kind, f"</think>{text}", thinking=True)


@pytest.mark.parametrize("after", NOTHING_BUT_AN_END_MAY_FOLLOW)
def test_a_sentence_behind_the_answer_keeps_the_track_going(after):
    assert not ends("integer", rf"So \boxed{{17}}. {after}")
    assert not ends("choice", f"The answer is A. {after}")
    assert not ends("choice", f"The answer is A; {after}")


@pytest.mark.parametrize("after", NOT_PREDICATES)
def test_something_else_said_of_the_answer_keeps_the_track_going(after):
    assert not ends("integer", rf"So \boxed{{17}} {after}.")
    assert not ends("choice", f"The answer is A {after}.")


@pytest.mark.parametrize("lead", NOT_LEADS + UNCLEAR)
def test_a_word_more_than_that_this_is_the_answer_keeps_the_track_going(lead):
    assert not ends("integer", rf"{lead} \boxed{{17}}.")
    assert not ends("choice", rf"{lead} \boxed{{A}}.")
    assert not ends("choice", f"{lead} A.")


@pytest.mark.parametrize("before", INTRODUCED)
def test_what_an_earlier_step_introduces_or_supposes_ends_no_track(before):
    step = r"So the answer is \boxed{7}."
    assert ends("integer", step, "We try.\n\n")
    assert not ends("integer", step, f"{before}\n\n")
    assert not ends("integer", step, before)
    assert ends("integer", step, f"{before}\n\n", "Done.</think>\n\n")
    assert ends("integer", f"</think>{step}", f"{before}\n\n", thinking=True)
    assert track_answer(f"{before}\n\n{step}\n\nAnd", form("integer"), Stop.BUDGET) is None


@pytest.mark.parametrize("after", ENDS)
def test_units_and_what_closes_a_formula_may_follow(after):
    assert ends("integer", rf"Therefore, the answer is $\boxed{{17}}{after}")


@pytest.mark.parametrize("content", NO_VALUES)
def test_a_box_that_says_the_answer_is_yet_to_come_is_a_placeholder(content):
    assert not ends("latex", rf"So \boxed{{{content}}}.")


@pytest.mark.parametrize("content", ["A?", r"\text{A letter}"])
def test_a_letter_in_doubt_or_a_description_of_one_is_no_choice(content):
    assert not ends("choice", rf"\boxed{{{content}}}")


def test_only_shown_options_are_letters():
    assert states_answer("\\boxed{E}", form("choice", options=5))
    assert not states_answer("\\boxed{E}", form("choice", options=4))
    assert states_answer("Answer: I.", form("choice", options=10))
    assert not states_answer("Answer: I don't know yet", form("choice", options=10))


def test_a_letter_is_an_answer_to_a_choice_only():
    assert not ends("integer", "The answer is B.")


def test_the_words_of_the_prompts_own_format_are_no_answer():
    problem = World(kind="text").problem
    own = answer_form(problem, "Solve it. Write \\boxed{DEIN ERGEBNIS} when done.")
    assert not states_answer("\\boxed{dein Ergebnis}", own)
    assert states_answer("\\boxed{dein Ergebnis}", AnswerForm("text"))


TAGS = ["</think>", "<think>", "\n\n", "{"]
PIECES = st.sampled_from([*(text for _, text in STATED + NOT_STATED), *TAGS])


@given(st.lists(PIECES | st.text(max_size=20), max_size=6), st.sampled_from(KINDS), st.booleans())
def test_the_decision_is_total(parts, kind, thinking):
    assert ends(kind, " ".join(parts), thinking=thinking) in {True, False}


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
    assert track_answer(text, form("integer"), Stop.BUDGET) == answer


BEFORE_THE_ANSWER = [
    ("integer", "So the answer is \\boxed{12}.\n\n"),
    ("integer", "**Final Answer**\n\\boxed{12}\n\n"),
    ("choice", "So the distractor is \\boxed{B}.\n\n"),
    ("integer", "The user wants \\boxed{integer}.\n\n"),
    ("integer", "So is it \\boxed{12}? Let me check.\n\n"),
    ("choice", "If the answer is A, then the mass is negative.\n\n"),
    ("choice", "So the answer is B? Let me check.\n\n"),
    ("choice", "ANSWER: X\n\n"),
]


@pytest.mark.parametrize(("kind", "early"), BEFORE_THE_ANSWER)
@pytest.mark.parametrize("reasoner", ["spec", "spec-async"])
async def test_a_track_that_thinks_goes_on_to_the_end_of_its_text(kind, early, reasoner):
    right = {"integer": "7", "choice": "C"}[kind]
    draft = telling(early, "b\n\n", f"</think>\n\n\\boxed{{{right}}}")
    world = World(draft=draft, kind=kind, choices=("x",) * 4 if kind == "choice" else ())
    track = await world.track(reasoner, thinking="on")
    assert (track.stop, track.answer) == (Stop.FINISHED, right)
    assert track.steps[0].text == early
