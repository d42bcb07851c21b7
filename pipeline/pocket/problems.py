# ruff: noqa: PLR2004 - shares of a drawn mixture read best where they are drawn
"""Generate pocket problems: chains of definitions, linear equations, sums of fractions."""

import hashlib
import random
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Literal

from pipeline.pocket.step_checker import OPTION_LETTERS, Question, next_steps

Kind = Literal["integer", "latex", "choice"]
Split = Literal["training", "validation", "test"]
KINDS: tuple[Kind, ...] = ("integer", "latex", "choice")
NAMES = "abcdfghjkmnpqrstuvwyz"  # without letters that look like digits, and without x and e
SHARES = 16  # one statement in so many is a test problem, one more a validation problem


@dataclass(frozen=True)
class Difficulty:
    """How hard generated problems are."""

    shortest: int = 3
    longest: int = 8
    back_references: float = 0.08
    two_digit_operands: float = 0.10
    largest: int = 99  # value in a chain
    chains_only: bool = False


@dataclass(frozen=True)
class Problem:
    """One generated problem with its reference solution; `steps` ends before the answer step."""

    kind: Kind
    question: Question
    steps: tuple[str, ...]
    answer_step: str

    @property
    def answer(self) -> str:
        """The gold answer: what the answer step has in its box."""
        return self.answer_step.removeprefix("\\boxed{")[:-1]


def split_of(statement: str) -> Split:
    """Tell which split a problem belongs to: by its statement's hash alone.

    Options and guidance are no part of it, so that no other rendering crosses the line.
    """
    share = int(hashlib.sha256(statement.encode()).hexdigest(), 16) % SHARES
    return {0: "test", 1: "validation"}.get(share, "training")  # type: ignore[return-value]


def make_problem(rng: random.Random, kind: Kind, difficulty: Difficulty, split: Split) -> Problem:
    """Draw a problem of one kind from one split."""
    while True:
        question = _draw(rng, kind, difficulty)
        if split_of(question.statement) == split:
            return _solve(kind, question)


def _solve(kind: Kind, question: Question) -> Problem:
    steps: list[str] = []
    while not (steps and steps[-1].startswith("\\boxed")):
        (step,) = next_steps(question, steps)
        steps.append(step)
    return Problem(kind, question, tuple(steps[:-1]), steps[-1])


def _draw(rng: random.Random, kind: Kind, difficulty: Difficulty) -> Question:
    fraction = kind == "latex"
    family = rng.random()
    drawn = None
    # The family is drawn once: what it rejects must not favour another.
    while drawn is None or (drawn[1].denominator == 1) == fraction:
        if family < (0.45 if fraction else 0.85) or difficulty.chains_only:
            drawn = _chain(rng, difficulty, ends_in_fraction=fraction)
        elif family < 0.75 or not fraction:
            drawn = _equation(rng)
        else:
            drawn = _sum(rng)
    statement, value = drawn
    if kind != "choice":
        return Question(statement)
    return Question(statement, _options(rng, value.numerator))


def _chain(
    rng: random.Random, difficulty: Difficulty, *, ends_in_fraction: bool
) -> tuple[str, Fraction]:
    length = rng.randint(difficulty.shortest, difficulty.longest)
    names = rng.sample(NAMES, length + 1)
    values = [rng.randint(2, 20)]
    parts = [f"{names[0]}={values[0]}"]
    for i in range(1, length + 1 - ends_in_fraction):
        definition, value = _definition(rng, names[:i], values, difficulty)
        values.append(value)
        parts.append(f"{names[i]}={definition}")
    result = Fraction(values[-1])
    if ends_in_fraction:
        divisor = rng.randint(2, 9)
        result /= divisor
        parts.append(f"{names[length]}={names[length - 1]}/{divisor}")
    return f"Let {', '.join(parts)}. Find {names[length]}.", result


def _definition(
    rng: random.Random, names: list[str], values: list[int], difficulty: Difficulty
) -> tuple[str, int]:
    """Define a variable by the one before it; draws until its value lies in 1..largest."""
    name, value = names[-1], values[-1]
    while True:
        form = rng.random()
        if len(names) > 1 and form < difficulty.back_references:
            earlier = rng.randrange(len(names) - 1)
            operand, text = values[earlier], names[earlier]
        elif form < 0.7:
            large = rng.random() < difficulty.two_digit_operands
            operand = rng.randint(10, 40) if large else rng.randint(1, 9)
            text = str(operand)
        else:
            factor = rng.randint(2, 4)
            if factor * value <= difficulty.largest:
                return f"{factor}{name}", factor * value
            continue
        sign = rng.choice("+-")
        result = value + operand if sign == "+" else value - operand
        if 1 <= result <= difficulty.largest:
            return f"{name}{sign}{text}", result


def _equation(rng: random.Random) -> tuple[str, Fraction] | None:
    factor, constant = rng.randint(2, 9), rng.randint(1, 20)
    if rng.random() < 0.5:
        moved = rng.randint(2, 7)
        product = rng.randint(1, 40)
        if factor - moved < 2:
            return None
        root = Fraction(product, factor - moved)
        return f"Solve {factor}x+{constant}={moved}x+{constant + product}.", root
    sign = rng.choice("+-")
    product = rng.randint(1, 50)
    right = product + constant if sign == "+" else product - constant
    if right < 1:
        return None
    return f"Solve {factor}x{sign}{constant}={right}.", Fraction(product, factor)


def _sum(rng: random.Random) -> tuple[str, Fraction] | None:
    bottoms = (rng.randint(2, 8), rng.randint(2, 8))
    tops = (rng.randint(1, 9), rng.randint(1, 9))
    in_lowest_terms = gcd(tops[0], bottoms[0]) == gcd(tops[1], bottoms[1]) == 1
    sign = rng.choice("+-")
    left, right = Fraction(tops[0], bottoms[0]), Fraction(tops[1], bottoms[1])
    value = left + right if sign == "+" else left - right
    if not in_lowest_terms or bottoms[0] == bottoms[1] or value <= 0:
        return None
    return f"Find {tops[0]}/{bottoms[0]}{sign}{tops[1]}/{bottoms[1]}.", value


def _options(rng: random.Random, value: int) -> tuple[str, ...]:
    """Four near misses with different last digits, the right value among them."""
    near = [value + by for by in (-20, -12, -11, -9, -3, -2, -1, 1, 2, 3, 9, 11, 12, 20)]
    near += [value + by for by in (-8, -7, -6, -5, -4, 4, 5, 6, 7, 8)]
    options = [value]
    while len(options) < len(OPTION_LETTERS):
        option = rng.choice(near)
        if option > 0 and option % 10 not in {other % 10 for other in options}:
            options.append(option)
    rng.shuffle(options)
    return tuple(str(option) for option in options)
