"""Classes of answers are read from each answer alone; early ends of votes change no verdict."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_world import TrackSettings, World

from evaluators import class_key, extract_answer, grade
from evaluators.numbers.numeric import Evaluator
from pipeline.reasoners.answer_classes import answer_classes
from pipeline.reasoners.early_stop import is_decided
from pipeline.reasoners.vote import vote
from pipeline.reasoners.vote_rules import VOTE_RULES
from pipeline.records import Step, Stop, Track

CASES = Path(__file__).parent / "cases" / "equivalence.jsonl"
REAL = sorted(
    {
        row[side]
        for row in map(json.loads, CASES.read_text(encoding="utf-8").splitlines())
        for side in ("gold", "answer")
        if len(row[side]) < 60 and extract_answer(row[side], "latex") == row[side]
    }
)
SETTLING = [name for name, rule in VOTE_RULES.items() if rule.most is not None]
"""Rules under which a vote can be decided before the last track ends."""
UNSURE = ("gold_not_read", "answer_not_read", "not_evaluated")
"""Rules by which the grader does not say that two answers differ, but that it cannot tell."""
# Answers that the grader takes for each other two by two, and not all three.
BRIDGES = [
    ("0.5", "50\\%", "50"),
    ("5", "5\\text{ cm}", "5^\\circ"),
    ("(1,2)", "1,2", "\\{1,2\\}"),
    ("45^\\circ", "\\frac{\\pi}{4}", "45"),
    ("5\\text{ cm}", "5", "5\\text{ m}"),
    ("0.3333333", "\\frac{1}{3}", "0.33333334"),
    ("x = 5", "5", "y = 5"),
    ("2x", "f(x) = 2x", "g(x) = 2x"),
    ("\\log 100", "2", "4.605170185988"),
]
MADE = sorted({answer for bridge in BRIDGES for answer in bridge})

SAME = [
    ("0.5", "1/2", "\\frac{1}{2}", "\\dfrac12", "x = 1/2", "0.50", "\\sin 30^\\circ"),
    ("50", "x = 50", "5 \\cdot 10", "50 apples", "50 = x"),
    ("50\\text{ cm}", "50 cm", "50 \\text{ centimeters}"),
    ("\\$5", "5 dollars", "5\\text{ dollars}"),
    ("5 m/s", "5\\text{ m/s}", "5\\frac{m}{s}"),
    ("10:30 am", "10:30 a.m.", "10:30\\text{ AM}"),
    ("5 dozen", "60"),
    ("50\\%", "50 percent"),
    ("y = 3", "3 = y"),
    ("160", "9x = 1440 \\Rightarrow x = 160"),
    ("a = 1, b = 2", "b = 2, a = 1", "(a, b) = (1, 2)"),
    ("|x|^2", "x^2"),
    ("\\sqrt{x^2}", "|x|"),
    ("g(x) = x", "g(t) = t"),
    ("e^{100}+1", "e^{100} + 1"),
    ("\\sqrt{8}", "2\\sqrt{2}", "x = 2\\sqrt2"),
    ("10,000", "10000", "10{,}000"),
    ("1,2", "2,1", "\\{1,2\\}", "1 \\text{ and } 2"),
    ("(1,2)", "\\left(1, 2\\right)", "x=1, y=2", "y=2, x=1"),
    ("[2,\\infty)", "x \\ge 2", "\\{x \\mid x \\ge 2\\}", "2x - 4 \\ge 0"),
    ("(x-1)(x+1)", "x^2-1", "f(x) = x^2 - 1"),
    ("f(x) = 2x", "2x"),
    ("y = 2x+1", "2x - y + 1 = 0", "2y = 4x + 2"),
    ("\\frac{\\pi}{4} + n\\pi", "\\frac{\\pi}{4} + \\pi k"),
    ("2x+3y=4", "4x+6y=8", "4-3y=2x"),
    ("a < b", "b > a", "2a < 2b"),
    ("\\pm 2", "2,-2", "\\{-2,2\\}"),
    ("n!", "n(n-1)!"),
    ("(-\\infty,1) \\cup (2,\\infty)", "x<1 \\text{ or } x>2"),
    ("\\text{Yes}", "yes", "Yes."),
    ("\\emptyset", "\\{\\}"),
    ("3+4i", "4i+3"),
    ("1", "\\sin^2 x + \\cos^2 x"),
]  # fmt: skip
APART = [
    ("5", "-5"),
    ("50\\%", "0.5", "50", "50^\\circ", "50 cm", "50 m", "50 m^2"),
    ("10:30 am", "10:30 pm", "10:30"),
    ("5 dozen", "5"),
    ("12:30", "0.4"),
    ("12:00", "1:00"),
    ("x \\ge 5", "x \\ge 5, x \\in \\mathbb{Z}"),
    ("0", "0 \\le x < 1, x \\in \\mathbb{Z}"),
    ("\\emptyset", "\\{\\emptyset\\}", "\\{\\{\\emptyset\\}\\}"),
    ("even or odd", "even and odd"),
    ("259", "258=259"),
    ("5 below zero", "5"),
    ("\\$5", "5 cents", "5"),
    ("x=3", "y=3"),
    ("f(x)=x", "g(x)=x"),
    ("e^{100}", "e^{100}+1"),
    ("1 + e^{-100}", "1"),
    ("\\sqrt{2}", "1.00000000000000000000000000000001\\sqrt{2}"),
    ("|x+1|", "x+1"),
    ("\\max(x, 900)", "x", "900"),
    ("x < a", "x < b"),
    ("m+n=259", "259"),
    ("180 + 330 = 510", "x = 510"),
    ("(1,2)", "1<x<2", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"),
    ("k \\ge 2", "x \\ge 2", "f(x) \\ge 2"),
    ("f(t) = 2t", "2x"),
    ("\\boxed{2^}", "\\boxed{/2}"),
    ("a=1, b=2", "a=2, b=1", "(1,2)"),
    ("1,2", "(1,2)"),
    ("(1,2)", "(2,1)", "[1,2]", "[1,2)"),
    ("x=1, y=2", "x=2, y=1"),
    ("1,1,2", "1,2"),
    ("\\frac{1}{3}", "0.333333"),
    ("10^{-40}", "0"),
    ("2^{100}+1", "2^{100}"),
    ("\\frac12\\left(1 + 3^{-100}\\right)", "\\frac12"),
    ("x", "|x|", "y"),
    ("\\sqrt{n-2}", "1"),
    ("y = 2x", "x = 2y"),
    ("k\\pi", "2k\\pi"),
    ("(-1)^n", "1"),
    ("x > 2", "x \\ge 2", "x < 2"),
    ("x = y", "x = -y"),
    ("12_8", "12_9", "12"),
    ("\\text{Yes}", "\\text{No}"),
]


@pytest.mark.parametrize("answers", SAME)
def test_ways_to_write_one_answer_are_one_class(answers):
    assert len({class_key(answer, "latex") for answer in answers}) == 1


@pytest.mark.parametrize("answers", [("m+n=259", "259", "259^\\circ", "259 cm", "x = 259.0")])
def test_names_and_units_do_not_count_where_the_gold_answer_is_an_integer(answers):
    assert len({class_key(answer, "integer") for answer in answers}) == 1
    assert all(grade(answer, "259", "integer").correct for answer in answers)
    assert len({class_key(answer, "integer") for answer in ("2", "2,3", "2.5 cm", "200\\%")}) == 4


@pytest.mark.parametrize("kind", ["latex", "integer"])
def test_no_gold_answer_of_the_kind_tells_answers_of_one_class_apart(kind):
    """Every class of the golden tables' answers against its own members as gold answers."""
    classes: dict[str, list[str]] = {}
    for answer in REAL + MADE:
        classes.setdefault(class_key(answer, kind), []).append(answer)
    golds = {answer for answer in REAL if answer.lstrip("-").isdecimal()}
    for members in classes.values():
        for gold in members if kind == "latex" else golds.intersection(members):
            verdicts = {answer: grade(answer, gold, kind) for answer in members}
            assert all(one.correct or one.rule.endswith(UNSURE) for one in verdicts.values()), (
                gold,
                verdicts,
            )


