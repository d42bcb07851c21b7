"""Files of adapters: ParallelMind's `.pth`, and PEFT's folders. What comes in is untrusted."""

import json
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

from pipeline.decoding.adapter import FLOATS, Adapter, AdapterError, Rule, Update, shown
from pipeline.decoding.adapter_names import CONFIG, MOST_BYTES, WEIGHTS
from pipeline.decoding.peft_config import read_config

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
TYPES = ", ".join(str(one).removeprefix("torch.") for one in FLOATS)
_NAMED = re.compile(r"\bGLOBAL ([\w.]{1,100})")
"""What a file wants to be called, in torch's words."""


def read_adapter(path: Path) -> Adapter:
    """The adapter of a `.pth` file, or of a folder as PEFT writes it.

    Raises:
        AdapterError: it cannot be read, or does what is not done here.
    """
    if path.is_dir():
        return _of_peft(path)
    if not path.is_file():
        raise AdapterError(
            "it is no file and no folder" if path.exists() else "there is no such file or folder"
        )
    if path.name in {CONFIG, *WEIGHTS}:
        raise AdapterError("it is a file of an adapter's folder; give the folder")
    halves = _halves(_loaded(path), PTH_KEY, "LAYER.lora.A.weight and LAYER.lora.B.weight")
    updates = {name: Update(a, b) for name, (a, b) in halves.items()}
    return Adapter(updates, Rule(_square_layers, "a .pth is for all square layers and no others"))


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
    config = read_config(folder / CONFIG)
    there = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if not there:
        raise AdapterError(f"it has no {WEIGHTS[0]}")
    halves = _halves(
        _loaded(there[0]), PEFT_KEY, "base_model.model.LAYER.lora_A.weight and its lora_B.weight"
    )
    updates = {}
    for name, (a, b) in halves.items():
        if config.rank(name) != a.shape[0]:
            raise AdapterError(
                f"its {CONFIG} says rank {config.rank(name)} for {shown(name)}, and its weights "
                f"have {a.shape[0]}"
            )
        updates[name] = Update(a, b, config.scale(name))
    return Adapter(updates, Rule(config.layers, config.words), in_float32=True)


def _square_layers(model: Any) -> list[str]:
    return [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer.weight.shape[0] == layer.weight.shape[1]
    ]


def _loaded(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a file by their names; nothing in it is run."""
    try:
        size = _bytes_of(path)
        if size <= MOST_BYTES and path.suffix == ".safetensors":
            tensors = load_file(path)
        elif size <= MOST_BYTES:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise AdapterError(f"{path.name} holds no weights that can be read{_why(error)}") from error
    if size > MOST_BYTES:
        raise AdapterError(f"{path.name} has {size:,} bytes, more than {MOST_BYTES:,}")
    if not isinstance(tensors, Mapping) or not all(isinstance(one, str) for one in tensors):
        raise AdapterError(f"{path.name} holds no weights by the names of their layers")
    return tensors


def _why(error: BaseException) -> str:
    """The reason, in words of our own: torch's tell how to run what is in a file all the same."""
    named = _NAMED.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if named is not None:
        return f": it asks for {named[1]}, which is no part of weights; nothing in it was run"
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    return ": it is damaged, or a file of another kind"


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
            raise AdapterError(f"it has {shown(key)!r}, and weights are called {form}")
        if not _is_matrix(tensor):
            raise AdapterError(f"its {shown(key)} is no dense matrix of finite numbers ({TYPES})")
        found.setdefault(match["layer"], {})[match["half"]] = tensor
    for name, halves in found.items():
        if halves.keys() != {"A", "B"}:
            raise AdapterError(f"of {shown(name)} it has {min(halves)} alone, and not both A and B")
        if halves["A"].shape[0] != halves["B"].shape[1]:
            raise AdapterError(
                f"of {shown(name)} it has A of rank {halves['A'].shape[0]} and B of rank "
                f"{halves['B'].shape[1]}"
            )
    return {name: (halves["A"], halves["B"]) for name, halves in found.items()}


def _is_matrix(value: object) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.dtype in FLOATS
        and value.ndim == 2  # noqa: PLR2004 - a matrix
        and min(value.shape) > 0
        # A file can say that few stored numbers are many.
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
        and bool(value.isfinite().all())
    )
