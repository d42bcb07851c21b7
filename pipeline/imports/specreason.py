"""Pickles of SpecReason: a list of step records for each attempt, one track."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.imports.entries import Entry, Settings, Solved, corrupt, files_under
from pipeline.imports.fields import CorruptEntry, Fields
from pipeline.imports.recorded_steps import (
    TEMPERATURE,
    TOP_P,
    problem_and_repeat,
    steps_of,
    usage_of,
)
from pipeline.imports.unpickle import load_plain
from pipeline.records import Stop, Track

SETTINGS = Settings(reasoner="spec", temperature=TEMPERATURE, top_p=TOP_P)
"""Models, threshold and budget are in the command line that was used, not in the records."""
STOPS = {"finished": Stop.FINISHED, "budget": Stop.BUDGET}
REPEATED_FROM = 3
"""Steps from which on the script ends a track whose last two are equal, and says `finished`."""
ANSWER_MARKERS = ("boxed", "Answer:", "ANSWER:")


def entries(paths: tuple[Path, ...]) -> Iterator[Entry]:
    """The attempts in SpecReason's result files `<problem>/<repeat>.pickle`.

    Raises:
        UserMistake: a path is missing, its name says no attempt, or a pickle is refused.
    """
    for file in files_under(paths, "*.pickle"):
        problem, repeat_id = problem_and_repeat(file)
        try:
            found = _solved(load_plain(file), file)
        except CorruptEntry as error:
            yield corrupt(str(file), problem, repeat_id, error)
        else:
            yield Entry(str(file), problem, repeat_id, found)


def _solved(value: object, file: Path) -> Solved:
    if not isinstance(value, list) or not value:
        raise CorruptEntry(f"{file.name} holds no list of steps")
    records = [Fields.of(item, f"{file.name}: step {n}") for n, item in enumerate(value)]
    steps = steps_of(records)
    said = records[-1].optional_text("stop_reason")
    track = Track(
        id="0",
        steps=steps,
        stop=_stop(said, [step.text.rstrip("\n") for step in steps]),
        answer=None,
        notes=() if said else ("the run was cut off: its last step has no stop reason",),
    )
    return Solved(SETTINGS, (track,), None, track.text, usage_of(steps), seconds=None)


def _stop(said: str | None, texts: list[str]) -> Stop:
    """Why the track ended; the script's `finished` also stands for a repeated step."""
    if said is None:
        return Stop.ERROR
    if said not in STOPS:
        raise CorruptEntry(f"the stop reason {said[:40]!r} is not one of SpecReason's")
    repeats = len(texts) >= REPEATED_FROM and texts[-1] == texts[-2]
    if said == "finished" and repeats and not any(mark in texts[-1] for mark in ANSWER_MARKERS):
        return Stop.REPEATED
    return STOPS[said]
