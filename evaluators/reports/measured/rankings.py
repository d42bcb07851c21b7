"""Who comes first: in speed, in memory, and in accuracy or in agreement with `standard`."""

from collections.abc import Callable
from dataclasses import dataclass

from evaluators.reports.measured.figures import equal, megabytes, number, percent
from evaluators.reports.measured.report_file import Entry, Report
from evaluators.reports.parts import Part

LOSSY = "‡"
"""The mark of decoders whose text may be another than the model's."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """An order of decoders: by which figure, and how it is shown."""

    title: str
    by: str
    figure: Callable[[Entry], float | None]
    show: Callable[[Entry], str]
    most_first: bool = True

    def places(self, report: Report) -> list[tuple[int, Entry]]:
        """Decoders with the figure and their places; equal figures share a place."""
        known = [(self.figure(one), one) for one in report.measured]
        ranked = [(figure, one) for figure, one in known if figure is not None]
        better = -1 if self.most_first else 1
        ranked.sort(key=lambda pair: better * pair[0])
        first_of = {figure: place for place, (figure, _) in reversed([*enumerate(ranked, 1)])}
        return [(first_of[figure], one) for figure, one in ranked]


SPEED = Ranking(
    "Speed",
    "tokens/s of all completions together, the most first",
    lambda one: one.tokens_per_second.mean if one.tokens_per_second else None,
    lambda one: number(one.tokens_per_second.mean if one.tokens_per_second else None),
)
MEMORY = Ranking(
    "Memory",
    "MB over the model's weights: peak and assistant's weights, the fewest first",
    lambda one: one.memory.added if one.memory else None,
    lambda one: megabytes(one.memory.added if one.memory else None),
    most_first=False,
)
ACCURACY = Ranking(
    "Accuracy",
    "percent of answers that are right, the most first",
    lambda one: one.accuracy.mean if one.accuracy else None,
    lambda one: percent(one.accuracy.mean if one.accuracy else None),
)
AGREEMENT = Ranking(
    "Agreement",
    "completions with the tokens of standard, the most first",
    lambda one: one.agreement.share if one.agreement else None,
    equal,
)


def rankings(report: Report) -> list[Part]:
    """The three rankings in one table, a place a line; without one that has nothing to rank by."""
    graded = any(one.accuracy for one in report.measured)
    asked = (SPEED, MEMORY, ACCURACY if graded else AGREEMENT)
    placed = [(one, one.places(report)) for one in asked]
    there = [(one, places) for one, places in placed if places]
    longest = max((len(places) for _, places in there), default=0)
    lines = [
        (str(line + 1), *(_cell(one, places, line) for one, places in there))
        for line in range(longest)
    ]
    notes = [_note(one, places, report) for one, places in placed]
    notes += ["=: shares the place above."] if any("= " in "".join(line) for line in lines) else []
    headings = ("place", *(one.title.lower() for one, _ in there))
    return [Part("Rankings", headings, tuple(lines), len(headings), "\n".join(notes))]


def _note(ranking: Ranking, places: list[tuple[int, Entry]], report: Report) -> str:
    if not places:
        return f"{ranking.title}: there is nothing to rank by."
    ranked = {one.decoder for _, one in places}
    others = [one.decoder for one in report.measured if one.decoder not in ranked]
    without = f" Without: {', '.join(others)}." if others else ""
    return f"{ranking.title}: by {ranking.by}.{without}"


def _cell(ranking: Ranking, places: list[tuple[int, Entry]], line: int) -> str:
    if line >= len(places):
        return ""
    place, one = places[line]
    mark = f" {LOSSY}" if one.unverified else ""
    return f"{'= ' if place != line + 1 else ''}{one.decoder}{mark} {ranking.show(one)}"
