"""How many tracks would end before their answer, on recorded outputs of models.

Each output is cut into steps at its blank lines. A track ends after the first step that states a
complete answer; where the output's own final answer stands in a later step, it ended early, and
where it then has another answer, it was harmed. Beside the rule in use stands the plain one: the
first closed box that holds something, or for multiple choice a letter after the word "answer".

Files are JSON lines with `outputs` (a list) or one of `output`, `response`, `pred`, `solution`,
`answer`; `kind` is latex where it is left out, and `choices` tells how many options there are.
Without files the golden table of multiple choice is read.

`--first STEP` puts a step before every output, such as one that restates the instruction.

    python benchmarks/early_endings.py OUTPUTS.jsonl ... [--first STEP] [--thinking] [--quick]
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from report import print_result

from evaluators import extract_answer, same_answer
from evaluators.finding.boxes import last_boxed
from pipeline.letters import LETTERS
from pipeline.reasoners.complete_answer import AnswerForm, is_thinking, states_answer
from pipeline.reasoners.opening import THINK_CLOSE
from pipeline.reasoners.step_ends import STEP_END

CASES = Path(__file__).resolve().parent.parent / "tests" / "cases" / "choice.jsonl"
QUICK_OUTPUTS = 500
LETTER = re.compile(r"\banswer\b[*_\s]*(?:is\b)?[*_\s]*:?[*_\s(]*[A-Za-z]\b", re.IGNORECASE)

Rule = Callable[[list[str], AnswerForm, bool], bool]
"""Whether the last of these steps ends the track."""


def plain(steps: list[str], form: AnswerForm, thinking: bool) -> bool:  # noqa: ARG001 - a rule
    """The first closed box, or a letter after the word "answer"."""
    text = steps[-1]
    stated = form.kind == "choice" and LETTER.search(text) is not None
    if last_boxed(text) is None and not stated:
        return False
    return extract_answer(text, form.kind) is not None


def in_use(steps: list[str], form: AnswerForm, thinking: bool) -> bool:
    """The rule of the reasoners."""
    return states_answer(steps[-1], form, thinking=thinking, earlier=steps[:-1])


def outputs_of(files: list[Path]) -> Iterator[tuple[str, AnswerForm]]:
    """Every output with the form of its answer."""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            said = [
                row[name]
                for name in ("output", "response", "pred", "solution", "answer")
                if row.get(name)
            ]
            letters = LETTERS[: len(row.get("choices", ()))]
            for output in row.get("outputs", said[:1]):
                yield output, AnswerForm(row.get("kind", "latex"), letters)


def ending(steps: list[str], form: AnswerForm, rule: Rule, *, thinking: bool) -> int | None:
    """The index of the step after which the track ends; None where the text's end ends it."""
    for index, step in enumerate(steps):
        if rule(steps[: index + 1], form, thinking):
            return index
        thinking = is_thinking(step, before=thinking)
    return None


def main() -> None:
    """Count, print the steps that end a track early, and the sums as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", default=[CASES])
    parser.add_argument("--first", help="a step to put before every output")
    parser.add_argument("--thinking", action="store_true", help="outputs begin in a thinking block")
    parser.add_argument("--show", type=int, default=5, help="early endings to print for each rule")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_OUTPUTS} outputs")
    asked = parser.parse_args()
    outputs = list(outputs_of(asked.files))[: QUICK_OUTPUTS if asked.quick else None]
    sums = {}
    for name, rule in {"plain": plain, "in_use": in_use}.items():
        counts = {"ended_by_step": 0, "at_the_answer": 0, "early": 0, "harmed": 0, "none": 0}
        places: Counter[str] = Counter()
        for output, form in outputs:
            answer = extract_answer(output, form.kind)
            steps = [part + STEP_END for part in output.split(STEP_END)]
            steps[:0] = [asked.first + STEP_END] if asked.first else []
            open_block = asked.thinking or THINK_CLOSE in output
            end = ending(steps, form, rule, thinking=open_block)
            if end is None:
                counts["none"] += 1
                continue
            counts["ended_by_step"] += 1
            rest = "".join(steps[end + 1 :])
            later = answer is not None and extract_answer(rest, form.kind) is not None
            then = extract_answer("".join(steps[: end + 1]), form.kind)
            restated = last_boxed(rest) is not None or (form.kind == "choice" and later)
            if not restated:
                counts["at_the_answer"] += 1
                continue
            counts["early"] += 1
            harmed = then is None or same_answer(then, answer or "", form.kind) is not True
            counts["harmed"] += harmed
            places[str(end + 1)] += 1
            if counts["early"] <= asked.show:
                where = f"step {end + 1} of {len(steps)}{', harmed' * harmed}"
                print(f"{name}: {where}: {steps[end].strip()[-200:]!r}")
        sums[name] = {**counts, "early_at_step": places}
    print_result("early_endings", {"outputs": len(outputs), **sums})


if __name__ == "__main__":
    main()
