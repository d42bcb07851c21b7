"""Files of adapters: ParallelMind's `.pth`, and PEFT's folders. What comes in is untrusted."""

import json
import math
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.decoding.adapter import Adapter, AdapterError, Rule, Update

MOST_BYTES = 8 * 2**30
CONFIG, WEIGHTS = "adapter_config.json", ("adapter_model.safetensors", "adapter_model.bin")
PTH_KEY = re.compile(r"(?P<layer>.+)\.lora\.(?P<half>[AB])\.weight")
PEFT_KEY = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_(?P<half>[AB])\.weight")
_UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    SafetensorError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch says of damaged files, depending on where they are damaged."""
_USUAL: Mapping[str, Any] = {
    "bias": "none",
    "peft_type": "LORA",
    "qalora_group_size": 16,
    "megatron_core": "megatron.core",
}
"""Settings of PEFT that change nothing with these values."""
_WITHOUT_EFFECT = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "inference_mode",
        "layers_pattern",
        "layers_to_transform",
        "lora_alpha",
        "lora_dropout",
        "alpha_pattern",
        "peft_version",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
        "use_rslora",
    }
)
"""Settings of PEFT that are heeded here, or matter only in training, or only describe."""
_BEGUN_AT_ZERO = (True, False, "eva", "gaussian", "orthogonal")
"""In `init_lora_weights`: ways to begin that leave the model's own weights as they are."""
_LITERAL = re.compile(r"\^?[\w.-]+")


def read_adapter(path: Path) -> Adapter:
    """The adapter of a `.pth` file, or of a folder as PEFT writes it.

    Raises:
        AdapterError: it cannot be read, or does what is not done here.
    """
    if path.is_dir():
        return _of_peft(path)
    if not path.is_file():
        raise AdapterError("there is no such file or folder")
    if path.name in {CONFIG, *WEIGHTS}:
        raise AdapterError("it is a file of an adapter's folder; give the folder")
    halves = _halves(_loaded(path), PTH_KEY, "LAYER.lora.A.weight and LAYER.lora.B.weight")
    updates = {name: Update(a, b) for name, (a, b) in halves.items()}
    return Adapter(
        updates, Rule(_is_square, "a .pth is for all square layers and no others", only=True)
    )


def write_pth(adapter: Adapter, path: Path) -> None:
    """Write a `.pth` file, into which scales are multiplied."""
    tensors = {}
    for name, update in adapter.updates.items():
        tensors[f"{name}.lora.A.weight"] = update.a.detach().clone()
        tensors[f"{name}.lora.B.weight"] = update.b.detach() * update.scale
    torch.save(tensors, path)


def write_peft(adapter: Adapter, folder: Path) -> None:
    """Write a folder of PEFT.

    Raises:
        AdapterError: layers have different ranks or scales.
    """
    kinds = {(one.rank, one.scale) for one in adapter.updates.values()}
    if len(kinds) != 1:
        raise AdapterError(f"its layers have {len(kinds)} ranks and scales, and not one")
    (rank, scale), tensors = kinds.pop(), {}
    for name, update in adapter.updates.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = update.a.contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = update.b.contiguous()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank * scale,
        "bias": "none",
        "target_modules": sorted({name.rpartition(".")[2] for name in adapter.updates}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(tensors, folder / WEIGHTS[0])


def _of_peft(folder: Path) -> Adapter:
    config = _config(folder / CONFIG)
    there = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if not there:
        raise AdapterError(f"it has no {WEIGHTS[0]}")
    halves = _halves(
        _loaded(there[0]), PEFT_KEY, "base_model.model.LAYER.lora_A.weight and its lora_B.weight"
    )
    updates = {}
    for name, (a, b) in halves.items():
        rank = _pattern_value(config, "rank_pattern", name, _number(config, "r"))
        alpha = _pattern_value(config, "alpha_pattern", name, _number(config, "lora_alpha"))
        if rank != a.shape[0]:
            raise AdapterError(
                f"its {CONFIG} says rank {rank:g} for {name}, and its weights have {a.shape[0]}"
            )
        updates[name] = Update(
            a, b, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
        )
    return Adapter(updates, _rule(config))


def _config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(f"the folder has no {CONFIG}; give a folder as PEFT writes it") from None
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"its {CONFIG} cannot be read ({error})") from error
    if not isinstance(config, dict):
        raise AdapterError(f"its {CONFIG} is no JSON object")
    for name, value in config.items():
        usual = value == _USUAL[name] if name in _USUAL else not value
        if name == "init_lora_weights":
            usual = value in _BEGUN_AT_ZERO
        if not usual and name not in _WITHOUT_EFFECT:
            raise AdapterError(
                f"its {CONFIG} has {name} {json.dumps(value)}, which is not done here"
            )
    return config


