"""Every attempt that a run asks for: counted and iterated, but never listed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.problems.problem_set import Problem
from pipeline.runs.recorded import Key, Recorded
from pipeline.runs.scheduler import Work
from pipeline.shards import WHOLE, Shard


@dataclass(frozen=True, slots=True)
class Asked:
    """Every attempt asked for, by its key; worked out when needed, since there may be millions.

    Of a shard they are those that are its: `places` are the problems' places in their dataset.
    """

    problems: Mapping[str, Problem]
    repeats: int
    shard: Shard = WHOLE
    places: Mapping[str, int] = field(default_factory=dict)

    def repeats_of(self, problem_id: str) -> range:
        """The repeats of a problem that are asked for."""
        return self.shard.repeats_at(self.places.get(problem_id, 0), self.repeats)

    def __len__(self) -> int:
        return sum(len(self.repeats_of(problem_id)) for problem_id in self.problems)

    def __contains__(self, key: object) -> bool:
        match key:
            case (str(problem_id), int(repeat_id)):
                return problem_id in self.problems and repeat_id in self.repeats_of(problem_id)
        return False

    def __iter__(self) -> Iterator[Key]:
        """Whole passes over the problems first."""
        for repeat_id in range(self.repeats):
            for problem_id in self.problems:
                if repeat_id in self.repeats_of(problem_id):
                    yield problem_id, repeat_id

    def missing(self, recorded: Recorded) -> Iterator[Work]:
        """What is not recorded yet, in order."""
        for key in self:
            if key not in recorded:
                yield Work(self.problems[key[0]], key[1])


def asked_in(part: Mapping[str, Any]) -> Iterator[Key]:
    """Every attempt that a manifest's `slice` asks for; of a shard's those that are its."""
    shard = Shard.read(part["shard"]) if "shard" in part else WHOLE
    places = part["places"] if "shard" in part else [0] * len(part["problem_ids"])
    for problem_id, place in zip(part["problem_ids"], places, strict=True):
        for repeat_id in shard.repeats_at(place, part["repeats"]):
            yield problem_id, repeat_id
