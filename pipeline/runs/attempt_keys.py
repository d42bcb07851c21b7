"""Every attempt that a run asks for: counted and iterated, but never listed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.problems.problem_set import Problem
from pipeline.runs.directory import Key, Recorded
from pipeline.runs.scheduler import Work


@dataclass(frozen=True, slots=True)
class Asked:
    """Every attempt asked for, by its key; worked out when needed, since there may be millions."""

    problems: Mapping[str, Problem]
    repeats: int

    def __len__(self) -> int:
        return len(self.problems) * self.repeats

    def __contains__(self, key: object) -> bool:
        match key:
            case (str(problem_id), int(repeat_id)):
                return problem_id in self.problems and 0 <= repeat_id < self.repeats
        return False

    def __iter__(self) -> Iterator[Key]:
        """Whole passes over the problems first."""
        for repeat_id in range(self.repeats):
            for problem_id in self.problems:
                yield problem_id, repeat_id

    def missing(self, recorded: Recorded) -> Iterator[Work]:
        """What is not recorded yet, in order."""
        for key in self:
            if key not in recorded:
                yield Work(self.problems[key[0]], key[1])
