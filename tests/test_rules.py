"""docs/grading.md names every rule that a verdict can carry, and no other."""

import ast
import re
from pathlib import Path

import pytest

from pipeline.review.grading import ATTEMPT_ERROR

ROOT = Path(__file__).parent.parent
EVALUATORS = [ast.parse(file.read_text()) for file in sorted((ROOT / "evaluators").rglob("*.py"))]
# Which argument of a call is the name of a rule.
RULE_ARGUMENT = {
    "equal": 0,
    "different": 0,
    "undecided": 0,
    "equal_if": 1,
    "Box": 3,
    "Extraction": 1,
    "ChosenLetter": 1,
    "_stated": 1,
    "Verdict": 2,
}
SYMBOLIC = ("sandbox", "algebra", "worker")
DECIDED = {"equal", "different"}


def literals(node):
    """The texts that an expression can be: itself, an alternative, or the parts of an f-string."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return literals(one) | literals(other)
        case ast.BoolOp(values=parts) | ast.JoinedStr(values=parts):
            return set().union(*map(literals, parts))
    return set()


def named_in_calls():
    """Every text that is passed as a rule, or put into a variable called `rule`."""
    found = set()
    for tree in EVALUATORS:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = RULE_ARGUMENT.get(node.func.id)
                if place is not None and len(node.args) > place:
                    found |= literals(node.args[place])
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "rule":
                found |= literals(node.value)
    return found


def symbolic_words():
    """What the algebra system's side can answer."""
    found = set()
    for name in SYMBOLIC:
        tree = ast.parse(
            (ROOT / "evaluators" / "comparing" / "symbolic" / f"{name}.py").read_text()
        )
        for node in ast.walk(tree):
            says = isinstance(node, ast.Return) and node.value
            says = says or (
                isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "answer"
            )
            if says:
                found |= literals(node.value)
    return {word for word in found if word.isalpha()} - DECIDED


def rules():
    """Every rule, with the names that are put together in their whole form."""
    hedged = {f"{rule}_hedge" for rule in ("box", "answer_tag", "bare", "marker", "last_line")}
    symbolic = {"symbolic"} | {f"symbolic_{word}" for word in symbolic_words()}
    pieces = {"symbolic_", "_hedge", "/"}
    return (named_in_calls() - pieces) | hedged | symbolic | {ATTEMPT_ERROR}


def documented():
    """The names in the first column of the tables of the section on rules."""
    section = (
        (ROOT / "docs" / "grading.md").read_text().split("## Every rule\n")[1].split("\n## ")[0]
    )
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`(\w+)`", cell)]


def test_every_rule_of_the_code_stands_in_the_docs_and_no_other():
    assert set(documented()) == rules()


def test_no_rule_stands_there_twice():
    assert sorted(documented()) == sorted(set(documented()))


@pytest.mark.parametrize("rule", ["exact_value", "symbolic_limit", "box_hedge", "no_answer"])
def test_the_rules_are_found_in_the_code(rule):
    assert rule in rules()
