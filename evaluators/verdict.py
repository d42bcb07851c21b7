"""What the grader says: the verdict of one answer and the three-valued outcome of a comparison."""

from dataclasses import dataclass
from enum import Enum, StrEnum

LIMIT_RULES = frozenset(
    {"symbolic_limit", "too_much_work", "too_many_variables", "nested_too_deeply"}
)
"""Rules that decided only that a limit was reached."""


class Status(StrEnum):
    """The judgement of one answer."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    UNGRADABLE = "ungradable"


class Outcome(Enum):
    """What a comparison found out; `UNDECIDED` never counts as equal."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome and the name of the rule that reached it."""

    outcome: Outcome
    rule: str


def equal(rule: str) -> Decision:
    """Both sides are the same answer by `rule`."""
    return Decision(Outcome.EQUAL, rule)


def different(rule: str) -> Decision:
    """The sides are different answers by `rule`."""
    return Decision(Outcome.DIFFERENT, rule)


def undecided(rule: str) -> Decision:
    """`rule` could not decide within its budget."""
    return Decision(Outcome.UNDECIDED, rule)


def equal_if(condition: object, rule: str) -> Decision:
    """`equal` or `different` by the truth of the condition."""
    return equal(rule) if condition else different(rule)


def is_at_a_limit(rule: str) -> bool:
    """Whether a verdict's rule says that the comparison ended at one of its limits."""
    return rule.rpartition("/")[2] in LIMIT_RULES


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one answer against its gold answer.

    `rule` names what decided (and how the answer was found, before the slash); `explanation` is
    the text of several lines that `speclrm grade` prints.
    """

    status: Status
    extracted: str | None
    rule: str
    explanation: str

    @property
    def correct(self) -> bool:
        """Whether the answer counts as right."""
        return self.status is Status.CORRECT
