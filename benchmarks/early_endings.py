"""How many tracks would end before their text, on recorded outputs of models.

Each output is cut into steps at its blank lines. A track ends after the first step that the rule
takes for the answer; a step that closes the thinking block is written on to the end of the text.
Where steps are left, the track ended early: `changed` counts those whose answer is then another
than that of the whole output, and `unwritten` is the share of all characters that was saved.
Beside the rule in use stands the plain one: the first closed box that holds something, or for
multiple choice a letter after the word "answer".

Files are JSON lines with `outputs` (a list) or one of `output`, `response`, `pred`, `solution`,
`answer`; `kind` is latex where it is left out, and `choices` tells how many options there are.
Without files the golden table of multiple choice is read. An output with a `</think>` begins inside
the block.

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
from pipeline.reasoners.complete_answer import AnswerForm, ends_track, is_thinking
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
    return ends_track(steps[-1], form, thinking=thinking, earlier=steps[:-1])


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
    """The index of the step that ends the track early; None where the text's end does."""
    for index, step in enumerate(steps[:-1]):
        if thinking and THINK_CLOSE in step:
            return None
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
        early = changed = written = unwritten = 0
        places: Counter[str] = Counter()
        for output, form in outputs:
            steps = [part + STEP_END for part in output.split(STEP_END)]
            steps[:0] = [asked.first + STEP_END] if asked.first else []
            written += len("".join(steps))
            end = ending(steps, form, rule, thinking=asked.thinking or THINK_CLOSE in output)
            if end is None:
                continue
            early += 1
            unwritten += len("".join(steps[end + 1 :]))
            answer = extract_answer(output, form.kind) or ""
            then = extract_answer("".join(steps[: end + 1]), form.kind)
            is_changed = then is None or same_answer(then, answer, form.kind) is not True
            changed += is_changed
            places[str(end + 1)] += 1
            if early <= asked.show:
                where = f"step {end + 1} of {len(steps)}{', changed' * is_changed}"
                print(f"{name}: {where}: {steps[end].strip()[-200:]!r}")
        share = round(unwritten / written, 4) if written else 0.0
        counts = {"early": early, "changed": changed, "unwritten": share}
        sums[name] = {**counts, "early_at_step": places}
    print_result("early_endings", {"outputs": len(outputs), **sums})


if __name__ == "__main__":
    main()
