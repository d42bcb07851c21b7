"""Beam search: the completions of a prompt are the best of its beams, ranked by score."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.measuring.ask import Ask, by_prompt
from pipeline.measuring.decoder import Decoder

FEWEST_BEAMS = 2
"""One beam is no search: it is the likeliest token each time."""


def asks(_settings: object, call: Sequence[Ask]) -> Mapping[str, Any]:
    """As many beams as there are completions, and two at least; nothing is drawn."""
    return {
        "do_sample": False,
        "num_beams": max(FEWEST_BEAMS, len(call)),
        "num_return_sequences": len(call),
    }


BEAM_SEARCH = Decoder(
    name="beam_search",
    means="A call a prompt: its completions are the best of its beams, the likeliest first.",
    cut=by_prompt,
    way="beam",
    asks=asks,
)
SPECULATIVE = replace(
    BEAM_SEARCH,
    name="beam_search_speculative",
    means="Beams whose tokens an assistant guesses.",
    guesses="assistant",
    plain="beam_search",
)
