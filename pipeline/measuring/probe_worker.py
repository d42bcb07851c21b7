"""The probing process: combinations in, one JSON a line; what transformers did with each out.

It makes two tiny random models, tries each combination with them under a limit of memory, and may
be killed at any moment by the process that asks.
"""

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    GenerationConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from pipeline.engines.settings import CPU
from pipeline.measuring.clock import CallTimes, Clock
from pipeline.measuring.combination import DRAWN, FLASH, NUCLEUS_TOP_P, UNCAPPED, Combination
from pipeline.measuring.effective import Effective, Observer, logged_to, what_was_ignored
from pipeline.measuring.paged import OWN_ATTENTION

VOCABULARY, LAYERS, EARLY_LAYER, NEW_TOKENS = 64, 4, 2, 10
PAD = 0
PROMPTS = ((5, 6, 7, 8, 9, 5, 6, 7), (11, 12, 5, 6))
"""The first repeats itself, so that a lookup guesses from the first token on."""
DRAW_TEMPERATURE = 1.5
NOISE = 0.02
"""What the assistant's weights differ by: some of its guesses are right."""
PAGED_BLOCKS, PAGED_TOKENS = 16, 256
"""Without these caps continuous batching takes most of the memory there is."""
LONGEST_REASON = 300
TOO_MUCH = "killed: memory"


def main() -> None:
    """Answer each line of standard input on standard output."""
    folder, memory = Path(sys.argv[1]), int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print, too
    _save_models(folder)
    if _device() != CPU:
        # The libraries of a GPU take gigabytes of this process once, whatever is tried.
        _plain(folder, "greedy")
    # Continuous batching collects garbage at each end, of all that the libraries brought.
    gc.freeze()
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        _limit_memory(memory)
        answers.write(json.dumps(_answer(folder, Combination(**json.loads(line)))) + "\n")
        answers.flush()


def _answer(folder: Path, asked: Combination) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        found = _try(folder, asked)
    except MemoryError:
        found = {"verdict": "refused", "reason": TOO_MUCH}
    except Exception as error:  # noqa: BLE001 - whatever transformers raises is what it does
        found = {"verdict": "refused", "reason": _reason(error)}
    return {"cell": asdict(asked), "seconds": time.perf_counter() - start, **found}


def _try(folder: Path, asked: Combination) -> dict[str, Any]:
    texts, did, times = _generate(folder, asked)
    ignored = what_was_ignored(asked, did, times)
    if asked.way in DRAWN and ignored is None:
        ignored = _not_drawn(folder, asked, texts)
    same = texts == _plain(folder, asked.way) if asked.lossless else None
    verdict = "works" if ignored is None else "ignored"
    return {"verdict": verdict, "reason": ignored, "same": same, "did": asdict(did)}


def _not_drawn(folder: Path, asked: Combination, texts: list[list[int]]) -> str | None:
    """What of drawing was not done."""
    count = 2 if asked.way == "samples" else 1
    if len(texts) != count:
        return f"{count} samples: {len(texts)} came"
    greedy = _plain(folder, "greedy")[0]
    if texts[0] == greedy:
        return f"{asked.way}: the text of greedy generation"
    # A nucleus of one token leaves nothing to draw.
    if asked.way == "nucleus" and _generate(folder, asked, top_p=1e-6)[0][0] != greedy:
        return "nucleus: top-p changes nothing"
    return None


@cache
def _plain(folder: Path, way: str) -> list[list[int]]:
    """What a way must write: of padded rows, what each prompt gives alone."""
    if way != "batched":
        return _generate(folder, Combination(way))[0]
    alone = (_generate(folder, Combination(), (prompt,))[0] for prompt in PROMPTS)
    return [text for texts in alone for text in texts]


def _generate(
    folder: Path,
    asked: Combination,
    prompts: tuple[tuple[int, ...], ...] | None = None,
    top_p: float = NUCLEUS_TOP_P,
) -> tuple[list[list[int]], Effective, CallTimes]:
    """The new tokens of each sequence, and what was seen."""
    model = _model(folder, asked.attention, asked.weights)
    assistant = _assistant(folder) if "assistant" in asked.guesses else None
    prompts = prompts or (PROMPTS if asked.way == "batched" else PROMPTS[:1])
    settings = GenerationConfig(
        max_new_tokens=NEW_TOKENS, pad_token_id=PAD, eos_token_id=None, **_settings(asked, top_p)
    )
    observer, clock = Observer(model), Clock(model, assistant)
    torch.manual_seed(0)
    named = {} if assistant is None else {"assistant_model": assistant}
    with observer.watching(), clock.running(max(map(len, prompts))):
        if asked.cache in {"paged", UNCAPPED}:
            texts = _paged(model, prompts, settings, asked.cache == UNCAPPED, named)
        else:
            texts = _padded(model, prompts, settings, clock, named)
    times = clock.read([len(text) for text in texts], search=asked.way == "beam")
    return texts, observer.read(), times