def _rule(config: Mapping[str, Any]) -> Rule | None:
    """Which layers must have weights: known where layers are listed by name and none left out."""
    named = config.get("target_modules")
    fewer = any(config.get(one) for one in ("layers_to_transform", "exclude_modules"))
    if not isinstance(named, list) or fewer or not all(isinstance(one, str) for one in named):
        return None
    ends = tuple(f".{one}" for one in named)
    return Rule(
        lambda name, layer: f".{name}".endswith(ends),  # noqa: ARG005 - a rule for layers
        f"its {CONFIG} is for every {', '.join(named)}",
    )


def _is_square(name: str, layer: nn.Linear) -> bool:  # noqa: ARG001 - a rule for layers
    return bool(layer.weight.shape[0] == layer.weight.shape[1])


def _number(config: Mapping[str, Any], name: str) -> float:
    value = config.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise AdapterError(f"its {CONFIG} has {name} {json.dumps(value)}, and no number above 0")
    return value


def _pattern_value(config: Mapping[str, Any], name: str, layer: str, usual: float) -> float:
    """What a pattern has for a layer: the first whose key is the layer's name, or its end."""
    patterns = config.get(name) or {}
    if not isinstance(patterns, Mapping):
        raise AdapterError(f"its {CONFIG} has a {name} that is no JSON object")
    for key in patterns:
        if _LITERAL.fullmatch(key) is None:
            raise AdapterError(
                f"its {CONFIG} has the regular expression {key!r} in {name}; only names of layers "
                "and their ends are taken here"
            )
        whole = key.startswith("^") and layer == key[1:]
        if whole or f".{layer}".endswith(f".{key}"):
            return _number(patterns, key)
    return usual


def _loaded(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a file by their names; nothing in it is run."""
    try:
        size = _bytes_of(path)
        if size <= MOST_BYTES and path.suffix == ".safetensors":
            tensors = load_file(path)
        elif size <= MOST_BYTES:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise AdapterError(f"{path.name} holds no weights that can be read ({said})") from error
    if size > MOST_BYTES:
        raise AdapterError(f"{path.name} has {size:,} bytes, more than {MOST_BYTES:,}")
    if not isinstance(tensors, Mapping) or not all(isinstance(one, str) for one in tensors):
        raise AdapterError(f"{path.name} holds no weights by the names of their layers")
    return tensors


def _bytes_of(path: Path) -> int:
    """What there is to read, unpacked: a `.pth` is an archive, which could be a small one."""
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        return size
    with zipfile.ZipFile(path) as archive:
        return max(size, sum(one.file_size for one in archive.infolist()))


def _halves(
    tensors: Mapping[str, torch.Tensor], pattern: re.Pattern[str], form: str
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """A and B of each layer, checked as far as that can be done without a model."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        match = pattern.fullmatch(key)
        if match is None:
            raise AdapterError(f"it has {key[:200]!r}, and weights are called {form}")
        if not _is_matrix(tensor):
            raise AdapterError(
                f"its {key[:200]} is no dense matrix of finite floating-point numbers"
            )
        found.setdefault(match["layer"], {})[match["half"]] = tensor
    for name, halves in found.items():
        if halves.keys() != {"A", "B"}:
            raise AdapterError(f"of {name} it has {min(halves)} alone, and not both A and B")
        if halves["A"].shape[0] != halves["B"].shape[1]:
            raise AdapterError(
                f"of {name} it has A of rank {halves['A'].shape[0]} and B of rank "
                f"{halves['B'].shape[1]}"
            )
    return {name: (halves["A"], halves["B"]) for name, halves in found.items()}


def _is_matrix(value: object) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.is_floating_point()
        and value.ndim == 2  # noqa: PLR2004 - a matrix
        and min(value.shape) > 0
        # A file can say that few stored numbers are many.
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
        and bool(value.isfinite().all())
    )
