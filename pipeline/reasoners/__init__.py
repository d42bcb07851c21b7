"""Reasoning procedures by name; adding one is adding a file and a line here."""

import importlib
from dataclasses import dataclass

from pipeline.engines.protocol import Ability
from pipeline.errors import UserMistake
from pipeline.reasoners.protocol import Reasoner


@dataclass(frozen=True, slots=True)
class ReasonerEntry:
    """Where a reasoner lives, what it needs of its engines, and which prompts it uses.

    `prompts` are beginnings of template paths: a change to other templates is no change to it.
    """

    path: str
    uses_draft: bool
    needs: frozenset[Ability]
    prompts: tuple[str, ...]


REASONERS = {
    "baseline": ReasonerEntry("pipeline.reasoners.baseline:solve", False, frozenset(), ("task/",)),
}


def load(name: str) -> Reasoner:
    """The reasoner of that name.

    Raises:
        UserMistake: there is none.
    """
    if name not in REASONERS:
        raise UserMistake(f"There is no reasoner {name!r}; there are: {', '.join(REASONERS)}.")
    module, _, function = REASONERS[name].path.partition(":")
    reasoner: Reasoner = getattr(importlib.import_module(module), function)
    return reasoner
