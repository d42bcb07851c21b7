"""What is asked at once: a prompt, or the prompts whose answers are branches of one sequence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.engines.branching import Branching
from pipeline.engines.settings import BRANCHES, EngineSettings
from pipeline.generating.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Unit:
    """Prompts that are asked together, and the ids of those whose answers are wanted."""

    prompts: tuple[Prompt, ...]
    wanted: frozenset[str]


def units_of(
    model: EngineSettings, prompts: Sequence[Prompt], missing: Collection[str]
) -> list[Unit]:
    """The prompts that are missing, as they are asked.

    Where answers depend on the prompts beside them, groups are those of all prompts, in their
    order, so that a group of which an answer is missing is asked whole.
    """
    branching = model.branching or Branching()
    size = branching.branches if model.decoding == BRANCHES else 1
    fixed = size > 1 and branching.is_lossy
    asked = [prompt for prompt in prompts if fixed or prompt.prompt_id in missing]
    units = []
    for start in range(0, len(asked), size):
        group = asked[start : start + size]
        wanted = frozenset(prompt.prompt_id for prompt in group) & {*missing}
        if wanted:
            units.append(Unit(tuple(group), wanted))
    return units
