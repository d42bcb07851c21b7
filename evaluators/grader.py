"""The one entry: extract the answer, compare it with the gold one, say the verdict and why."""

from evaluators.choice import chosen_letter
from evaluators.equivalence import compare
from evaluators.extract import extract
from evaluators.verdict import Decision, Outcome, Status, Verdict

# Changes whenever a verdict may change; verdict rows carry it.
GRADER_VERSION = "1.0"

KINDS = ("integer", "latex", "choice", "text")
# Longer spans are cut in explanations, characters.
MAX_SHOWN = 300

_STATUS = {
    Outcome.EQUAL: Status.CORRECT,
    Outcome.DIFFERENT: Status.WRONG,
    Outcome.UNDECIDED: Status.UNGRADABLE,
}


def grade(answer_text: str, gold: str, kind: str) -> Verdict:
    """Judge a bare answer or a whole model output against the gold answer.

    `kind` is one of `KINDS`. Safe from any thread. Raises ValueError for an unknown kind.
    """
    _check_kind(kind)
    if kind == "choice":
        return _grade_choice(answer_text, gold)
    found = extract(answer_text)
    if found is None:
        return _verdict(Status.NO_ANSWER, None, "no_answer", gold, kind, "no stated answer found")
    decision = compare(gold, found.text, kind)
    return _verdict(
        _STATUS[decision.outcome],
        found.text,
        f"{found.rule}/{decision.rule}",
        gold,
        kind,
        f"found by rule {found.rule} at character {found.start}",
    )


def same_answer(a: str, b: str, kind: str) -> bool | None:
    """Whether two bare answers are the same answer; None where that cannot be decided."""
    _check_kind(kind)
    if kind == "choice":
        return a.strip().upper() == b.strip().upper()
    decision: Decision = compare(a, b, kind)
    return {Outcome.EQUAL: True, Outcome.DIFFERENT: False, Outcome.UNDECIDED: None}[
        decision.outcome
    ]


def explain(answer_text: str, gold: str, kind: str) -> str:
    """How the verdict on one answer comes about, in a few lines."""
    return grade(answer_text, gold, kind).explanation


def _grade_choice(answer_text: str, gold: str) -> Verdict:
    wanted = chosen_letter(gold)
    letter = wanted.letter if wanted and wanted.letter else gold.strip().upper()
    found = chosen_letter(answer_text)
    if found is None:
        return _verdict(Status.NO_ANSWER, None, "no_answer", gold, "choice", "no letter is stated")
    if found.letter is None:
        how = f"several letters at once: {found.span[:MAX_SHOWN]!r}"
        return _verdict(Status.WRONG, found.span[:MAX_SHOWN], found.rule, gold, "choice", how)
    status = Status.CORRECT if found.letter == letter else Status.WRONG
    rule = f"{found.rule}/{'same_letter' if status is Status.CORRECT else 'other_letter'}"
    how = f"found by rule {found.rule} in {found.span[:MAX_SHOWN]!r}"
    return _verdict(status, found.letter, rule, gold, "choice", how)


def _verdict(
    status: Status, extracted: str | None, rule: str, gold: str, kind: str, how: str
) -> Verdict:
    shown = "none" if extracted is None else repr(extracted[:MAX_SHOWN])
    lines = [
        f"kind       {kind}",
        f"gold       {gold[:MAX_SHOWN]!r}",
        f"answer     {shown}: {how}",
        f"rule       {rule}",
        f"verdict    {status.value}",
    ]
    return Verdict(status, extracted, rule, "\n".join(lines))


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"unknown answer kind {kind!r}; known kinds are {', '.join(KINDS)}")
