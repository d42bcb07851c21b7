"""Early exit: the model's first layers guess, and the whole model checks (arXiv 2404.16710)."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.measuring.ask import Ask, one_by_one
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder


def asks(config: Config, _call: Sequence[Ask]) -> Mapping[str, Any]:
    """After which layer guesses are read."""
    return {"assistant_early_exit": config.early_exit_layer}


EARLY_EXIT = Decoder(
    name="early_exit",
    means="One completion a call; the model's first layers guess tokens, all of them check.",
    cut=one_by_one,
    asks=asks,
    guesses="early_exit",
    exact=True,
    plain="standard",
)
