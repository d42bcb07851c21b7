"""Steps as SpecReason and SSR record them, and what their tokens were spent on."""

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UserMistake
from pipeline.imports.entries import Usage, generated
from pipeline.imports.fields import Fields
from pipeline.ledger import Use
from pipeline.records import Step

STEP_BREAK = "\n\n"
"""The stop string of a step, which these records leave out."""
STEP_CAP = 512
"""The scripts' limit on a step's tokens: a step of that length was cut."""
SCORE_TOKENS = 1
"""The scripts ask for one token for each score."""
TEMPERATURE = 0.6
TOP_P = 0.95
"""Sampling is written into the scripts, not into their records."""


REPEAT = re.compile("[0-9]{1,4}")
"""A longer number is a date or the like; as a repeat it would make millions of missing attempts."""


def problem_and_repeat(file: Path) -> tuple[str, int]:
    """The problem and repeat that a file's name says: `60-0.pickle` or `60/0.pickle`.

    Raises:
        UserMistake: it says neither.
    """
    problem, dash, repeat = file.stem.rpartition("-")
    if not dash:
        problem, repeat = file.parent.name, file.stem
    if not problem or REPEAT.fullmatch(repeat) is None:
        raise UserMistake(
            f"{file} does not say by its name which attempt it is; keep the scripts' names, "
            "PROBLEM-REPEAT.pickle or PROBLEM/REPEAT.pickle."
        )
    return problem, int(repeat)


def steps_of(records: Sequence[Fields]) -> tuple[Step, ...]:
    """The steps of one track, with the breaks between them.

    Raises:
        CorruptEntry: a record lacks a field, or one has a wrong type.
    """
    last = len(records) - 1
    return tuple(_step(record, last=number == last) for number, record in enumerate(records))


def _step(record: Fields, *, last: bool) -> Step:
    text = record.text("step_str") + ("" if last else STEP_BREAK)
    small, base = record.count("num_output_tokens_small"), record.count("num_output_tokens_base")
    rewritten = record.has("base_model_step")
    drafted = record.has("small_model_step")
    tokens = base if rewritten else small
    return Step(
        text=text,
        author="target" if rewritten else "draft",
        tokens=tokens,
        seconds=None,
        finish=None if tokens is None else "length" if tokens >= STEP_CAP else "stop",
        score=record.number("score") if drafted else None,
        draft_text=record.text("small_model_step") if rewritten and drafted else None,
        draft_tokens=small if rewritten and drafted else None,
        notes=(record.text("warning"),) if record.has("warning") else (),
    )


def usage_of(steps: Sequence[Step]) -> Usage | None:
    """Where the tokens of judged steps went; None where a step does not say how many it has.

    Prompt tokens are not recorded, so no FLOPs follow from this.
    """
    booked: dict[tuple[str, Use], int] = {}
    for step in steps:
        if step.tokens is None or (step.draft_text is not None and step.draft_tokens is None):
            return None
        author = _author_use(step)
        booked[author] = booked.get(author, 0) + step.tokens
        if step.draft_text is not None:
            dropped = "draft", Use.DRAFT_DROPPED
            booked[dropped] = booked.get(dropped, 0) + (step.draft_tokens or 0)
        if step.score is not None:
            verify = "target", Use.VERIFY
            booked[verify] = booked.get(verify, 0) + SCORE_TOKENS
    usage: Usage = {}
    for (model, use), count in booked.items():
        usage.setdefault(model, {})[use.value] = generated(count)
    return usage


def _author_use(step: Step) -> tuple[str, Use]:
    if step.author == "draft":
        return "draft", Use.DRAFT_KEPT
    return "target", Use.PLAIN if step.draft_text is None else Use.REWRITE
