"""Models that transformers loads for `generate()`, once for all decoders that use it."""

import gc
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GenerationConfig

from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.facts import read_facts
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import CPU, EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.loading import device_of, settle_threads
from pipeline.measuring.ask import Ask
from pipeline.measuring.clock import Clock
from pipeline.measuring.config import Config
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.written import Written, cut


@dataclass(frozen=True, slots=True)
class Loaded:
    """The main model and its assistant, ready to generate, and what ends a text."""

    model: Any
    assistant: Any
    facts: ModelFacts
    ends: tuple[int, ...]
    padding: int

    def write(self, decoder: Decoder, config: Config, asks: Sequence[Ask]) -> Written:
        """Write the completions of one call, by `generate()` or the decoder's own function."""
        if decoder.batch is not None:
            written: Written = resolve_name(decoder.batch)(self, decoder, config, asks)
            return written
        width = max(len(ask.prompt) for ask in asks)
        shared = decoder.search  # one prompt, whose beams the library makes
        prompts = asks[:1] if shared else asks
        ids = [[self.padding] * (width - len(ask.prompt)) + list(ask.prompt) for ask in prompts]
        mask = [[0] * (width - len(ask.prompt)) + [1] * len(ask.prompt) for ask in prompts]
        device = self.model.device
        asked = self.asked(decoder, config, asks)
        clock = Clock(self.model, self.assistant if decoder.needs_assistant else None)
        torch.manual_seed(asks[0].seed)
        with torch.inference_mode(), clock.running(width):
            out = self.model.generate(
                torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                generation_config=asked,
                stopping_criteria=[clock.criterion],
                **({"assistant_model": self.assistant} if decoder.needs_assistant else {}),
            )
        rows = out[:, width:].tolist()
        tokens = tuple(cut(row, self.ends, ask.room) for row, ask in zip(rows, asks, strict=True))
        times = clock.read([len(row) for row in tokens], search=decoder.search)
        return Written(tuple(asks), tokens, times)

    def asked(self, decoder: Decoder, config: Config, asks: Sequence[Ask]) -> GenerationConfig:
        """What `generate()` is asked for; all is said, so that no file of a model decides."""
        sampling = decoder.sampling(config)
        drawn = sampling.temperature > 0
        extra = {} if decoder.asks is None else decoder.asks(config, asks)
        return GenerationConfig(
            **{
                "do_sample": drawn,
                "temperature": sampling.temperature if drawn else 1.0,
                "top_p": sampling.top_p if drawn else 1.0,
                "top_k": sampling.top_k if drawn else 50,
                "num_beams": 1,
                "num_return_sequences": 1,
                "repetition_penalty": 1.0,
                "max_new_tokens": max(ask.room for ask in asks),
                "eos_token_id": list(self.ends),
                "pad_token_id": self.padding,
                "cache_implementation": config.named_cache,
                **extra,
            }
        )

    def forget(self) -> None:
        """Let go of what calls have left in memory beside the weights."""
        for model in (self.model, self.assistant):
            if model is not None:
                with suppress(AttributeError):
                    del model._cache  # noqa: SLF001 - where generate() keeps a static cache
        give_back()


def give_back() -> None:
    """Let go of memory that nothing refers to any more, so that the next models find room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load(config: Config) -> Loaded:
    """Load the models of a config.

    Raises:
        ImportError: a package is missing for what is asked.
        OSError, ValueError, RuntimeError, AssertionError: as transformers and torch have it.
    """
    settings = with_model_folder(config.engine("transformers"))
    tokenizer = HFTokenizer.of(settings)
    facts = read_facts(settings)
    # As the engines do that they are compared with.
    settle_threads(settings, facts)
    model = _model(config, settings)
    assistant = None
    if config.assistant_model is not None and config.speculates:
        beside = with_model_folder(replace(settings, model=config.assistant_model, revision=None))
        assistant = _model(config, beside)
        facts = replace(facts, assistant=read_facts(beside))
        for name in ("num_assistant_tokens", "assistant_confidence_threshold"):
            if getattr(config, name) is not None:
                # As arguments of generate() transformers takes no notice of them.
                setattr(assistant.generation_config, name, getattr(config, name))
    ends = tuple(sorted(tokenizer.eos_ids))
    return Loaded(
        model,
        assistant,
        replace(facts, dtype=str(model.dtype).removeprefix("torch.")),
        ends,
        ends[0] if ends else 0,
    )


def _computing(config: Config, device: str) -> torch.dtype:
    """In what packed weights are multiplied: as asked, else as each device does it well."""
    if config.dtype != "auto":
        asked: torch.dtype = getattr(torch, config.dtype)
        return asked
    return torch.float32 if device == CPU else torch.bfloat16


def _model(config: Config, settings: EngineSettings) -> Any:
    device = device_of(settings)
    default = "float32" if device == CPU else "auto"
    more: dict[str, Any] = {}
    if config.use_quantization:
        more["device_map"] = device
        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=_computing(config, device),
        )
    model = AutoModelForCausalLM.from_pretrained(
        settings.model,
        revision=settings.revision,
        dtype=default if settings.dtype == "auto" else settings.dtype,
        attn_implementation=config.attention_backend,
        **more,
    ).eval()
    if not config.use_quantization:
        model = model.to(device)
    # Its own file would decide how tokens are drawn wherever nothing is said.
    model.generation_config = GenerationConfig()
    return model
