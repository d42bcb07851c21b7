"""Prompt lookup: what followed an earlier place with the same tokens is guessed (Saxena 2023)."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.measuring.ask import Ask, one_by_one
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder


def asks(config: Config, _call: Sequence[Ask]) -> Mapping[str, Any]:
    """How many tokens are guessed at a time."""
    return {"prompt_lookup_num_tokens": config.prompt_lookup_num_tokens}


PROMPT_LOOKUP = Decoder(
    name="prompt_lookup",
    means="One completion a call; tokens are guessed from the text so far.",
    cut=one_by_one,
    asks=asks,
    guesses="lookup",
    exact=True,
    plain="standard",
)
