"""Continuous batching: a completion takes the place of one that has ended, in blocks of cache."""

from pipeline.measuring.ask import all_at_once
from pipeline.measuring.decoder import Decoder

CONTINUOUS_BATCHING = Decoder(
    name="continuous_batching",
    means="Everything in one call; batch_size completions are in flight, as they come.",
    cut=all_at_once,
    way="batched",
    batch="pipeline.measuring.paged:write_paged",
    exact=True,
    plain="batched",
)
