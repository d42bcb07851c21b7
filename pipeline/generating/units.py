"""What is asked at once: a prompt, or the prompts whose answers are branches of one sequence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.engines.branching import Branching
from pipeline.engines.settings import BRANCHES, EngineSettings
from pipeline.generating.prompts import Prompt
from pipeline.seeds import request_seed
from pipeline.shards import WHOLE, Shard


@dataclass(frozen=True, slots=True)
class Unit:
    """Prompts that are asked together, and the ids of those whose answers are wanted."""

    prompts: tuple[Prompt, ...]
    wanted: frozenset[str]


def units_of(
    model: EngineSettings,
    prompts: Sequence[Prompt],
    missing: Collection[str],
    shard: Shard = WHOLE,
    seed: int = 0,
) -> list[Unit]:
    """The prompts of a shard that are missing, as they are asked.

    Where answers depend on the prompts beside them, groups are those of all prompts, in their
    order, so that a group of which an answer is missing is asked whole, and shards share groups.
    """
    if model.is_lossy:
        groups = _groups(model, prompts, seed)
        groups = [group for place, group in enumerate(groups) if shard.holds(place)]
    else:
        mine = of_shard(model, prompts, shard, seed)
        asked = [prompt for prompt in mine if prompt.prompt_id in missing]
        groups = _groups(model, asked, seed)
    units = (
        Unit(group, frozenset(one.prompt_id for one in group if one.prompt_id in missing))
        for group in groups
    )
    return [unit for unit in units if unit.wanted]


def of_shard(
    model: EngineSettings, prompts: Sequence[Prompt], shard: Shard, seed: int = 0
) -> list[Prompt]:
    """The prompts that a shard answers: they take turns, or groups do that depend on each other."""
    if not model.is_lossy:
        return [prompt for place, prompt in enumerate(prompts) if shard.holds(place)]
    groups = enumerate(_groups(model, prompts, seed))
    return [prompt for place, group in groups if shard.holds(place) for prompt in group]


def _groups(
    model: EngineSettings, prompts: Sequence[Prompt], seed: int
) -> list[tuple[Prompt, ...]]:
    """The prompts in their order, cut into groups: all of one size, or of sizes that are drawn."""
    branching = model.branching or Branching()
    most = branching.branches if model.decoding == BRANCHES else 1
    least = most if branching.least is None or most == 1 else branching.least
    groups: list[tuple[Prompt, ...]] = []
    start = 0
    while start < len(prompts):
        drawn = request_seed(
            seed, "generate", "groups", len(groups), track="0", step=0, purpose="size"
        )
        size = least + drawn % (most - least + 1)
        groups.append(tuple(prompts[start : start + size]))
        start += size
    return groups
