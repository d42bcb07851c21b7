"""The doctor's checks of a measurement: its config and models, and packages that decoders need.

Each package is imported in a process of its own: one that is half installed breaks whatever imports
it, transformers too, and says so only there.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.cli.findings import Finding, State
from pipeline.engines import entry
from pipeline.engines.settings import CPU
from pipeline.errors import UserMistake
from pipeline.measuring.asking import Asked, all_asked
from pipeline.measuring.config import Config
from pipeline.measuring.config_reading import read_config
from pipeline.measuring.planning import plan_decoders
from pipeline.measuring.probe import Probe
from pipeline.measuring.room import memory_left, weights
from pipeline.measuring.table import DECODERS
from pipeline.runs.versions import gpus

IMPORT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Needed:
    """A package by its names for installers, a statement that imports all of it, and its use."""

    names: tuple[str, ...]
    statement: str
    use: str


PACKAGES = (
    Needed(("transformers",), "from transformers import AutoModelForCausalLM", "every decoder"),
    Needed(("accelerate",), "import accelerate", "4-bit weights"),
    Needed(("bitsandbytes",), "import bitsandbytes", "4-bit weights"),
    Needed(("optimum-quanto",), "import optimum.quanto", "a quantized cache"),
    Needed(("hqq",), "import hqq.core.quantize", "other quantized caches"),
    Needed(("flash-attn",), "import flash_attn", "flash_attention_2"),
    Needed(("kernels",), "import kernels", "attention from the hub"),
)


def decoder_findings(file: Path) -> Iterator[Finding]:
    """Everything that the measurement of a config needs."""
    try:
        config = read_config(file)
    except UserMistake as mistake:
        yield Finding(State.FAILURE, "config", str(mistake))
        return
    yield Finding(State.OK, "config", f"{file} can be read")
    needed = set(needs(config))
    for one in (*PACKAGES, *_engines(config)):
        yield import_finding(one, needed=one.names[0] in needed)
    yield cuda_finding()
    try:
        asked = all_asked(config)
    except UserMistake as mistake:
        yield Finding(State.FAILURE, "what is asked", str(mistake))
        return
    if asked.facts.assistant is None:
        yield Finding(State.OK, "assistant", "none")
    else:
        yield Finding(State.OK, "assistant", "has the main model's tokenizer")
    yield weights_finding(asked)
    yield _decoders(asked)


def needs(config: Config) -> Iterator[str]:
    """The packages that a config cannot do without."""
    yield "transformers"
    if config.use_quantization:
        yield from ("accelerate", "bitsandbytes")
    if config.cache_implementation == "quantized":
        yield "optimum-quanto"
    if config.attention_backend == "flash_attention_2":
        yield "flash-attn"
    for name in config.methods_to_test or ():
        serves = DECODERS[name].serves
        if serves is not None:
            yield from entry(serves(config).engine).versions[:1]


def import_finding(one: Needed, *, needed: bool) -> Finding:
    """Whether a package can be imported, and which version it is."""
    bad = State.FAILURE if needed else State.WARNING
    name, found = next(_installed(one.names), (one.names[0], None))
    if found is None:
        if not needed:
            return Finding(State.OK, name, f"not installed (only for {one.use})")
        return Finding(bad, name, "not installed", f"install it, or do without {one.use}")
    try:
        done = _run(one.statement)
    except subprocess.TimeoutExpired:
        advice = "try it by hand"
        return Finding(bad, name, f"{found}: no end after {IMPORT_SECONDS:.0f} s", advice)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        why = lines[-1] if lines else f"ended with code {done.returncode}"
        advice = "install what it misses, or remove it: what imports it fails too"
        return Finding(bad, name, f"{found} cannot be imported: {why}", advice)
    return Finding(State.OK, name, found)


def cuda_finding() -> Finding:
    """Whether torch can use a GPU, where there is one."""
    said = _run("import torch; print(torch.version.cuda, torch.cuda.is_available())").stdout.split()
    built, usable = said if len(said) == len(("built", "usable")) else ("None", "False")
    if usable == "True":
        return Finding(State.OK, "cuda", f"torch for CUDA {built} finds a GPU")
    if gpus():
        found = "torch has no CUDA" if built == "None" else f"torch for CUDA {built} finds no GPU"
        advice = "install a torch for this driver, or measure on the CPU"
        return Finding(State.WARNING, "cuda", f"{found}, and there is one", advice)
    return Finding(State.OK, "cuda", "no GPU; the CPU is measured")


def weights_finding(asked: Asked) -> Finding:
    """Whether the models' weights fit into what memory is left; caches come on top."""
    models = [one for one in (asked.facts, asked.facts.assistant) if one is not None]
    sizes = [weights(one, asked.config) for one in models]
    if any(size is None for size in sizes):
        return Finding(State.OK, "weights", "their size is unknown")
    total = sum(size for size in sizes if size is not None) / 2**30
    left = memory_left(asked.config)
    found = f"about {total:.2f} GiB"
    if left is None:
        return Finding(State.OK, "weights", found)
    left /= 2**30
    if total > left:
        advice = "choose a smaller model or type of weights"
        return Finding(State.FAILURE, "weights", f"{found}, {left:.1f} GiB are free", advice)
    return Finding(State.OK, "weights", f"{found} of {left:.1f} GiB that are free")


def _decoders(asked: Asked) -> Finding:
    planned = plan_decoders(asked, Probe(on_cpu=asked.config.device == CPU))
    able = sum(one.reason is None for one in planned)
    found = f"{able} of {len(planned)} can do what is asked"
    if able == len(planned):
        return Finding(State.OK, "decoders", found)
    state = State.WARNING if able else State.FAILURE
    return Finding(state, "decoders", found, "speclrm measure CONFIG --dry-run says why")


def _engines(config: Config) -> Iterator[Needed]:
    """The packages of engines that serve decoders, each once."""
    served = [one.serves(config).engine for one in DECODERS.values() if one.serves is not None]
    for name in dict.fromkeys(served):
        known = entry(name)
        if known.package is not None and known.package != "transformers":
            use = f"decoders that {name} serves"
            yield Needed(known.versions, f"import {known.package}", use)


def _installed(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _run(statement: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", statement],
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS,
        check=False,
    )
