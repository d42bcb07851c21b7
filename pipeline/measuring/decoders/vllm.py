"""vLLM: everything at once, batch_size in flight; plain, or with tokens that it has guessed."""

import json
from dataclasses import replace

from pipeline.engines.settings import CPU, EngineSettings
from pipeline.measuring.ask import all_at_once
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder

SHORTEST_MATCH, LONGEST_MATCH = 2, 4
"""Tokens that must stand earlier in the text for what followed them to be guessed."""


def _plain(config: Config) -> EngineSettings:
    settings = replace(config.engine("vllm"), max_num_seqs=config.batch_size)
    # Its build decides whether it runs on a CPU.
    return replace(settings, devices=None) if settings.devices == CPU else settings


def _lookup(config: Config) -> EngineSettings:
    guessing = {
        "method": "ngram",
        "num_speculative_tokens": config.prompt_lookup_num_tokens,
        "prompt_lookup_max": LONGEST_MATCH,
        "prompt_lookup_min": SHORTEST_MATCH,
    }
    return replace(_plain(config), speculative=json.dumps(guessing))


def _assisted(config: Config) -> EngineSettings:
    guessing = {
        "method": "draft_model",
        "model": config.assistant_folder,
        "num_speculative_tokens": config.num_assistant_tokens or config.window - 1,
    }
    return replace(_plain(config), speculative=json.dumps(guessing))


VLLM = Decoder(
    name="vllm",
    means="vLLM: everything at once, batch_size in flight.",
    cut=all_at_once,
    way="batched",
    serves=_plain,
    exact=True,
    plain="batched",
)
LOOKUP = replace(
    VLLM,
    name="vllm_lookup",
    means="vLLM, with tokens guessed from the text so far.",
    serves=_lookup,
    guesses="lookup",
    plain="vllm",
)
SPECULATIVE = replace(
    VLLM,
    name="vllm_speculative",
    means="vLLM, with tokens guessed by the assistant.",
    serves=_assisted,
    guesses="assistant",
    plain="vllm",
)
