# ruff: noqa: PLR2004 - shares of a drawn mixture read best where they are drawn
"""Alter right steps as a weak model would: wrong look-ups, slips, wrong letters, early answers."""

import random
import re
from collections.abc import Sequence

from pipeline.pocket.problems import Problem
from pipeline.pocket.steps import LETTERS, THINK_CLOSE, check_step, option_step

_NUMBER = re.compile(r"\d+")
_STEP = re.compile(r"([a-z])=(\d+)([-+*])(\d+)=(\d+)")
_TRIES = 20


def wrong_step(rng: random.Random, problem: Problem, index: int) -> str:
    """Make a wrong step in place of step `index`; the answer step is the one after the last."""
    steps = (*problem.steps, problem.answer_step)
    earlier = steps[:index]
    for _ in range(_TRIES):
        step = _altered(rng, problem, earlier, steps[index])
        if not check_step(problem.question, earlier, step):
            return step
    return _slip(rng, steps[index]) + "0"


def _altered(rng: random.Random, problem: Problem, earlier: Sequence[str], step: str) -> str:
    draw = rng.random()
    if draw < 0.04 and earlier:
        return rng.choice(earlier)
    if step.startswith("\\boxed"):
        return _wrong_box(rng, problem, step)
    if draw < 0.09:
        return _early_answer(rng, problem, earlier)
    if " is " in step:
        return _wrong_option(rng, problem, step)
    match = _STEP.fullmatch(step)
    if match is None:
        return _slip(rng, step)
    if draw < 0.5:
        return _wrong_operand(rng, problem, earlier, match)
    if draw < 0.56:
        name: str = rng.choice(re.findall(r"[a-z](?==)", problem.question.statement))
        return name + step[1:]
    return f"{step[: match.start(5)]}{_near(rng, match[5])}"


def _numbers_about(problem: Problem, earlier: Sequence[str]) -> list[str]:
    return _NUMBER.findall(" ".join((problem.question.statement, *earlier)))


def _wrong_operand(
    rng: random.Random, problem: Problem, earlier: Sequence[str], match: re.Match[str]
) -> str:
    """Look up another number or sign, then compute rightly (or, seldom, keep the old result)."""
    left, sign, right = match[2], match[3], match[4]
    change = rng.random()
    other = rng.choice(_numbers_about(problem, earlier))
    other = other if rng.random() < 0.75 else _near(rng, left if change < 0.5 else right)
    if change < 0.45:
        left = other
    elif change < 0.9:
        right = other
    else:
        sign = rng.choice("+-*".replace(sign, ""))
    value = {"+": int(left) + int(right), "-": int(left) - int(right)}.get(sign)
    value = int(left) * int(right) if value is None else value
    result = match[5] if value < 0 or rng.random() < 0.1 else str(value)
    return f"{match[1]}={left}{sign}{right}={result}"


def _near(rng: random.Random, number: str) -> str:
    """Miss a number: by a little, by ten, by swapped digits or by one digit."""
    value = int(number)
    form = rng.random()
    if form < 0.4:
        return str(abs(value + rng.choice((-3, -2, -1, 1, 2, 3))))
    if form < 0.6:
        return str(abs(value + rng.choice((-20, -10, 10, 20))))
    if form < 0.7 and len(number) > 1:
        return number[::-1]
    place = rng.randrange(len(number))
    return number[:place] + str(rng.randrange(10)) + number[place + 1 :]


def _slip(rng: random.Random, step: str) -> str:
    """Change one number of a step, mostly the last ones."""
    found = list(_NUMBER.finditer(step))
    if not found:
        return step + str(rng.randrange(10))
    match = found[-1] if rng.random() < 0.4 else rng.choice(found)
    if step.count("=") > 1 and "/" in step and rng.random() < 0.15:
        return step[: step.rindex("=")]
    if step.endswith(f"/{found[-1][0]}") and rng.random() < 0.1:
        return f"{step}={found[-1][0]}/{found[-1][0]}"
    return step[: match.start()] + _near(rng, match[0]) + step[match.end() :]


def _wrong_option(rng: random.Random, problem: Problem, step: str) -> str:
    """Accept another option, misquote one, copy the value wrongly, or refuse the right option."""
    choices, value = problem.question.choices, step.split(" ")[2].rstrip(":")
    right, form = LETTERS.index(problem.answer), rng.random()
    if form < 0.3:
        return option_step(step[0], value, choices, rng.randrange(len(choices)))
    if form < 0.65:
        return _misquoted(rng, step[0], value, choices, right)
    if form < 0.8:
        return _slip(rng, step)
    if form < 0.9:
        other = rng.choice(choices)
        return option_step(step[0], other, choices, choices.index(other))
    return step.removesuffix("yes") + "no"


def _misquoted(
    rng: random.Random, name: str, value: str, choices: Sequence[str], right: int
) -> str:
    """Quote a wrong option as if it had the value, or one option's number for another's."""
    found, quoted = rng.randrange(len(choices)), list(choices)
    if found == right or rng.random() < 0.3:
        quoted[rng.randrange(found + 1)] = rng.choice((*choices, _near(rng, value)))
    else:
        quoted[found] = value
    return option_step(name, value, quoted, found)


def _wrong_box(rng: random.Random, problem: Problem, step: str) -> str:
    answer = problem.answer
    if answer in LETTERS and problem.kind == "choice":
        return f"\\boxed{{{rng.choice(LETTERS.replace(answer, ''))}}}"
    if rng.random() < 0.5:
        return f"\\boxed{{{rng.choice(_numbers_about(problem, problem.steps))}}}"
    return _slip(rng, step)


def _early_answer(rng: random.Random, problem: Problem, earlier: Sequence[str]) -> str:
    if problem.kind == "choice":
        answer = rng.choice(LETTERS)
    else:
        answer = rng.choice(_numbers_about(problem, earlier)[-4:])
    return f"{THINK_CLOSE}\n\n\\boxed{{{answer}}}"
