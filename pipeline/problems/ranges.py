"""The problem range: `60-89`, `60,63,70-72`, `2024-I-3`, `first:10`, `all`; inclusive."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise

from evaluators.run_files.attempt_lines import as_written
from pipeline.errors import UserMistake

# Eighteen digits fit every real id and keep int() far from its limit on very long texts.
_NUMBER = re.compile(r"[0-9]{1,18}")
_FIRST = re.compile(r"first:\s*([0-9]{1,18})")
_SPAN = re.compile(r"([0-9]{1,18})\s*-\s*([0-9]{1,18})")
_RUNS_SHOWN = 6  # a message lists at most so many stretches of ids
_TEXT_SHOWN = 40  # characters of the user's text that a message repeats


def select_ids(
    text: str, dataset: str, ids: Sequence[str], aliases: Mapping[str, str]
) -> tuple[str, ...]:
    """The ids that the range `text` names, in the order of `ids`, each once.

    `aliases` maps other names of problems to their ids. A numeric range runs over the ids that
    are numbers. Raises `UserMistake`, naming the valid range, for an empty or reversed range, an
    id that does not exist, and `first:N` of nothing or of more than there is.
    """
    known = _Known(text, dataset, tuple(ids), dict(aliases))
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise known.mistake("it has an empty part")
    wanted = {name for part in parts for name in known.named_by(part)}
    return tuple(name for name in ids if name in wanted)


@dataclass(frozen=True)
class _Known:
    """The ids of one dataset, and the range text that is being read against them."""

    text: str
    dataset: str
    ids: tuple[str, ...]
    aliases: Mapping[str, str]

    @cached_property
    def _id_set(self) -> frozenset[str]:
        return frozenset(self.ids)

    @cached_property
    def _by_number(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for name in self.ids:
            if _NUMBER.fullmatch(name):
                found.setdefault(int(name), []).append(name)
        return found

    @cached_property
    def _numbers(self) -> list[int]:
        return sorted(self._by_number)

    def named_by(self, part: str) -> Sequence[str]:
        """The ids that one part of the range names."""
        if part == "all":
            return self.ids
        if part in self._id_set:  # an id that looks like a range is still an id
            return (part,)
        if part in self.aliases:
            return (self.aliases[part],)
        if first := _FIRST.fullmatch(part):
            return self._first(int(first[1]))
        if _NUMBER.fullmatch(part):
            return self._span(part, int(part), int(part))
        if span := _SPAN.fullmatch(part):
            return self._span(part, int(span[1]), int(span[2]))
        part = _shortened(part)
        raise self.mistake(f"{part!r} names no problem of {self.dataset}{self._near(part)}")

    def _first(self, count: int) -> Sequence[str]:
        if count == 0:
            raise self.mistake("first:0 selects nothing")
        if count > len(self.ids):
            raise self.mistake(f"{self.dataset} has only {len(self.ids)} problems")
        return self.ids[:count]

    def _span(self, part: str, low: int, high: int) -> Sequence[str]:
        if low > high:
            raise self.mistake(f"{part} runs backwards; write {high}-{low}")
        inside = self._numbers[bisect_left(self._numbers, low) : bisect_right(self._numbers, high)]
        if len(inside) < high - low + 1:
            missing = _first_gap(low, inside)
            raise self.mistake(f"problem {missing} is not in {self.dataset}")
        return [name for number in inside for name in self._by_number[number]]

    def _near(self, part: str) -> str:
        near = get_close_matches(part, [*self.aliases, *self.ids], n=1)
        return f" (did you mean {as_written(near[0])}?)" if near else ""

    def mistake(self, what: str) -> UserMistake:
        """The error, with the valid range said."""
        return UserMistake(
            f"problem range {_shortened(self.text)!r}: {what}; valid are {self._valid()}, "
            f"in forms such as {as_written(self.ids[0])}, first:{min(10, len(self.ids))} or all"
        )

    def _valid(self) -> str:
        if self._numbers and sum(map(len, self._by_number.values())) == len(self.ids):
            ids = _runs(self._numbers)
        else:
            first, last = as_written(self.ids[0]), as_written(self.ids[-1])
            ids = f"the {len(self.ids)} ids from {first} to {last}"
        example = next(iter(self.aliases), None)
        return f"{ids} (also by names like {example})" if example else ids


def _first_gap(low: int, inside: Sequence[int]) -> int:
    expected = low
    for number in inside:
        if number != expected:
            return expected
        expected += 1
    return expected


def _runs(numbers: Sequence[int]) -> str:
    starts = [numbers[0]] + [after for before, after in pairwise(numbers) if after > before + 1]
    ends = [before for before, after in pairwise(numbers) if after > before + 1] + [numbers[-1]]
    runs = [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)]
    if len(runs) > _RUNS_SHOWN:
        return f"{len(numbers)} numbers from {numbers[0]} to {numbers[-1]} with gaps"
    return ",".join(runs)


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else text[:_TEXT_SHOWN] + "..."
