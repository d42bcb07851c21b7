"""Windows as vLLM has them: its own speculative decoding."""

import json
from typing import Any

from pipeline.engines.declaration import WINDOW
from pipeline.engines.guessing import ASSISTANT, LOOKUP, WINDOWED, check_windows
from pipeline.engines.settings import PLAIN, EngineSettings
from pipeline.errors import UserMistake

LONGEST_LOOKED_UP = 3
"""Tokens that must be the same; where they are nowhere, fewer will do, as in our own windows."""
ELSEWHERE = "--engine transformers has it"


def check_speculation(settings: EngineSettings) -> None:
    """Raise `UserMistake` for what vLLM cannot do, or not at once."""
    if settings.decoding not in {PLAIN, WINDOWED}:
        raise UserMistake(f"vLLM has no --decoding {settings.decoding}; {ELSEWHERE}")
    check_windows(settings)
    if settings.proposer not in {None, ASSISTANT, LOOKUP}:
        raise UserMistake(f"vLLM has no --proposer {settings.proposer}; {ELSEWHERE}")
    if settings.decoding == WINDOWED and settings.speculative is not None:
        raise UserMistake("--decoding window and --speculative say the same; give one of them")
    if speculates(settings) and settings.sampling.min_p:
        raise UserMistake(
            "vLLM cannot do --min-p under speculative decoding; leave out one of the two"
        )


def speculates(settings: EngineSettings) -> bool:
    """Whether tokens are guessed."""
    return settings.speculative is not None or settings.decoding == WINDOWED


def check_draws(settings: EngineSettings, *, on_cpu: bool) -> None:
    """Raise `UserMistake` where vLLM would draw other tokens than the model's."""
    if on_cpu and speculates(settings) and settings.sampling.temperature > 0:
        raise UserMistake(
            "on a CPU vLLM draws wrong tokens when it guesses: above temperature 0 its texts are "
            "not the model's; give --temperature 0, decode plainly, or use --engine transformers "
            "--decoding window"
        )


def speculative_config(settings: EngineSettings) -> dict[str, Any] | None:
    """VLLM's speculative_config for these settings; None for plain decoding.

    Raises:
        UserMistake: --speculative is no JSON object.
    """
    if settings.speculative is not None:
        return _parsed(settings.speculative)
    if settings.decoding != WINDOWED:
        return None
    guesses = {"num_speculative_tokens": (settings.window or WINDOW) - 1}
    if settings.assistant_model is not None:
        return {"method": "draft_model", "model": settings.assistant_model, **guesses}
    return {"method": "ngram", "prompt_lookup_max": LONGEST_LOOKED_UP, **guesses}


def _parsed(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise UserMistake(f"the speculative configuration is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise UserMistake("the speculative configuration must be a JSON object")
    return config
