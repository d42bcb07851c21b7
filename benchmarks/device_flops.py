"""What tokens cost on a model of a real size: the ledger's FLOPs, tokens a second, memory.

    python benchmarks/device_flops.py [--quick] [--shape 1.7b] [--shape 8b]

A Qwen3 of random weights is made on the GPU (on the CPU where there is none) and answers through
the transformers engine's own loop, with the model's own forwards and as the engine has them; a
request alone, and many as rows. Forwards of windows are timed. A prompt that is
read whole is compared with one that is read in the engine's blocks, and the ledger's formula with
what torch's FLOP counter sees; one large matrix product says how many operations a second this
device does at best. The last line printed is a JSON object. Exit code 1 when formula and counter
differ by more than a twentieth.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from report import print_result
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, DynamicCache, Qwen3Config

from pipeline.cost import Flops, attempt_flops
from pipeline.decoding.prefix_blocks import PrefixBlocks
from pipeline.decoding.rows import OneRow, Rows
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import Completion, SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.engines.shape import Shape
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.engines.transformers.loading import rows_for
from pipeline.engines.transformers.requests import Generated, Job
from pipeline.engines.transformers.stepper import Stepper
from pipeline.ledger import Ledger, Use

CONTEXT = 40_960
SHAPES = {
    # The published sizes of Qwen3: width, width of the gated layer, layers, heads, vocabulary.
    "8b": (4096, 12288, 36, 32, 8, 128, 151_936),
    "1.7b": (2048, 6144, 28, 16, 8, 128, 151_936),
    "tiny": (128, 256, 2, 4, 2, 32, 512),
}
PROMPTS = {"8b": (512, 2048, 8192), "1.7b": (512, 2048, 8192), "tiny": (100, 300)}
GENERATED = {"8b": 128, "1.7b": 128, "tiny": 32}
MATRIX = {"cuda": 8192, "cpu": 1024}
ALLOWED = 0.05
SHARPNESS = 4
"""How far apart logits are, against those of fresh weights."""
ROWS, SHORT = 24, 100
"""Requests at once, and the tokens of their prompts."""
WINDOWS = (1, 5, 9, 13)
"""Tokens of a forward."""


def config_of(shape: str) -> Qwen3Config:
    """The architecture; its weights are never saved."""
    width, gated, layers, heads, key_heads, head_dim, vocabulary = SHAPES[shape]
    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=gated,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        head_dim=head_dim,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=shape != "8b",
        eos_token_id=None,
    )


def model_of(config: Qwen3Config, device: str) -> Any:
    """A model of random weights in bfloat16, which finds few tokens likely, as trained ones do."""
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    model.model.norm.weight.data *= SHARPNESS
    return model


def prompt_of(length: int, vocabulary: int, seed: int) -> list[int]:
    """Random tokens, so that no prompt begins like another."""
    chance = torch.Generator().manual_seed(seed)
    tokens: list[int] = torch.randint(3, vocabulary, (length,), generator=chance).tolist()
    return tokens


def answer(stepper: Stepper, prompt: list[int], tokens: int, temperature: float = 0.0) -> Generated:
    """Tokens of the engine's loop; above temperature 0 with top-p 0.95."""
    asked = SamplingRequest(tokens, temperature, top_p=0.95 if temperature else 1.0, seed=0)
    job = Job(prompt, asked, tokens)
    stepper.add(job)
    while stepper.busy:
        stepper.step()
    return job.answer.result()


