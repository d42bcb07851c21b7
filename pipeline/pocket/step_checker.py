"""Decide exactly whether a reasoning step of a pocket problem is right, from the text alone."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from pipeline.letters import LETTERS

THINK_CLOSE = "</think>"
OPTION_LETTERS = LETTERS[:4]

_CHAIN = re.compile(r"Let (?P<definitions>[^.]+)\. Find (?P<goal>[a-z])\.")
_EQUATION = re.compile(r"Solve (\d+)x([+-])(\d+)=(?:(\d+)x\+)?(\d+)\.")
_SUM = re.compile(r"Find (\d+)/(\d+)([+-])(\d+)/(\d+)\.")
_LITERAL = re.compile(r"\d+")
_NAME = re.compile(r"[a-z]")
_LINEAR = re.compile(r"([a-z])([+-])([a-z]|\d+)")
_MULTIPLE = re.compile(r"(\d+)([a-z])")
_QUOTIENT = re.compile(r"([a-z])/(\d+)")
_STATED = re.compile(
    r"([a-z])=[^=, ]{1,12}(?:, [a-z]=\d{1,6}){1,2}"
    r", \1=(?:\d{1,6}/\d{1,6}=)?(\d{1,6})(?:/(\d{1,6}))?"
)
_OPTION_FOUND = re.compile(r"\(([A-D])\) \d{1,6} yes$")
_TAIL = re.compile(r"=(\d{1,6})(?:/(\d{1,6})|x)?$")


@dataclass(frozen=True)
class Question:
    """What a checker needs to know of a problem: its statement and, for choices, the options."""

    statement: str
    choices: tuple[str, ...] = ()


def ratio_text(numerator: int, denominator: int) -> str:
    """Write a ratio and, where it can be reduced, its lowest terms: `2/3`, `4/6=2/3`, `6/3=2`."""
    written = f"{numerator}/{denominator}"
    if gcd(numerator, denominator) == 1 and denominator != 1:
        return written
    return f"{written}={Fraction(numerator, denominator)}"


def boxed(value: Fraction) -> str:
    """Write a value as the answer step has it."""
    if value.denominator == 1:
        return f"\\boxed{{{value.numerator}}}"
    return f"\\boxed{{\\frac{{{value.numerator}}}{{{value.denominator}}}}}"


def option_step(name: str, value: str, choices: Sequence[str], found: int) -> str:
    """Compare the options with a value one by one until the one at `found`."""
    refused = "".join(f"({OPTION_LETTERS[i]}) {choices[i]} no, " for i in range(found))
    return f"{name} is {value}: {refused}({OPTION_LETTERS[found]}) {choices[found]} yes"


def definition_step(name: str, definition: str, known: Mapping[str, Fraction]) -> str | None:
    """Restate a definition and the values it needs, and compute it: `c=a-b, a=9, b=4, c=5`.

    None where it needs a value that is not known or no integer, or cannot be read.
    """
    operands = _NAME.findall(definition)
    values = {one: known[one].numerator for one in operands if one in known}
    if len(values) < len(set(operands)) or any(known[one].denominator != 1 for one in operands):
        return None
    if (match := _LINEAR.fullmatch(definition)) is not None:
        left, right = (values[one] if one in values else int(one) for one in match.group(1, 3))
        result = str(left + right if match[2] == "+" else left - right)
    elif (match := _MULTIPLE.fullmatch(definition)) is not None:
        result = str(int(match[1]) * values[match[2]])
    elif (match := _QUOTIENT.fullmatch(definition)) is not None and int(match[2]):
        result = ratio_text(values[match[1]], int(match[2]))
    else:
        return None
    restated = "".join(f", {operand}={value}" for operand, value in values.items())
    return f"{name}={definition}{restated}, {name}={result}"


def check_step(question: Question, earlier_steps: Sequence[str], step: str) -> bool:
    """Tell whether `step` is a right next step after `earlier_steps`.

    Right means: copied rightly from the problem and from what earlier steps state, computed
    rightly, and neither a repetition nor a jump. A `</think>` before the answer is allowed for.
    """
    return bare(step) in next_steps(question, earlier_steps)


def bare(step: str) -> str:
    """Strip a step of `</think>` and of the white space around it."""
    return step.strip().removeprefix(THINK_CLOSE).strip()


def next_steps(question: Question, earlier_steps: Sequence[str]) -> frozenset[str]:
    """Give every right next step; empty when the problem or an earlier step cannot be read."""
    earlier = [bare(step) for step in earlier_steps]
    if any(step.startswith("\\boxed") for step in earlier):
        return frozenset()
    stated_option = _OPTION_FOUND.search(earlier[-1]) if earlier else None
    if stated_option is not None:
        return frozenset({f"\\boxed{{{stated_option[1]}}}"})
    if (chain := _CHAIN.fullmatch(question.statement)) is not None:
        return _next_in_chain(question, chain["definitions"], chain["goal"], earlier)
    if (equation := _EQUATION.fullmatch(question.statement)) is not None:
        return _next_in_equation(question, equation, earlier)
    if (terms := _SUM.fullmatch(question.statement)) is not None:
        return _next_in_sum(terms, earlier)
    return frozenset()


def _conclude(question: Question, name: str, value: Fraction) -> frozenset[str]:
    if not question.choices:
        return frozenset({boxed(value)})
    places = [i for i, text in enumerate(question.choices) if text == str(value)]
    return frozenset(option_step(name, str(value), question.choices, place) for place in places)


def _next_in_chain(
    question: Question, definitions: str, goal: str, earlier: Sequence[str]
) -> frozenset[str]:
    parts = dict(part.split("=", 1) for part in definitions.split(", ") if "=" in part)
    known = {name: Fraction(text) for name, text in parts.items() if _LITERAL.fullmatch(text)}
    for step in earlier:
        stated = _STATED.fullmatch(step)
        if stated is None or int(stated[3] or 1) == 0:
            return frozenset()
        known[stated[1]] = Fraction(int(stated[2]), int(stated[3] or 1))
    if goal in known:
        return _conclude(question, goal, known[goal])
    unknown = [(name, text) for name, text in parts.items() if name not in known]
    steps = [definition_step(name, text, known) for name, text in unknown]
    return frozenset(step for step in steps if step is not None)


def _tails(earlier: Sequence[str]) -> list[tuple[int, int]] | None:
    """Read what each step ends in, as (number, denominator or 1)."""
    found = [_TAIL.search(step) for step in earlier]
    if any(match is None for match in found):
        return None
    return [(int(match[1]), int(match[2] or 1)) for match in found if match is not None]


def _next_in_equation(
    question: Question, equation: re.Match[str], earlier: Sequence[str]
) -> frozenset[str]:
    factor, constant, right = int(equation[1]), int(equation[3]), int(equation[5])
    sign = equation[2]
    tails = _tails(earlier)
    if tails is None:
        return frozenset()
    if equation[4] is not None:
        moved = int(equation[4])
        if not tails:
            return frozenset({f"{factor}x-{moved}x={factor - moved}x"})
        factor = tails.pop(0)[0]
    if not tails:
        opposite, value = ("-", right - constant) if sign == "+" else ("+", right + constant)
        return frozenset({f"{factor}x={right}{opposite}{constant}={value}"})
    if len(tails) == 1 and factor:
        return frozenset({f"x={ratio_text(tails[0][0], factor)}"})
    if len(tails) == 2 and tails[1][1]:  # noqa: PLR2004 - the product and the root
        return _conclude(question, "x", Fraction(*tails[1]))
    return frozenset()


def _next_in_sum(terms: re.Match[str], earlier: Sequence[str]) -> frozenset[str]:
    tops, bottoms = (int(terms[1]), int(terms[4])), (int(terms[2]), int(terms[5]))
    tails = _tails(earlier)
    if tails is None or 0 in bottoms or any(bottom == 0 for _, bottom in tails):
        return frozenset()
    common = lcm(*bottoms)
    if len(tails) < len(tops):
        top, bottom = tops[len(tails)], bottoms[len(tails)]
        return frozenset({f"{top}/{bottom}={top * common // bottom}/{common}"})
    first, second = tails[0], tails[1]
    if len(tails) == len(tops):
        if first[1] != second[1]:
            return frozenset()
        top = first[0] + second[0] if terms[3] == "+" else first[0] - second[0]
        return frozenset(
            {f"{first[0]}/{first[1]}{terms[3]}{second[0]}/{second[1]}={top}/{first[1]}"}
        )
    top, bottom = tails[-1]
    if len(tails) == len(tops) + 1 and gcd(top, bottom) != 1:
        return frozenset({ratio_text(top, bottom)})
    return frozenset({boxed(Fraction(top, bottom))})
