"""Batched: completions of all prompts side by side, padded on the left."""

from dataclasses import replace

from pipeline.measuring.ask import in_batches
from pipeline.measuring.decoder import Decoder

BATCHED = Decoder(
    name="batched",
    means="Completions of all prompts side by side, batch_size a call.",
    cut=in_batches,
    way="batched",
    exact=True,
)
SPECULATIVE = replace(
    BATCHED,
    name="batched_speculative",
    means="Batches whose tokens an assistant guesses.",
    guesses="assistant",
    plain="batched",
)
