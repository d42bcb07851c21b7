# ruff: noqa: RUF001, E501 - frames read best unbroken, and in signs of other scripts
"""Accuracy of the grader on unseen cases made by class: spellings, near misses, noise, outputs.

Every case is drawn: a value of a class (`spellings`), a spelling of it as gold answer, another
as answer or a near miss, noise that does not change what is said, and an output around it. Labels
are known by construction. The same seed makes the same cases.

    python benchmarks/grading_classes.py [--seed 1] [--cases 20000] [--quick] [--misses FILE]
"""

import argparse
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from drawn import Drawn
from report import print_result
from spellings import CLASSES

from evaluators import grade

QUICK_CASES = 4_000
RIGHT_SHARE = 0.55

Noise = Callable[[str], str]


@dataclass(frozen=True)
class Case:
    """One case of a class with the label it was made for."""

    name: str
    kind: str
    gold: str
    answer: str
    label: bool


def _outside_text(text: str, change: Noise) -> str:
    r"""The change applied outside `\text{…}` and environments' names."""
    parts = re.split(r"(\\(?:text|textbf|mathrm|begin|end|operatorname)\s*\{[^{}]*\})", text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))


def _sized(text: str) -> str:
    opened = re.sub(r"(?<!\\left)(?<!\\)(?<!\\[bB]igl)([(\[])", r"\\left\1", text)
    sized = re.sub(r"(?<!\\right)(?<!\\)(?<!\\[bB]igr)([)\]])", r"\\right\1", opened)
    balanced = sized.count("\\left") == sized.count("\\right") and "sqrt\\left[" not in sized
    return sized if balanced and "infty" not in text else text


NOISE: dict[str, Noise] = {
    "none": lambda text: text,
    "dfrac": lambda text: text.replace("\\frac", "\\dfrac"),
    "sized": lambda text: _outside_text(text, _sized),
    "thin": lambda text: _outside_text(text, lambda t: re.sub(r"(?<=[+=]) ?", r"\\,", t)),
    "negative thin": lambda text: _outside_text(
        text, lambda t: re.sub(r"(?<=[a-z])\(", r"\\!(", t)
    ),
    "tie": lambda text: _outside_text(text, lambda t: re.sub(r"(?<!\\) (?=[+=<>-])", "~", t)),
    "spaces": lambda text: f"  {text} ",
    "dollars": lambda text: f"${text}$" if "$" not in text else text,
    "display": lambda text: f"$${text}$$" if "$" not in text else text,
    "parentheses": lambda text: f"\\({text}\\)",
    "brackets": lambda text: f"\\[ {text} \\]",
    "dollars and period": lambda text: f"${text}$." if "$" not in text else text,
    "period": lambda text: text if text.endswith(".") else f"{text}.",
    "minus sign": lambda text: text.replace("-", "−"),
    "braces": lambda text: f"{{{text}}}",
    "display style": lambda text: f"\\displaystyle {text}",
    "color": lambda text: f"\\color{{blue}}{{{text}}}",
    "bold math": lambda text: f"\\boldsymbol{{{text}}}",
    "quad": lambda text: f"\\quad {text} \\quad",
}
# Noise that a text between dollar signs, in running text or with currencies may not take.
_MATH_ONLY = {
    "dollars",
    "display",
    "parentheses",
    "brackets",
    "dollars and period",
    "display style",
}
_MATH_ONLY |= {"braces", "color", "bold math"}

FRAMES = (
    "{}",
    "{}",
    "\\boxed{{{}}}",
    "\\boxed{{{}}}",
    "The final answer is $\\boxed{{{}}}$.",
    "\\[ \\boxed{{{}}} \\]",
    "Therefore the value we want is \\(\\boxed{{{}}}\\).",
    "First we find 17 and then 4 more.\n\nSo the result is\n\n$$\\boxed{{{}}}$$",
    "<think>\nMaybe it is \\boxed{{99991}}? No, wait.\n</think>\n\nThe answer is \\boxed{{{}}}.",
    "<think>Trying 3, then 5.</think>\\boxed{{{}}}",
    "We get \\boxed{{99991}}.\n\nWait, that is wrong; checking again gives \\boxed{{{}}}.",
    "**Answer:** {}",
    "**Final Answer**: $\\boxed{{{}}}$",
    "Final answer: {}",
    "#### {}",
    "Step 1: compute 12 * 3 = 36.\nStep 2: simplify.\n#### {}",
    "<answer>{}</answer>",
    "Some work with 8 and 9.\n\n**Final Answer:**\n\n{}",
    "\\boxed{{{}}}\n\nThis can be checked by putting it back into the equation.",
    "### Solution\nWe have 2 cases.\n\n### Answer\n\n\\[\n\\boxed{{{}}}\n\\]",
    "\\fbox{{{}}}",
    "Hence, the answer is: \\boxed{{{}}} ✅",
    "$\\boxed{{{}}}$ is the final answer.",
    "```\nprint(2)\n```\nThe program prints the result. Thus \\boxed{{{}}}.",
)
# Outputs that state no answer, or several, or another one at last; never right.
SPOILED = (
    "I think it is {} but I cannot be sure; I give up.",
    "\\boxed{{{}}} \n\nWait, I made a mistake. The correct answer is \\boxed{{99991}}.",
    "\\boxed{{{} \\text{{ or }} 99991}}",
    "The answer is not \\boxed{{}}.",
    "<think>So it is \\boxed{{{}}}.</think>\nThe answer is \\boxed{{99991}}.",
    "Final answer: 99991 (earlier I had {})",
    "\\boxed{{99991 \\text{{ or }} {}}}",
)
LETTER_FRAMES = (
    "{}", "({})", "{}.", "**{}**", "\\boxed{{{}}}", "\\boxed{{\\text{{{}}}}}", "\\boxed{{({})}}", "Answer: {}",
    "The answer is {}.", "The answer is ({}).", "the correct option is {}", "**Answer: {}**", "ANSWER: {}",
    "So the correct choice is **({})**.", "Option {} is correct.", "The correct answer is option {}.",
    "Let me think. A is too small and D is too big.\n\nAnswer: {}", "\\boxed{{\\textbf{{({})}}}}",
    "<think>B? no, C?</think>\nThe answer is {}.", "Final Answer: {}", "答案是{}", '{{"answer": "{}"}}',
    "<answer>{}</answer>", "I would go with {}.", "Therefore, the best answer is $\\mathbf{{{}}}$.",
    "**{})** because it fits.", "My answer: ({})", "Thus {} is the right answer.", "$\\boxed{{\\mathrm{{{}}}}}$",
    "The answer must be {}, since the others fail.", "Correct answer: {}", "Answer: **{}**\n\nThe rest is wrong.",
    "Choose {}.", "Answer: {}) 12 cm", "Antwort: {}", "La respuesta es {}.", "\\boxed{{\\text{{Option {}}}}}",
)  # fmt: skip
LETTER_SPOILED = (
    "A, B, C and D are all possible.", "I cannot decide.", "{} or {}", "Answer: {} and {}", "\\boxed{{{}, {}}}",
    "The answer is not {}.", "It is either {} or {}.", "None of these.",
)  # fmt: skip


