"""Limits that every engine applies to a request: checks before any work, and a time limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.sampling import OPTIONS
from pipeline.errors import EngineFailure, PromptTooLong, Unserved, UserMistake

# Generators take 64 signed bits; derived seeds may be wider.
SEED_RANGE = 2**63


class TooSlow(Unserved):
    """A request was not finished within its time and was given up."""


@contextlib.asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Cancel what takes longer than `seconds`; raises `TooSlow`."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield limit
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TooSlow(
            f"the request was not finished within {seconds:g} s and was cancelled; raise "
            "--request-timeout (for a draft --draft-request-timeout)"
        ) from error


def room_for(prompt_tokens: int, context: int | None, max_tokens: int) -> int:
    """How many new tokens fit: `max_tokens`, clipped to what the context leaves.

    Raises `PromptTooLong` when not even one fits. An unknown context clips nothing.
    """
    if context is None:
        return max_tokens
    room = context - prompt_tokens
    if room < 1:
        raise PromptTooLong(
            f"the prompt has {prompt_tokens} tokens and the model's context {context}: no room is "
            "left for an answer; raise --max-model-len or shorten the prompt"
        )
    return min(max_tokens, room)


def check_sampling(sampling: SamplingRequest) -> None:
    """Refuse what no engine can do honestly, as an `EngineFailure` that names it."""
    if sampling.max_tokens < 1:
        raise EngineFailure(f"max_tokens must be at least 1, got {sampling.max_tokens}")
    if sampling.temperature < 0:
        raise EngineFailure(f"temperature must not be negative, got {sampling.temperature}")
    try:
        for option in OPTIONS:
            if option.name != "temperature":  # a server may take more than a run may ask for
                option.check(getattr(sampling, option.name))
    except UserMistake as error:
        raise EngineFailure(str(error)) from error
