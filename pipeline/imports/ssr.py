"""Pickles of the SSR scripts: the baseline, parallel tracks, and speculative tracks."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.imports.entries import Entry, Settings, Solved, corrupt, files_under, generated
from pipeline.imports.fields import CorruptEntry, Fields, clean
from pipeline.imports.recorded_steps import (
    STEP_BREAK,
    TEMPERATURE,
    TOP_P,
    problem_and_repeat,
    steps_of,
    usage_of,
)
from pipeline.imports.unpickle import load_plain
from pipeline.ledger import Use
from pipeline.letters import LETTERS
from pipeline.records import Excluded, Step, Stop, Track, Vote

STOPS = {"finished": Stop.FINISHED, "repeated": Stop.REPEATED, "budget": Stop.BUDGET}
PARALLEL_RESULTS = ("method_results", "role_results", "run_results")
ANSWER_BITS = 4096
"""An integer longer than this is no answer that anyone wrote."""
TRACKS = ("method_tracks", "role_tracks")
# The scripts name solution methods by the letters A to M; the pool in the repository's prompts
# has the same methods in the same order.
METHODS = dict(
    zip(
        LETTERS,
        (
            "algebraic-simplification",
            "substitution",
            "coordinates",
            "complex-numbers",
            "number-theory",
            "combinatorics",
            "probability",
            "functional-equations",
            "recursion-invariants",
            "euclidean-geometry",
            "casework",
            "calculus-inequalities",
            "unknown",
        ),
        strict=False,
    )
)


def entries(paths: tuple[Path, ...]) -> Iterator[Entry]:
    """The attempts in the SSR scripts' result files `<problem>-<repeat>.pickle`.

    The repeat is the file name's: the record's `repeat_id` is how many repeats were asked for.

    Raises:
        UserMistake: a path is missing, its name says no attempt, or a pickle is refused.
    """
    for file in files_under(paths, "*.pickle"):
        problem, repeat_id = problem_and_repeat(file)
        try:
            found = _solved(Fields.of(load_plain(file), file.name))
        except CorruptEntry as error:
            yield corrupt(str(file), problem, repeat_id, error)
        else:
            yield Entry(str(file), problem, repeat_id, found)


def _solved(record: Fields) -> Solved:
    for name in TRACKS:
        if record.has(name):
            return _speculative(record, name)
    if not record.has("reasoning"):
        raise CorruptEntry(f"{record.where} is not a record of the SSR scripts")
    stats = record.record("time_stats")
    for name in PARALLEL_RESULTS:
        if stats.has(name) or record.has(name):
            return _parallel(record, stats if stats.has(name) else record, name)
    return _baseline(record.record("reasoning"), stats)


def _baseline(result: Fields, stats: Fields) -> Solved:
    track = _whole_track(result, "0")
    tokens = result.count("num_tokens")
    return Solved(
        settings=Settings("baseline", result.optional_text("model_name"), TEMPERATURE, TOP_P),
        tracks=(track,),
        vote=None,
        response=track.steps[0].text,
        usage=None if tokens is None else {"target": {Use.PLAIN.value: generated(tokens)}},
        seconds=stats.seconds("total_time"),
    )


def _parallel(record: Fields, holder: Fields, name: str) -> Solved:
    results = list(holder.records(name))
    tracks = tuple(_whole_track(result, str(number)) for number, result in enumerate(results))
    texts = {track.id: track.steps[0].text for track in tracks}
    answers = {track.id: _answer(one) for track, one in zip(tracks, results, strict=True)}
    best = record.record("reasoning")
    # Where no track could vote, the record holds a sentence in the place of the chosen text.
    won = best.has("selection_reason")
    chosen = _chosen(best.text("reasoning"), texts) if won else None
    stats = record.record("time_stats")
    model = stats.record("model_stats").optional_text("model_name")
    counts = [result.count("num_tokens") for result in results]
    known = [count for count in counts if count is not None]
    usage = {"target": {Use.PLAIN.value: generated(sum(known))}}
    return Solved(
        settings=Settings("parallel", model, TEMPERATURE, TOP_P),
        tracks=tracks,
        vote=_vote(tracks, answers, chosen, best.optional_text("selection_reason")),
        response=texts[chosen] if chosen is not None else None,
        usage=usage if len(known) == len(counts) else None,
        seconds=stats.seconds("total_time"),
    )


def _speculative(record: Fields, name: str) -> Solved:
    tracks = tuple(_spec_track(track_id, one, name) for track_id, one in record.named(name))
    if not tracks:
        raise CorruptEntry(f"{record.where} holds no track: the script failed on this problem")
    texts = {track.id: track.text for track in tracks}
    results = dict(record.named("final_results")) if record.has("final_results") else {}
    answers = {clean(track_id): _answer(result) for track_id, result in results.items()}
    best = record.record("best_result") if record.has("best_result") else None
    chosen = reason = None
    if best is not None:
        chosen = _chosen(clean(STEP_BREAK.join(map(str, best.items("steps")))), texts)
        reason = best.optional_text("selection_reason")
    return Solved(
        settings=Settings(
            reasoner="spec-methods" if name == "method_tracks" else "spec",
            temperature=TEMPERATURE,
            top_p=TOP_P,
            token_budget=record.count("token_budget"),
            score_threshold=record.number("score_threshold"),
            score_method=record.optional_text("score_method"),
        ),
        tracks=tracks,
        vote=_vote(tracks, answers, chosen, reason),
        response=texts[chosen] if chosen is not None else None,
        usage=usage_of([step for track in tracks for step in track.steps]),
        seconds=record.seconds("total_time"),
        choices=_choices(record),
    )


def _spec_track(track_id: str, record: Fields, name: str) -> Track:
    steps = steps_of(list(record.records("metadata")))
    if not steps:
        raise CorruptEntry(f"{record.where} has no steps")
    role = clean(track_id) if name == "role_tracks" else None
    return Track(
        id=clean(track_id),
        steps=steps,
        stop=_stop(record.optional_text("stop_reason")),
        answer=None,
        role=record.optional_text("role_type") or role,
        method=_method(record.optional_text("method_code")),
    )


def _choices(record: Fields) -> tuple[str, ...] | None:
    if not record.has("options"):
        return None
    options = record.record("options")
    return tuple(options.text(letter) for letter in sorted(map(str, options.values)))


def _whole_track(result: Fields, track_id: str) -> Track:
    """A track that is one completion."""
    step = Step(
        text=result.text("reasoning"),
        author="target",
        tokens=result.count("num_tokens"),
        seconds=result.seconds("elapsed_time"),
        finish=None,
    )
    return Track(
        id=track_id,
        steps=(step,),
        stop=_stop(result.optional_text("stop_reason")),
        answer=None,
        role=result.optional_text("role_type"),
        method=_method(result.optional_text("method_code")),
    )


def _stop(said: str | None) -> Stop | None:
    if said is not None and said not in STOPS:
        raise CorruptEntry(f"the stop reason {said[:40]!r} is not one of the SSR scripts'")
    return STOPS[said] if said is not None else None


def _method(code: str | None) -> str | None:
    return METHODS.get(code, code) if code is not None else None


def _answer(result: Fields) -> str | None:
    """The script's own answer of a track, a text or a number; only the vote's record needs it."""
    value = result.values.get("answer")
    if isinstance(value, str):
        return clean(value)
    return str(value) if isinstance(value, int) and value.bit_length() <= ANSWER_BITS else None


def _chosen(text: str, texts: dict[str, str]) -> str:
    for track_id, own in texts.items():
        if own == text:
            return track_id
    raise CorruptEntry("the chosen result is not one of the record's tracks")


def _vote(
    tracks: tuple[Track, ...],
    answers: dict[str, str | None],
    chosen: str | None,
    reason: str | None,
) -> Vote:
    """The scripts' vote as it was held: among finished tracks with an answer, by equal text."""
    voters = {
        track.id: answer
        for track in tracks
        if track.stop is Stop.FINISHED and (answer := answers.get(track.id)) is not None
    }
    counts = Counter(voters.values())
    return Vote(
        rule="ssr",
        classes=tuple(
            tuple(track_id for track_id, own in voters.items() if own == answer)
            for answer in counts
        ),
        winner=voters.get(chosen) if chosen is not None else None,
        reason=reason or "no track has a vote",
        answers=tuple(counts),
        standings=tuple(float(count) for count in counts.values()),
        chosen=chosen,
        excluded=tuple(
            Excluded(track.id, "not finished" if track.stop is not Stop.FINISHED else "no answer")
            for track in tracks
            if track.id not in voters
        ),
    )
