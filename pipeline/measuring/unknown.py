"""Why a figure of a decoder is not known, in a clause each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.measuring.clock import CallTimes
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.speed import Speed

OF_BATCHES = "generate_batch does not tell it"
OF_ENGINE = "its engine does not tell it, as vLLM does not in processes of its own"
NO_GUESS = "no guess was put before the model"
NO_PEAK = "nothing rose above what lay in memory before"
NO_MEMORY = "the system does not show it"
NO_TIMES = "its engine does not tell when each token came"


def why_unknown(
    decoder: Decoder,
    calls: Sequence[CallTimes],
    speed: Speed,
    memory: Mapping[str, Any] | None,
) -> dict[str, str]:
    """The figures that are None though another decoder may have them, and why."""
    return dict(_unknown(decoder, calls, speed, memory))


def _unknown(
    decoder: Decoder,
    calls: Sequence[CallTimes],
    speed: Speed,
    memory: Mapping[str, Any] | None,
) -> Iterator[tuple[str, str]]:
    untold = OF_BATCHES if decoder.batch is not None else OF_ENGINE
    if speed.target_forwards is None:
        yield "target_forwards", untold
    if speed.first_token is None:
        yield "first_token", NO_TIMES
    if decoder.guesses not in {"none", "itself"} and speed.acceptance is None:
        counted = all(call.proposed is not None for call in calls)
        yield "acceptance", NO_GUESS if counted else untold
    if memory is None or memory["peak"] is None:
        measured = memory is not None and memory["measured"] is not None
        yield "peak", NO_PEAK if measured else NO_MEMORY