def seconds(device: str, work: Callable[[], object]) -> float:
    """How long some work takes, to its end on the device."""
    wait = torch.cuda.synchronize if device == "cuda" else torch.cpu.synchronize
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def decode_rates(
    device: str, stepper: Stepper, settings: EngineSettings, prompt: list[int], tokens: int
) -> Any:
    """Tokens a second after `prompt`, by who computes forwards, and of the model's passes alone."""
    model, rates = stepper.model, dict[str, float]()
    ways: dict[str, Callable[[], Rows]] = {
        "own": partial(OneRow, model),
        "engine": rows_for(model, settings),
    }
    for way, new_rows in ways.items():
        one = replace(stepper, new_rows=new_rows)
        answer(one, prompt, 5)
        for name, temperature in (("greedy", 0.0), ("sampled", 0.6)):
            first = seconds(device, lambda: answer(one, prompt, 1, temperature))  # noqa: B023
            every = seconds(device, lambda: answer(one, prompt, tokens + 1, temperature))  # noqa: B023
            rates[f"{way}, {name}"] = round(tokens / (every - first), 1)
    rates[f"engine, {ROWS} rows"] = together(device, stepper, settings, prompt, tokens)
    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        whole = torch.tensor([prompt], device=device)
        token = whole[:, :1].clone()
        model(input_ids=whole, past_key_values=cache, logits_to_keep=1)

        def passes() -> None:
            for _ in range(tokens):
                model(input_ids=token, past_key_values=cache, logits_to_keep=1)

        rates["passes alone"] = round(tokens / seconds(device, passes), 1)
    return {"after": len(prompt), "tokens_a_second": rates}


def together(
    device: str, stepper: Stepper, settings: EngineSettings, prompt: list[int], tokens: int
) -> float:
    """Tokens a second of many requests in flight, whose prompts are kept, in their second round."""
    new_rows = rows_for(stepper.model, replace(settings, max_num_seqs=ROWS))
    rows = replace(stepper, most_rows=ROWS, new_rows=new_rows)
    asked = SamplingRequest(tokens + 1, temperature=0.0, top_p=1.0, seed=0)

    def one_round() -> None:
        for _ in range(ROWS):
            rows.add(Job(prompt[:SHORT], asked, tokens + 1))
        while rows.busy:
            rows.step()

    one_round()
    return round(ROWS * tokens / seconds(device, one_round), 1)


def window_seconds(device: str, stepper: Stepper, settings: EngineSettings) -> Any:
    """Seconds of a forward of so many tokens after a short text, in one row."""
    rows, text, found = rows_for(stepper.model, settings)(), [5] * SHORT, dict[int, float]()
    with torch.inference_mode():
        cache = DynamicCache(config=stepper.model.config)
        stepper.model(input_ids=torch.tensor([text], device=device), past_key_values=cache)
        rows.join(cache, text)

        def forwards(fed: list[int], times: int) -> None:
            for _ in range(times):
                rows.forward([fed])
                rows.forget(0, len(fed))

        for window in WINDOWS:
            fed = [7] * window
            forwards(fed, 5)
            taken = seconds(device, lambda: forwards(fed, 20))  # noqa: B023
            found[window] = round(taken / 20, 5)
    return {"after": SHORT, "seconds_by_window": found}


def booked(shape: Shape, prompt: list[int], generated: Generated) -> Flops:
    """What the ledger says that an answer cost."""
    ledger = Ledger()
    done = Completion(
        text=generated.text,
        token_ids=generated.token_ids,
        finish_reason=generated.finish_reason,
        stop_string=None,
        prompt_tokens=len(prompt),
        cached_prompt_tokens=generated.cached_tokens,
        seconds=0.0,
    )
    ledger.book("target", Use.PLAIN, done)
    facts = {
        "body_parameters": shape.body,
        "head_parameters": shape.head,
        "layers": shape.layers,
        "attention_width": shape.attention_width,
    }
    flops = attempt_flops(ledger.usage(), {"target": facts})
    if flops is None:
        raise SystemExit("the shape is not understood")
    return flops


def counted(stepper: Stepper, prompt: list[int], tokens: int) -> tuple[Generated, int]:
    """An answer, and the operations that torch saw."""
    stepper.blocks = PrefixBlocks.on(stepper.model.device)
    with FlopCounterMode(display=False) as counter:
        done = answer(stepper, prompt, tokens)
    return done, int(counter.get_total_flops())


def compare_flops(stepper: Stepper, shape: Shape, prompt: list[int], tokens: int) -> Any:
    """Formula and counter for reading a prompt, and for the tokens after it."""
    # Attention as plain products, which the counter sees on every device.
    usual = stepper.model.config._attn_implementation  # noqa: SLF001 - there is no other name
    stepper.model.set_attn_implementation("eager")
    first, read = counted(stepper, prompt, 1)
    every, both = counted(stepper, prompt, tokens + 1)
    stepper.model.set_attn_implementation(usual)
    reading, all_of_it = booked(shape, prompt, first).total, booked(shape, prompt, every).total
    return {
        "prompt": len(prompt),
        "generated": len(every.token_ids) - 1,
        "prefill": {"formula": reading, "torch": read, "ratio": round(reading / read, 4)},
        "decode": {
            "formula": all_of_it - reading,
            "torch": both - read,
            "ratio": round((all_of_it - reading) / (both - read), 4),
        },
    }


