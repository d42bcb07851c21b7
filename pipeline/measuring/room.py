"""Memory: what models would take of it, and how much is free."""

from pathlib import Path

import torch

from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import CPU
from pipeline.engines.transformers.loading import device_of
from pipeline.measuring.config import Config

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
MEMORY_LEFT = Path("/proc/meminfo")


def weights(facts: ModelFacts, config: Config) -> float | None:
    """Bytes of a model's weights on the config's device; None where its files do not say."""
    if facts.parameters is None:
        return None
    if config.use_quantization:
        return facts.parameters / 2
    auto = "float32" if _device(config) == CPU else facts.dtype or "bfloat16"
    return facts.parameters * BYTES.get(config.dtype if config.dtype != "auto" else auto, 4)


def memory_left(config: Config) -> float | None:
    """Bytes of the config's device that could be taken; None where the system does not say."""
    device = _device(config)
    if device != CPU:
        return float(torch.cuda.mem_get_info(device)[0])
    if not MEMORY_LEFT.exists():
        return None
    lines = MEMORY_LEFT.read_text(encoding="ascii", errors="replace").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _device(config: Config) -> str:
    return device_of(config.engine("transformers"))
