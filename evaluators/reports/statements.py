"""The problems' texts, as reports show them beside the attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# The authors of datasets whose name starts like this ask that examples not be revealed.
HIDDEN_DATASETS = ("gpqa",)


def hides_text(dataset: str, hidden: tuple[str, ...]) -> bool:
    """Whether texts about this dataset stay out: its name starts with one of `hidden`."""
    return dataset.lower().startswith(tuple(name.lower() for name in hidden))


@dataclass(frozen=True, slots=True)
class Statement:
    """One problem as a model was asked it, with its choices in the order shown, if it has any."""

    problem: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statements:
    """Statements by problem id; `missing` says why some or all are not there, None if none are.

    `prompts` has for a problem the text that its task is rendered to now, without any guidance.
    """

    by_id: Mapping[str, Statement]
    missing: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
