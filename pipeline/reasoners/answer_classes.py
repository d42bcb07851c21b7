"""Classes of equal answers among tracks, and what rules weigh tracks by.

The classes are a function of the answers alone, not of their order.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluators import class_key
from pipeline.records import Track


@dataclass(frozen=True, slots=True)
class AnswerClass:
    """Tracks whose answers are the same, in the order of the tracks."""

    tracks: tuple[Track, ...]

    @property
    def answer(self) -> str:
        """The answer as most of its tracks wrote it."""
        return max(self.spellings, key=lambda one: len(one.tracks)).tracks[0].answer or ""

    @property
    def size(self) -> int:
        """How many tracks say so."""
        return len(self.tracks)

    @property
    def spellings(self) -> list["AnswerClass"]:
        """Its tracks by the very text of their answers: each is judged as one."""
        return _grouped(self.tracks, lambda track: track.answer or "")


def answer_classes(tracks: Sequence[Track], kind: str) -> list[AnswerClass]:
    """The tracks by equal answers, first come first."""
    return _grouped(tracks, lambda track: class_key(track.answer or "", kind))


def _grouped(tracks: Sequence[Track], key: Callable[[Track], str]) -> list[AnswerClass]:
    groups: dict[str, list[Track]] = {}
    for track in tracks:
        groups.setdefault(key(track), []).append(track)
    return [AnswerClass(tuple(members)) for members in groups.values()]


def tokens_of(track: Track) -> int:
    """The tokens of a track's accepted steps, as far as they are known."""
    return sum(step.tokens or 0 for step in track.steps)


def mean_score(track: Track) -> float:
    """The mean score of the drafts that were kept; 0 where there is none."""
    scores = [one.score for one in track.steps if one.score is not None and one.author == "draft"]
    return statistics.fmean(scores) if scores else 0.0
