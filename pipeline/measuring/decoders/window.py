"""Windows: this project's own checked guesses, from the text so far or by an assistant."""

from dataclasses import replace

from pipeline.engines.settings import EngineSettings
from pipeline.measuring.ask import one_by_one
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder


def _lookup(config: Config) -> EngineSettings:
    return replace(
        config.engine("transformers"), decoding="window", proposer="lookup", window=config.window
    )


def _assisted(config: Config) -> EngineSettings:
    return replace(
        config.engine("transformers"),
        decoding="window",
        proposer="assistant",
        window=config.window,
        assistant_model=config.assistant_model,
    )


WINDOW = Decoder(
    name="window",
    means="The engine's windows, one completion at a time, guessed from the text so far.",
    cut=one_by_one,
    serves=_lookup,
    guesses="lookup",
    exact=True,
    plain="standard",
)
SPECULATIVE = replace(
    WINDOW,
    name="window_speculative",
    means="The engine's windows, one completion at a time; an assistant guesses.",
    serves=_assisted,
    guesses="assistant",
)
