"""What is asked at once: a prompt, or the prompts whose answers are branches of one sequence."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pipeline.engines.branching import Branching
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.settings import BRANCHES, EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import UserMistake
from pipeline.generating.prompts import Prompt
from pipeline.generating.settings import Generation
from pipeline.seeds import request_seed
from pipeline.shards import WHOLE, Shard

TokensOf = Callable[[Prompt], int]
"""How many tokens a prompt and its answer may have."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Prompts that are asked together, and the ids of those whose answers are wanted."""

    prompts: tuple[Prompt, ...]
    wanted: frozenset[str]


def asks_groups(model: EngineSettings) -> bool:
    """Whether prompts are asked in groups: those that see each other, or of sizes that are drawn.

    Other branches come one by one, as those before them end.
    """
    branching = model.branching or Branching()
    return model.is_lossy or (model.decoding == BRANCHES and branching.least is not None)


def units_of(
    model: EngineSettings,
    prompts: Sequence[Prompt],
    missing: Collection[str],
    shard: Shard = WHOLE,
    seed: int = 0,
    *,
    tokens_of: TokensOf | None = None,
) -> list[Unit]:
    """The prompts of a shard that are missing, as they are asked.

    Where answers depend on the prompts beside them, groups are those of all prompts, in their
    order, so that a group of which an answer is missing is asked whole, and shards share groups.
    """
    if model.is_lossy:
        groups = groups_of(model, prompts, seed, tokens_of=tokens_of)
        groups = [group for place, group in enumerate(groups) if shard.holds(place)]
    else:
        mine = of_shard(model, prompts, shard, seed)
        asked = [prompt for prompt in mine if prompt.prompt_id in missing]
        grouped = asks_groups(model)
        groups = (
            groups_of(model, asked, seed, tokens_of=tokens_of)
            if grouped
            else [(one,) for one in asked]
        )
    units = (
        Unit(group, frozenset(one.prompt_id for one in group if one.prompt_id in missing))
        for group in groups
    )
    return [unit for unit in units if unit.wanted]


def of_shard(
    model: EngineSettings,
    prompts: Sequence[Prompt],
    shard: Shard,
    seed: int = 0,
    *,
    tokens_of: TokensOf | None = None,
) -> list[Prompt]:
    """The prompts that a shard answers: they take turns, or groups do that depend on each other."""
    if not model.is_lossy:
        return [prompt for place, prompt in enumerate(prompts) if shard.holds(place)]
    groups = enumerate(groups_of(model, prompts, seed, tokens_of=tokens_of))
    return [prompt for place, group in groups if shard.holds(place) for prompt in group]


def groups_of(
    model: EngineSettings,
    prompts: Sequence[Prompt],
    seed: int,
    *,
    tokens_of: TokensOf | None = None,
) -> list[tuple[Prompt, ...]]:
    """The prompts in their order, cut into groups: all of one size, or of sizes that are drawn.

    A group has fewer where its tokens would be more than the bound; a prompt that is more than that
    by itself is a group.
    """
    branching = model.branching or Branching()
    most = branching.branches if model.decoding == BRANCHES else 1
    least = most if branching.least is None or most == 1 else branching.least
    groups: list[tuple[Prompt, ...]] = []
    start = 0
    while start < len(prompts):
        drawn = request_seed(
            seed, "generate", "groups", len(groups), track="0", step=0, purpose="size"
        )
        size = min(least + drawn % (most - least + 1), len(prompts) - start)
        if tokens_of is not None and branching.total_tokens is not None:
            size = _within(branching.total_tokens, map(tokens_of, prompts[start : start + size]))
        groups.append(tuple(prompts[start : start + size]))
        start += size
    return groups


def _within(bound: int, tokens: Iterable[int]) -> int:
    """How many of the first have no more tokens than the bound together; at least one."""
    sums = accumulate(tokens)
    return max(1, sum(1 for one in sums if one <= bound))


def counted_by(generation: Generation) -> TokensOf | None:
    """What a group's bound counts; None where there is no such bound.

    Raises:
        UserMistake: the model has no tokenizer.
    """
    if generation.model.branching is None or generation.model.branching.total_tokens is None:
        return None
    tokenizer = HFTokenizer.of(with_model_folder(generation.model))
    found: dict[str, int] = {}

    def tokens_of(prompt: Prompt) -> int:
        if prompt.prompt_id not in found:
            as_chat = generation.chat_template
            try:
                length = len(tokenizer.encode(prompt.text_for(tokenizer, as_chat=as_chat)))
            except UserMistake:
                # It fails when it is asked, and takes no room.
                length = 0
            found[prompt.prompt_id] = generation.most_tokens(length)
        return found[prompt.prompt_id]

    return tokens_of
