"""Why a decoder cannot be measured under some settings, as far as is known before it is tried."""

from importlib.util import find_spec

import torch

from pipeline.engines import entry
from pipeline.engines.settings import CPU
from pipeline.engines.transformers.loading import device_of
from pipeline.measuring.config import FLASH, SDPA, Config
from pipeline.measuring.decoder import Decoder


def why_not(decoder: Decoder, config: Config, layers: int | None) -> str | None:
    """Why the decoder would not do what it is asked; None where it would."""
    if decoder.needs_assistant and config.assistant_model is None:
        return "it needs an assistant, and there is no assistant_model"
    if decoder.needs_assistant and not config.speculates:
        return "it needs an assistant, and use_speculative_decoding is false"
    if decoder.serves is not None:
        return _not_served(decoder, config)
    return _not_loaded(config) or _not_generated(decoder, config, layers)


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


def _not_loaded(config: Config) -> str | None:
    """Why the models cannot be loaded as asked."""
    if config.use_quantization:
        missing = [name for name in ("bitsandbytes", "accelerate") if find_spec(name) is None]
        if missing:
            return f"4-bit weights need {' and '.join(missing)}, which is not installed"
    if config.attention_backend == FLASH and find_spec("flash_attn") is None:
        return "flash attention needs the package flash_attn, which is not installed"
    return None


def _not_generated(decoder: Decoder, config: Config, layers: int | None) -> str | None:
    cache = config.cache_implementation
    on_cpu = device_of(config.engine("transformers")) == CPU
    if decoder.batch is not None:
        if cache != "dynamic":
            return f"its cache is paged, so {cache} has no effect"
        return None
    if decoder.guesses and decoder.search:
        return "transformers takes no notice of an assistant beside beams"
    if decoder.guesses and decoder.cut.__name__ == "in_batches" and config.batch_size > 1:
        return "transformers checks guesses of one completion at a time (batch_size is above 1)"
    if decoder.guesses and cache != "dynamic":
        return f"transformers cannot take guesses back from a cache that is {cache}"
    if cache.startswith("offloaded") and on_cpu:
        return "an offloaded cache moves between GPU and CPU, and there is no GPU"
    if cache == "quantized" and find_spec("optimum") is None:
        return "a quantized cache needs the package optimum-quanto, which is not installed"
    exit_layer = config.early_exit_layer
    if decoder.exits_early and layers is not None and (exit_layer or 0) >= layers:
        return f"early_exit_layer is {exit_layer} of {layers} layers: that is no early exit"
    return None
