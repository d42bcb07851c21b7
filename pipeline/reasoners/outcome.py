"""From tracks to an outcome: one track speaks for itself, several vote."""

from collections.abc import Sequence

from pipeline.reasoners.early_stop import TrackRun, is_decided, run_tracks
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import TrackSettings
from pipeline.reasoners.vote import vote
from pipeline.records import Selection, Track


async def outcome_of(
    assignment: Assignment,
    settings: TrackSettings,
    runs: Sequence[TrackRun],
    selection: Selection | None,
) -> Outcome:
    """Run the tracks, each on its own, and let them vote.

    Raises:
        EngineFailure: an engine is dead, or every track failed.
    """
    kind = assignment.problem.kind
    tracks = await run_tracks(runs, lambda ended, left: is_decided(ended, left, kind, settings))
    return outcome_by(settings.vote, tracks, kind, selection)


def outcome_by(
    rule: str, tracks: tuple[Track, ...], kind: str, selection: Selection | None
) -> Outcome:
    """What ended tracks come to under a vote rule; one alone needs none."""
    if len(tracks) == 1:
        return Outcome(tracks, None, tracks[0].text, tracks[0].answer, selection)
    voted = vote(tracks, kind, rule)
    response = next((track.text for track in tracks if track.id == voted.chosen), None)
    return Outcome(tracks, voted, response, voted.winner, selection)
