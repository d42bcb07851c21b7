"""Why a decoder cannot be measured under some settings, as far as is known before it is tried."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Protocol

import torch

from pipeline.engines import entry
from pipeline.engines.settings import CPU
from pipeline.measuring.combination import Combination
from pipeline.measuring.config import SDPA, Config
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.probe import Answer, Ignored, Refused, Supported

UNQUANTIZED, QUANTIZED = "full", "4-bit"
WHOLE_NUCLEUS = 1.0


class Answers(Protocol):
    """What is known of combinations; see `pipeline.measuring.probe`."""

    def what_they_do(self, combinations: Iterable[Combination]) -> Mapping[Combination, Answer]:
        """The answers for some combinations."""
        ...


def combinations_of(decoder: Decoder, config: Config) -> tuple[Combination, ...]:
    """What the decoder asks of transformers; what its calls must then be seen to do comes last.

    None for one that an engine of this project serves.
    """
    if decoder.serves is not None:
        return ()
    sampling = decoder.sampling(config)
    ways = []
    if decoder.way == "beam":
        ways = ["beam"]
    elif decoder.way == "batched" and decoder.batch is None and config.batch_size > 1:
        ways = ["batched"]
    if sampling.temperature > 0:
        ways.append("nucleus" if sampling.top_p < WHOLE_NUCLEUS else "sampling")
    cache = config.named_cache or "default"
    return tuple(
        Combination(
            way=way,
            guesses=decoder.guesses,
            cache=cache if decoder.batch is None else "paged",
            attention=config.attention_backend,
            weights=QUANTIZED if config.use_quantization else UNQUANTIZED,
        )
        for way in ways or ["greedy"]
    )


def why_not(decoder: Decoder, config: Config, layers: int | None, answers: Answers) -> str | None:
    """Why the decoder would not do what it is asked; None where it would."""
    if decoder.needs_assistant and config.assistant_model is None:
        return "it needs an assistant, and there is no assistant_model"
    if decoder.needs_assistant and not config.speculates:
        return "it needs an assistant, and use_speculative_decoding is false"
    if decoder.serves is not None:
        return _not_served(decoder, config)
    layer = config.early_exit_layer
    if decoder.guesses == "early_exit" and layers is not None and (layer or 0) >= layers:
        return f"early_exit_layer is {layer} of {layers} layers: that is no early exit"
    if decoder.batch is not None and config.cache_implementation != "dynamic":
        return f"its cache is paged, so {config.cache_implementation} has no effect"
    for asked, answer in answers.what_they_do(combinations_of(decoder, config)).items():
        reason = _not_supported(asked, answer)
        if reason is not None:
            return reason
    return None


def _not_served(decoder: Decoder, config: Config) -> str | None:
    assert decoder.serves is not None  # noqa: S101 - the caller has looked
    known = entry(decoder.serves(config).engine)
    if not known.installed:
        return f"it needs the package {known.package}, which is not installed"
    if config.use_quantization:
        return "the project's engines do not load 4-bit weights here"
    if config.attention_backend != SDPA:
        return f"the engine chooses its own attention, so {config.attention_backend} has no effect"
    if config.cache_implementation != "dynamic":
        return f"the engine has its own cache, so {config.cache_implementation} has no effect"
    if known.name == "vllm" and config.device == CPU and torch.cuda.is_available():
        return "vLLM for GPUs cannot be kept on the CPU"
    return None


def _not_supported(asked: Combination, answer: Answer) -> str | None:
    library = f"transformers {version('transformers')}"
    match answer:
        case Ignored(reason):
            return f"{library} runs this and leaves a part out ({asked}: {reason})"
        case Refused(reason):
            return f"{library} refuses this ({asked}: {reason})"
        case Supported(exact) if exact is False:
            return f"{library} writes other tokens than it must ({asked})"
    return None