def matrix_rate(device: str) -> float:
    """Operations a second of one large product in bfloat16: what this device does at best."""
    size = MATRIX[device]
    some, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        some @ other
    best = min(seconds(device, lambda: some @ other) for _ in range(10))
    return 2 * size**3 / best


def memory(device: str) -> dict[str, float] | None:
    """GiB of the GPU at most since the last call."""
    if device != "cuda":
        return None
    peak = {
        "allocated": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "reserved": round(torch.cuda.max_memory_reserved() / 2**30, 2),
    }
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return peak


def measure(name: str, device: str, best_rate: float) -> dict[str, Any]:
    """All figures of one shape."""
    config = config_of(name)
    shape = Shape.of(config.to_dict())
    if shape is None:
        raise SystemExit(f"the shape {name} is not understood")
    memory(device)
    model = model_of(config, device)
    settings = with_model_folder(EngineSettings("transformers", "pocket-target"))
    stepper = Stepper(model, HFTokenizer.of(settings), PrefixBlocks.on(model.device))
    result: dict[str, Any] = {
        "parameters": shape.parameters,
        "memory_of_the_weights": memory(device),
        "prefill": [],
    }
    answer(stepper, prompt_of(200, config.vocab_size, 1), 8)
    for number, length in enumerate(PROMPTS[name]):
        prompt = prompt_of(length, config.vocab_size, 10 + number)
        inputs = torch.tensor([prompt], device=device)
        with torch.inference_mode():
            model(input_ids=inputs, logits_to_keep=1)
            whole = seconds(device, lambda: model(input_ids=inputs, logits_to_keep=1))  # noqa: B023
        first = answer(stepper, prompt_of(length, config.vocab_size, 30 + number), 1)
        in_blocks = seconds(device, lambda: answer(stepper, prompt, 1))  # noqa: B023
        again = seconds(device, lambda: answer(stepper, prompt, 1))  # noqa: B023
        operations = booked(shape, prompt, first).total
        result["prefill"].append(
            {
                "tokens": length,
                "seconds_whole": round(whole, 4),
                "seconds_in_blocks": round(in_blocks, 4),
                "seconds_kept": round(again, 4),
                "tflops_whole": round(operations / whole / 1e12, 2),
                "tflops_in_blocks": round(operations / in_blocks / 1e12, 2),
                "of_the_best_whole": round(operations / whole / best_rate, 4),
                "of_the_best_in_blocks": round(operations / in_blocks / best_rate, 4),
            }
        )
        print(name, result["prefill"][-1], flush=True)
    for part, told in {
        "decode": decode_rates(device, stepper, settings, prompt, GENERATED[name]),
        "windows": window_seconds(device, stepper, settings),
    }.items():
        result[part] = told
        print(name, part, told, flush=True)
    result["memory_at_most"] = memory(device)
    result["flops"] = [
        compare_flops(stepper, shape, prompt_of(each, config.vocab_size, 50), 16)
        for each in PROMPTS[name][:2]
    ]
    print(name, result["flops"], flush=True)
    return result


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tiny shape")
    arguments.add_argument("--shape", choices=SHAPES, action="append", help="1.7b and 8b if unset")
    chosen = arguments.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shapes = chosen.shape or (["tiny"] if chosen.quick else ["1.7b", "8b"])
    best_rate = matrix_rate(device)
    result = {name: measure(name, device, best_rate) for name in shapes}
    print_result(
        "device_flops", {"device": device, "best_tflops": round(best_rate / 1e12, 3), **result}
    )
    ratios = [
        case[part]["ratio"]
        for shape in result.values()
        for case in shape["flops"]
        for part in ("prefill", "decode")
    ]
    sys.exit(0 if all(abs(ratio - 1) <= ALLOWED for ratio in ratios) else 1)


if __name__ == "__main__":
    main()
