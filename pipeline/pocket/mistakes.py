# ruff: noqa: PLR2004 - shares of a drawn mixture read best where they are drawn
"""Alter right steps as a weak model would: wrong look-ups, slips, wrong letters, early answers."""

import random
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from pipeline.pocket.problems import Problem
from pipeline.pocket.step_checker import (
    OPTION_LETTERS,
    THINK_CLOSE,
    Question,
    check_step,
    definition_step,
    next_steps,
    option_step,
)

_NUMBER = re.compile(r"\d+")
_OPERAND = re.compile(r"[a-z]|\d+")
_VALUE = re.compile(r"([a-z])=(\d+)")
_STEP = re.compile(r"([a-z])=([^=, ]+)((?:, [a-z]=\d+)+), \1=(.+)")
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
    if draw < 0.20:
        return _misread(rng, problem, earlier, match)
    if draw < 0.5:
        return _wrong_value(rng, problem, earlier, match)
    if draw < 0.56:
        name: str = rng.choice(re.findall(r"[a-z](?==)", problem.question.statement))
        return step.replace(f"{match[1]}=", f"{name}=")
    return step[: match.start(4)] + _slip(rng, match[4])


def _numbers_about(problem: Problem, earlier: Sequence[str]) -> list[str]:
    return _NUMBER.findall(" ".join((problem.question.statement, *earlier)))


def _misread(
    rng: random.Random, problem: Problem, earlier: Sequence[str], match: re.Match[str]
) -> str:
    """Restate another definition; mostly look up and compute rightly what that one says."""
    name, definition = match[1], match[2]
    statement = problem.question.statement
    parts = _OPERAND.findall(statement.removeprefix("Let ").partition(".")[0])
    other = definition.replace(rng.choice(_OPERAND.findall(definition)), rng.choice(parts))
    misread = Question(statement.replace(f"{name}={definition}", f"{name}={other}"))
    computed = [step for step in next_steps(misread, earlier) if step[0] == name]
    if computed and rng.random() < 0.8:
        return computed[0]
    return f"{name}={other}{match[3]}, {name}={match[4]}"


def _wrong_value(
    rng: random.Random, problem: Problem, earlier: Sequence[str], match: re.Match[str]
) -> str:
    """Look up another number, and mostly compute rightly with it; or mistake the operation."""
    name, definition, looked_up, result = match.groups()
    values = dict(_VALUE.findall(looked_up))
    if rng.random() < 0.1:
        mistaken = definition.translate(str.maketrans("+-/", "-+-"))
        if mistaken == definition:  # a multiple
            mistaken = f"{definition[-1]}+{definition[:-1]}"
        computed = definition_step(name, mistaken, _numbers(values))
        result = computed.rpartition(f"{name}=")[2] if computed else result
        return f"{name}={definition}{looked_up}, {name}={result}"
    operand = rng.choice(list(values))
    other = rng.choice(_numbers_about(problem, earlier))
    values[operand] = other if rng.random() < 0.75 else _near(rng, values[operand])
    computed = definition_step(name, definition, _numbers(values))
    if computed and rng.random() < 0.9:
        return computed
    looked_up = "".join(f", {one}={value}" for one, value in values.items())
    return f"{name}={definition}{looked_up}, {name}={result}"


def _numbers(values: Mapping[str, str]) -> dict[str, Fraction]:
    return {name: Fraction(value) for name, value in values.items()}


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
    right, form = OPTION_LETTERS.index(problem.answer), rng.random()
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
    if answer in OPTION_LETTERS and problem.kind == "choice":
        return f"\\boxed{{{rng.choice(OPTION_LETTERS.replace(answer, ''))}}}"
    if rng.random() < 0.5:
        return f"\\boxed{{{rng.choice(_numbers_about(problem, problem.steps))}}}"
    return _slip(rng, step)


def _early_answer(rng: random.Random, problem: Problem, earlier: Sequence[str]) -> str:
    if problem.kind == "choice":
        answer = rng.choice(OPTION_LETTERS)
    else:
        answer = rng.choice(_numbers_about(problem, earlier)[-4:])
    return f"{THINK_CLOSE}\n\n\\boxed{{{answer}}}"
