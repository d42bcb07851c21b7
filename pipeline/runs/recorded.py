"""Which attempts a run directory holds, one bit each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The attempts that a run directory holds, one bit each: `key in recorded`."""

    repeats: Mapping[str, int]
    """Problem id to a number whose bit n says that repeat n is there."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """The same for error records, which are in `repeats` too."""

    def __contains__(self, key: Key) -> bool:
        problem_id, repeat_id = key
        return bool(self.repeats.get(problem_id, 0) >> repeat_id & 1)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self.repeats.values())

    def __or__(self, other: "Recorded") -> "Recorded":
        """Those of both."""
        both = {**self.repeats}
        for problem_id, bits in other.repeats.items():
            both[problem_id] = both.get(problem_id, 0) | bits
        return Recorded(both)

    def without(self, other: "Recorded") -> "Recorded":
        """Those that are not also in the other, and which of them failed."""
        left = {one: bits & ~other.repeats.get(one, 0) for one, bits in self.repeats.items()}
        failed = {one: bits & left.get(one, 0) for one, bits in self.failed.items()}
        return Recorded(left, failed)

    def kept(self, *, retry_errors: bool, force: bool) -> "Recorded":
        """Those that are not made again: none by `force`, none that failed by `retry_errors`."""
        if force:
            return Recorded({})
        if not retry_errors:
            return self
        return Recorded(
            {one: bits & ~self.failed.get(one, 0) for one, bits in self.repeats.items()}
        )