def letters(chance: random.Random) -> Case:
    """A multiple-choice output and its gold letter."""
    gold = chance.choice("ABCD")
    other = chance.choice([letter for letter in "ABCD" if letter != gold])
    roll = chance.random()
    if roll < 0.15:
        return Case(
            "choice", "choice", gold, chance.choice(LETTER_SPOILED).format(gold, other), False
        )
    right = roll < 0.6
    frame = chance.choice(LETTER_FRAMES)
    return Case("choice", "choice", gold, frame.format(gold if right else other), right)


def _noisy(text: str, chance: random.Random) -> str:
    prose = bool(re.search(r"(?<![\\a-zA-Z{])[a-zA-Z]{3,}", text)) or "$" in text or "%" in text
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        name = chance.choice(list(NOISE))
        if not (prose and name in _MATH_ONLY) and not (name in _MATH_ONLY and "\\(" in text):
            text = NOISE[name](text)
    return text


def drawn_case(name: str, drawn: Drawn, chance: random.Random) -> Case:
    """One case of a drawn value: right or wrong, with noise, in an output."""
    gold = chance.choice(drawn.golds)
    right = chance.random() < RIGHT_SHARE
    answer = chance.choice(drawn.right if right else drawn.wrong)
    if right and chance.random() < 0.04:
        spoiled = chance.choice(SPOILED).format(chance.choice(drawn.right))
        return Case(name, drawn.kind, gold, spoiled, False)
    text = _noisy(answer, chance)
    boxable = not re.search(r"\n|^\$\$|\\\[|\\\(|\*\*", text) and text.count("$") % 2 == 0
    frames = [f for f in FRAMES if boxable or "box" not in f]
    prefixed = re.search(r"^\s|[.\n]\s*$", text)
    frame = "{}" if prefixed and chance.random() < 0.5 else chance.choice(frames)
    return Case(name, drawn.kind, gold, frame.format(text), right)


def cases(count: int, seed: int) -> Iterator[Case]:
    """The cases of a seed, every class as often as the others."""
    chance = random.Random(seed)
    names = [*CLASSES, "choice"]
    for index in range(count):
        name = names[index % len(names)]
        if name == "choice":
            yield letters(chance)
        else:
            yield drawn_case(name, CLASSES[name](chance), chance)


def main() -> None:
    """Grade the cases and print the accuracy of each class and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK_CASES} cases")
    parser.add_argument("--misses", type=Path, help="write the misses as JSON lines")
    options = parser.parse_args()
    count = QUICK_CASES if options.quick else options.cases
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    missed, seconds = [], 0.0
    for case in cases(count, options.seed):
        started = time.perf_counter()
        verdict = grade(case.answer, case.gold, case.kind)
        seconds += time.perf_counter() - started
        wrong = "false_positive" if verdict.correct else "false_negative"
        outcome = "right" if verdict.correct == case.label else wrong
        outcomes[case.name][outcome] += 1
        if outcome != "right":
            missed.append({**asdict(case), "outcome": outcome, "rule": verdict.rule})
    for name, tally in outcomes.items():
        share = 100 * tally["right"] / tally.total()
        print(f"{name:20} {share:6.2f} %  of {tally.total():5}  {dict(tally)}")
    if options.misses is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in missed)
        options.misses.write_text("".join(lines), encoding="utf-8")
    total = sum(outcomes.values(), Counter())
    print_result(
        "grading_classes",
        {
            "seed": options.seed,
            "cases": count,
            "accuracy_percent": round(100 * total["right"] / count, 2),
            "false_positive": total["false_positive"],
            "false_negative": total["false_negative"],
            "cases_per_second": round(count / seconds, 1),
        },
    )


if __name__ == "__main__":
    main()
