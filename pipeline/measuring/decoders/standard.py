"""Standard: one completion a call, token by token; and the same with an assistant's guesses."""

from dataclasses import replace

from pipeline.measuring.ask import one_by_one
from pipeline.measuring.decoder import Decoder

STANDARD = Decoder(
    name="standard",
    means="One completion a call, token by token.",
    cut=one_by_one,
    exact=True,
)
SPECULATIVE = replace(
    STANDARD,
    name="standard_speculative",
    means="One completion a call; an assistant guesses tokens, the model checks them.",
    guesses="assistant",
    plain="standard",
)