FORMS = (
    "{}", "x = {}", "y = {}", "f(x) = {}", "g(x) = {}", "x + y = {}", "-{}", "|-{}|", "{}.0",
    "{}\\text{{ cm}}", "{} m", "{}\\%", "{}^\\circ", "\\${}", "{} cents", "{} dozen", "{} apples",
    "({}, 1)", "{}, 1", "\\{{1, {}\\}}", "x = {}, y = 1", "\\pm {}", "{}:30", "{}:30 pm", "x < {}",
    "(-\\infty, {})", "t < {}", "e^{{{}}}", "e^{{100}} + {}", "|x + {}|", "x + {}", "{}_{{8}}",
)  # fmt: skip
written = st.builds(str.format, st.sampled_from(FORMS), st.sampled_from((1, 2, 60)))


@given(st.lists(written, min_size=2, max_size=8, unique=True))
@settings(deadline=None)
def test_answers_made_of_one_class_are_right_for_each_other(made):
    for answer, gold in itertools.permutations(made, 2):
        if class_key(answer, "latex") == class_key(gold, "latex"):
            assert grade(answer, gold, "latex").correct, (answer, gold)


@pytest.mark.parametrize("answers", APART)
def test_different_answers_are_different_classes(answers):
    assert len({class_key(answer, "latex") for answer in answers}) == len(answers)


def test_every_answer_of_the_golden_table_has_a_class():
    assert all(class_key(answer, "latex") for answer in REAL)


def test_what_would_take_long_to_evaluate_is_a_class_by_its_text(monkeypatch):
    monkeypatch.setattr(Evaluator, "value", lambda *_: pytest.fail("it was evaluated"))
    heavy = [f"\\sum_{{k=1}}^{{390}} k^{{{n}}}" for n in range(99)]
    assert class_key(",".join(heavy), "latex") != class_key(",".join(heavy[:-1]), "latex")


@given(st.text(max_size=40) | st.lists(st.sampled_from(REAL + MADE)).map(" ".join))
@settings(deadline=None)
def test_every_text_has_a_class(text):
    assert class_key(text, "latex") == class_key(text, "latex")


