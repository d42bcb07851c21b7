"""Continuous batching by transformers, with a cache of a bounded size."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from transformers import ContinuousBatchingConfig

from pipeline.errors import EngineFailure
from pipeline.measuring.ask import Ask
from pipeline.measuring.clock import CallTimes
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.loaded import Loaded
from pipeline.measuring.written import Written, cut

BLOCK = 256
"""Tokens of a block, transformers' own number, which has a name of its own in each version."""
FORWARD = 512
"""Tokens of a forward at most. On a CPU the mask has this many rows for every token of the cache;
left to itself, transformers takes 20 GB for a model of two million weights."""
_KNOWN = {one.name for one in fields(ContinuousBatchingConfig)}
OWN_ATTENTION: Mapping[str, Any] = (
    {"auto_switch_to_flash": False} if "auto_switch_to_flash" in _KNOWN else {}
)
"""Has the model keep its attention, where this version would take a faster one that is there."""


def write_paged(loaded: Loaded, decoder: Decoder, config: Config, asks: Sequence[Ask]) -> Written:
    """Write all completions, `batch_size` in flight.

    Raises:
        EngineFailure: transformers gave up, which it only logs itself.
    """
    longest = max(len(ask.prompt) + ask.room for ask in asks)
    blocks = config.batch_size * math.ceil(longest / BLOCK) + 1
    asked = loaded.asked(decoder, config, asks)
    asked.cache_implementation = None
    _synchronise(loaded)
    start = time.perf_counter()
    outputs = loaded.model.generate_batch(
        inputs=[list(ask.prompt) for ask in asks],
        generation_config=asked,
        continuous_batching_config=ContinuousBatchingConfig(
            num_blocks=blocks,
            max_batch_tokens=FORWARD,
            max_requests_per_batch=config.batch_size,
            seed=asks[0].seed,
            allow_block_sharing=config.reuse_prompts,
            **OWN_ATTENTION,
        ),
        record_timestamps=True,
        progress_bar=False,
        warmup=False,
    )
    _synchronise(loaded)
    seconds = time.perf_counter() - start
    results = list(outputs.values())
    failed = [str(one.error) for one in results if one.error is not None]
    if failed or len(results) < len(asks):
        why = failed[0] if failed else "its thread ended; the log above may say why"
        raise EngineFailure(
            f"generate_batch finished {len(results) - len(failed)} of {len(asks)} requests: {why}"
        )
    tokens = tuple(
        cut(one.generated_tokens, loaded.ends, ask.room)
        for one, ask in zip(results, asks, strict=True)
    )
    return Written(tuple(asks), tokens, _times(seconds, start, tokens, results))


def _times(
    seconds: float, start: float, tokens: tuple[tuple[int, ...], ...], results: Sequence[Any]
) -> CallTimes:
    """When each token was there, as the results say it; nothing counts forwards."""
    stamps = [one.timestamps for one in results if one.timestamps is not None]
    times = None
    if len(stamps) == len(results):
        times = tuple(
            tuple(stamp - start for stamp in own[: len(row)])
            for own, row in zip(stamps, tokens, strict=True)
        )
    return CallTimes(
        seconds=seconds,
        tokens=tuple(len(row) for row in tokens),
        token_times=times,
        latencies=None if times is None else tuple(one[-1] for one in times),
        target_forwards=None,
        assistant_forwards=None,
        target_computed=None,
        assistant_computed=None,
        proposed=None,
        accepted=None,
    )


def _synchronise(loaded: Loaded) -> None:
    if loaded.model.device.type == "cuda":
        torch.cuda.synchronize(loaded.model.device)
