"""Settings of windows, in the same words for every engine that has them."""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.engines.facts import read_context
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import UserMistake

WINDOWED = "window"
"""In `decoding`: guesses are checked, several at once."""
ASSISTANT, LOOKUP = "assistant", "lookup"


def check_effect(settings: EngineSettings, decoding: str, values: Mapping[str, object]) -> None:
    """Raise `UserMistake` for values, by their flags, that only another decoding heeds."""
    idle = [name for name, value in values.items() if value is not None]
    if settings.decoding != decoding and idle:
        raise UserMistake(
            f"{' and '.join(idle)} {'have' if len(idle) > 1 else 'has'} no effect with "
            f"--decoding {settings.decoding}; choose --decoding {decoding}"
        )


def check_windows(settings: EngineSettings) -> None:
    """Raise `UserMistake` for settings of windows that do not go together."""
    values = {
        "--proposer": settings.proposer,
        "--window": settings.window,
        "--assistant-model": settings.assistant_model,
    }
    check_effect(settings, WINDOWED, values)
    if settings.proposer == ASSISTANT and settings.assistant_model is None:
        raise UserMistake(
            "--proposer assistant needs --assistant-model, a small model with the same tokenizer"
        )
    if settings.proposer not in {None, ASSISTANT} and settings.assistant_model is not None:
        raise UserMistake(
            f"--assistant-model has no effect with --proposer {settings.proposer}; drop one of them"
        )


def assistant_of(settings: EngineSettings) -> EngineSettings | None:
    """How the assistant is loaded: as the model, but for its name; None where there is none."""
    if settings.assistant_model is None:
        return None
    return replace(
        settings,
        model=settings.assistant_model,
        revision=None,
        tokenizer=None,
        max_model_len=None,
        assistant_model=None,
        lora=None,
        lora_rank=None,
        merge_lora=False,
    )


def check_assistant(assistant: EngineSettings, settings: EngineSettings) -> None:
    """Raise `UserMistake` for an assistant whose tokens or context do not fit the model's."""
    if HFTokenizer.of(assistant).fingerprint != HFTokenizer.of(settings).fingerprint:
        raise UserMistake(
            f"the assistant {assistant.model!r} has another tokenizer than the model "
            f"{settings.model!r}, so its tokens mean other texts; choose a smaller model of the "
            "same family"
        )
    shorter, longer = read_context(assistant), read_context(settings)
    if shorter is not None and (longer is None or shorter < longer):
        raise UserMistake(
            f"the assistant {assistant.model!r} has a context of {shorter} tokens, shorter than "
            f"the model's; give --max-model-len {shorter}, or another assistant"
        )
