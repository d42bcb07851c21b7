"""The entry point: extract the answer, compare it with the gold one, give the verdict and why."""

from evaluators.comparing.equivalence import compare, readings
from evaluators.comparing.scalars import Policy
from evaluators.finding.choice import chosen_letter
from evaluators.finding.extract import extract
from evaluators.reading.render import render
from evaluators.verdict import Outcome, Status, Verdict

# Changes whenever a verdict may change; verdict rows carry it.
GRADER_VERSION = "2.6"

KINDS = ("integer", "latex", "choice", "text")
# Longer texts are cut in explanations, characters.
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
        return Verdict(
            Status.NO_ANSWER, None, "no_answer", _explained(kind, gold, "none is stated", "")
        )
    decision = compare(gold, found.text, Policy())
    how = f"{_shown(found.text)} (rule {found.rule}, at character {found.start})"
    return Verdict(
        _STATUS[decision.outcome],
        found.text,
        f"{found.rule}/{decision.rule}",
        _explained(kind, gold, how, decision.rule),
    )


def same_answer(a: str, b: str, kind: str) -> bool | None:
    """Whether two bare answers are the same answer; None where that cannot be decided.

    Symmetric: what a gold answer's rounding would allow does not count here.
    """
    _check_kind(kind)
    if kind == "choice":
        return a.strip().upper() == b.strip().upper()
    policy = Policy(gold_rounds=False)
    outcomes = {compare(a, b, policy).outcome, compare(b, a, policy).outcome}
    if Outcome.EQUAL in outcomes:
        return True
    return None if Outcome.UNDECIDED in outcomes else False


def explain(answer_text: str, gold: str, kind: str) -> str:
    """How the verdict on one answer comes about, in a few lines."""
    verdict = grade(answer_text, gold, kind)
    lines = [verdict.explanation]
    if kind != "choice" and verdict.extracted is not None:
        lines += [
            f"gold read as    {_readings(gold)}",
            f"answer read as  {_readings(verdict.extracted)}",
        ]
    lines.append(f"verdict         {verdict.status.value}")
    return "\n".join(lines)


def _grade_choice(answer_text: str, gold: str) -> Verdict:
    wanted = chosen_letter(gold)
    letter = wanted.letter if wanted and wanted.letter else gold.strip().upper()
    found = chosen_letter(answer_text)
    if found is None:
        how = "no letter is stated"
        return Verdict(Status.NO_ANSWER, None, "no_answer", _explained("choice", gold, how, ""))
    shown = f"{_shown(found.span)} (rule {found.rule})"
    if found.letter is None:
        explanation = _explained("choice", gold, f"several letters at once: {shown}", found.rule)
        return Verdict(Status.WRONG, found.span[:MAX_SHOWN], found.rule, explanation)
    same = found.letter == letter
    rule = "same_letter" if same else "other_letter"
    return Verdict(
        Status.CORRECT if same else Status.WRONG,
        found.letter,
        f"{found.rule}/{rule}",
        _explained("choice", gold, f"{found.letter} in {shown}", rule),
    )


def _explained(kind: str, gold: str, how: str, rule: str) -> str:
    lines = [f"kind            {kind}", f"gold            {_shown(gold)}", f"answer          {how}"]
    return "\n".join([*lines, f"decided by      {rule}"] if rule else lines)


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")


def _readings(text: str) -> str:
    trees = [render(tree) for tree in readings(text)]
    return " or ".join(tree[:MAX_SHOWN] for tree in trees) or "no formula: compared by its words"


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"unknown answer kind {kind!r}; known kinds are {', '.join(KINDS)}")