def _settings(asked: Combination, top_p: float) -> dict[str, Any]:
    ways: dict[str, dict[str, Any]] = {
        "beam": {"num_beams": 2, "num_return_sequences": 2},
        "nucleus": {"top_p": top_p},
        "samples": {"num_return_sequences": 2},
    }
    settings: dict[str, Any] = {"do_sample": asked.way in DRAWN, **ways.get(asked.way, {})}
    if asked.way in DRAWN:
        settings["temperature"] = DRAW_TEMPERATURE
    if "lookup" in asked.guesses:
        settings["prompt_lookup_num_tokens"] = 3
    if asked.guesses == "early_exit":
        settings["assistant_early_exit"] = EARLY_LAYER
    if asked.cache not in {"default", "paged", UNCAPPED}:
        settings["cache_implementation"] = asked.cache
    return settings


def _padded(
    model: Any,
    prompts: tuple[tuple[int, ...], ...],
    settings: GenerationConfig,
    clock: Clock,
    named: dict[str, Any],
) -> list[list[int]]:
    width = max(map(len, prompts))
    padded = [[PAD] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    ids = torch.tensor(padded, device=model.device)
    texts: list[list[int]] = model.generate(
        ids,
        attention_mask=(ids != PAD).long(),
        generation_config=settings,
        stopping_criteria=[clock.criterion],
        **named,
    ).tolist()
    return [text[width:] for text in texts]


def _paged(
    model: Any,
    prompts: tuple[tuple[int, ...], ...],
    settings: GenerationConfig,
    uncapped: bool,
    named: dict[str, Any],
) -> list[list[int]]:
    capped = ContinuousBatchingConfig(
        num_blocks=PAGED_BLOCKS, max_batch_tokens=PAGED_TOKENS, **OWN_ATTENTION
    )
    said: list[str] = []
    with logged_to(said):
        outputs = model.generate_batch(
            inputs=[list(prompt) for prompt in prompts],
            generation_config=settings,
            continuous_batching_config=None if uncapped else capped,
            warmup=False,
            **named,
        )
    errors = [output.error for output in outputs.values() if output.error]
    if errors or not outputs:
        # A thread that ends before it has a request tells nobody but the log.
        raise RuntimeError("; ".join([*errors, *said]) or "no output came")
    return [list(outputs[key].generated_tokens) for key in sorted(outputs)]


@cache
def _model(folder: Path, attention: str, weights: str) -> Any:
    packed: dict[str, Callable[[], BitsAndBytesConfig]] = {
        "4-bit": lambda: BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
        "8-bit": lambda: BitsAndBytesConfig(load_in_8bit=True),
    }
    named = {} if weights == "full" else {"quantization_config": packed[weights]()}
    model = AutoModelForCausalLM.from_pretrained(
        folder / "target",
        attn_implementation=attention,
        dtype=torch.bfloat16 if attention in FLASH else torch.float32,
        **named,
    )
    return model.eval() if named else model.to(_device()).eval()


@cache
def _assistant(folder: Path) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder / "assistant", dtype=torch.float32)
    return model.to(_device()).eval()


def _device() -> str:
    return "cuda:0" if torch.cuda.is_available() else CPU


def _save_models(folder: Path) -> None:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        # Caches are quantised in groups of 64 numbers.
        head_dim=64,
        max_position_embeddings=256,
        # Far from ties, so that rounding changes no token.
        initializer_range=0.3,
    )
    model = Qwen3ForCausalLM(config)
    model.save_pretrained(folder / "target")
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights), alpha=NOISE)
    model.save_pretrained(folder / "assistant")


def _limit_memory(more: int) -> None:
    """Let this process map so many bytes more than now; but not the address space of a GPU."""
    status = Path("/proc/self/status")
    if _device() != CPU or not status.exists():
        return
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    mapped = next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (mapped + more, resource.RLIM_INFINITY))


def _reason(error: Exception) -> str:
    # torch has no type of error for a CPU's memory.
    if "can't allocate memory" in str(error) or isinstance(error, torch.OutOfMemoryError):
        return TOO_MUCH
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line}"[:LONGEST_REASON]


if __name__ == "__main__":
    main()
