"""Nucleus sampling: always drawn, at a temperature and a top-p of its own."""

from dataclasses import replace

from pipeline.measuring.ask import one_by_one
from pipeline.measuring.decoder import Decoder

NUCLEUS_SAMPLING = Decoder(
    name="nucleus_sampling",
    means="One completion a call, drawn at temperature 0.8 and top-p 0.9 whatever else is set.",
    cut=one_by_one,
    own_sampling={"temperature": 0.8, "top_p": 0.9},
)
SPECULATIVE = replace(
    NUCLEUS_SAMPLING,
    name="nucleus_sampling_speculative",
    means="Nucleus sampling; an assistant guesses tokens, the model checks them.",
    guesses="assistant",
    plain="nucleus_sampling",
)