def track(number, answer, tokens=10, score=5.0):
    steps = (Step("s", "draft", tokens, 0.0, "stop", score=score),)
    return Track(str(number), steps, Stop.FINISHED, answer)


def partition(tracks):
    classes = answer_classes(tracks, "latex")
    return {frozenset(one.id for one in group.tracks) for group in classes}


answers = st.sampled_from(BRIDGES).flatmap(
    lambda bridge: st.lists(st.sampled_from([*bridge, *bridge, "7"]), min_size=3, max_size=6)
) | st.lists(st.sampled_from(REAL + MADE), min_size=3, max_size=5)


@pytest.mark.parametrize("bridge", BRIDGES)
def test_the_order_of_tracks_does_not_make_the_classes(bridge):
    tracks = [track(number, answer) for number, answer in enumerate(bridge)]
    assert len({frozenset(partition(order)) for order in itertools.permutations(tracks)}) == 1


@given(answers, st.data())
@settings(deadline=None)
def test_later_answers_neither_join_nor_part_the_classes_that_are_there(drawn, data):
    tracks = [track(number, answer) for number, answer in enumerate(drawn)]
    some = data.draw(st.permutations(tracks))[: data.draw(st.integers(1, len(tracks)))]
    names = {one.id for one in some}
    assert partition(some) == {group & names for group in partition(tracks)} - {frozenset()}


@given(st.sampled_from(list(VOTE_RULES)), answers, st.data())
@settings(deadline=None, max_examples=200)
def test_an_exact_early_stop_changes_neither_winner_nor_verdict(rule, drawn, data):
    numbers = st.tuples(st.integers(1, 99), st.integers(0, 9))
    tracks = [track(number, answer, *data.draw(numbers)) for number, answer in enumerate(drawn)]
    gold = data.draw(st.sampled_from(drawn + MADE))
    order = data.draw(st.permutations(tracks))
    whole = vote(tracks, "latex", rule)
    chosen = TrackSettings(tracks=len(tracks), vote=rule, fast="exact")
    for count in range(1, len(tracks)):
        ended = sorted(order[:count], key=lambda one: int(one.id))
        if is_decided(ended, len(tracks) - count, "latex", chosen):
            winner = vote(ended, "latex", rule).winner
            assert winner == whole.winner
            assert grade(winner, gold, "latex").status is grade(whole.winner, gold, "latex").status


@pytest.mark.parametrize("bridge", BRIDGES)
@pytest.mark.parametrize("rule", SETTLING)
def test_whatever_could_still_come_an_exact_stop_holds(rule, bridge):
    """Every vote of four tracks on a bridge's answers and another one, ended after every two."""
    pool = [*bridge, "7"]
    chosen = TrackSettings(tracks=4, vote=rule, fast="exact")
    decided = 0
    for drawn in itertools.product(pool, repeat=4):
        tracks = [track(number, answer, 10 * number + 10) for number, answer in enumerate(drawn)]
        whole = vote(tracks, "latex", rule).winner
        for ended in itertools.combinations(tracks, 3):
            if is_decided(ended, 1, "latex", chosen):
                decided += 1
                assert vote(ended, "latex", rule).winner == whole
    assert decided or rule == "score-weighted"


def test_the_winner_is_written_as_most_of_its_class_wrote_it():
    tracks = [track(n, one) for n, one in enumerate(["x = 5", "5", "5", "7", "7"])]
    voted = vote(tracks, "latex", "majority")
    assert (voted.winner, voted.chosen, voted.answers) == ("5", "1", ("5", "7"))


@pytest.mark.parametrize("rule", VOTE_RULES)
def test_a_vote_on_one_spelling_is_as_before(rule):
    tracks = [track(0, "5", 10, 1), track(1, "6", 20, 9), track(2, "5", 90, 2)]
    winner = "6" if rule in {"mean-score", "score-weighted"} else "5"
    assert vote(tracks, "integer", rule).winner == winner


@given(st.sampled_from(BRIDGES), st.integers(0, 10**6), st.sampled_from(SETTLING))
@settings(deadline=None, max_examples=40)
async def test_a_run_that_ends_exactly_has_the_verdict_of_the_whole_run(bridge, hurry, rule):
    def draft(prompt, seed):
        """One of the bridge's answers by the seed of the track's first step, then its end."""
        if "</think>" in prompt:
            return f"\\boxed{{{bridge[int(prompt.rpartition('so ')[2].partition('<')[0])]}}}"
        return f"so {(seed ^ hurry) % 5 % 3}</think>\n\n"

    outcomes = []
    for fast in (None, "exact"):
        world = World(draft=draft, kind="latex", hurry=hurry)
        settings_of_tracks = TrackSettings(tracks=5, vote=rule, fast=fast)
        outcomes.append(await world.reason("spec", settings_of_tracks))
    whole, early = outcomes
    assert early.answer == whole.answer
    for gold in bridge:
        verdicts = [grade(one.response, gold, "latex").status for one in outcomes]
        assert verdicts[0] is verdicts[1]
