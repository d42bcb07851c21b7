"""What two texts have in common at their beginning."""

from collections.abc import Sequence


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))


def common_of(texts: Sequence[Sequence[int]]) -> list[int]:
    """What several texts begin with alike, of each a token less than all; nothing of one text."""
    if len(texts) == 1:
        return []
    first, *others = texts
    shared = min(common(first, other) for other in others)
    return [*first[: min(shared, min(map(len, texts)) - 1)]]
