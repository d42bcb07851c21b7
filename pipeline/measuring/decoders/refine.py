"""Refine: blocks that the model rewrites for some rounds and keeps, checked or not."""

from dataclasses import replace

from pipeline.engines.settings import REFINE as DECODING
from pipeline.engines.settings import EngineSettings
from pipeline.measuring.ask import one_by_one
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder


def _settings(config: Config) -> EngineSettings:
    return replace(
        config.engine("transformers"),
        decoding=DECODING,
        append_eos=config.append_eos,
        refine_rounds=config.refine_rounds,
    )


REFINE = Decoder(
    name="refine",
    means="The engine's blocks, rewritten refine_rounds times and kept unchecked: not lossless.",
    cut=one_by_one,
    serves=_settings,
    guesses="itself",
    unverified=True,
    plain="standard",
)
