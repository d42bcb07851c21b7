"""A second opinion: the same cases judged by Math-Verify, where it is installed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from evaluators.cases import judged_text


class NoSecondOpinion(RuntimeError):  # noqa: N818 - a missing package, told as one sentence
    """Math-Verify is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A case that the two graders judge differently."""

    gold: str
    answer: str
    ours: str
    rule: str
    math_verify: bool


def disagreements(rows: Iterable[Mapping[str, Any]]) -> Iterator[Disagreement]:
    """Where Math-Verify judges graded rows (of `grade_cases`) differently; letters are left out.

    Call from the main thread: Math-Verify limits its time by a signal. Raises NoSecondOpinion.
    """
    if find_spec("math_verify") is None:
        raise NoSecondOpinion(
            "Math-Verify is not installed; install it with `pip install math-verify` to compare"
        )
    for row in rows:
        if row.get("kind") == "choice":
            continue
        answer = judged_text(row)
        theirs = math_verify_says(str(row["gold"]), answer)
        if theirs != (row["verdict"] == "correct"):
            yield Disagreement(str(row["gold"]), answer, row["verdict"], row["rule"], theirs)


def math_verify_says(gold: str, answer: str) -> bool:
    """Math-Verify's verdict, with the delimiters that its parser needs put around bare LaTeX."""
    math_verify: Any = import_module("math_verify")
    parsed = [math_verify.parse(_delimited(text)) for text in (gold, answer)]
    return bool(math_verify.verify(*parsed))


def _delimited(text: str) -> str:
    return text if "$" in text or "\\boxed" in text or "\\(" in text else f"${text}$"
