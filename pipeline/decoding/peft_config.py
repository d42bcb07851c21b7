"""What a folder of PEFT says of its weights: for which layers they are, their ranks and scales.

All is as in PEFT, or refused. It is untrusted, and a regular expression could take any time and
memory, so names of layers and their ends are all that is taken.
"""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.decoding.adapter import AdapterError, shown
from pipeline.decoding.adapter_names import CONFIG, MOST_CONFIG_BYTES

ALL_LINEAR = "all-linear"
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
_LITERAL = re.compile(r"\^?[\w.-]{1,200}")


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """An `adapter_config.json` whose settings can be done here."""

    target_modules: tuple[str, ...] | None
    """None for all linear layers but the last, which gives the logits."""
    exclude_modules: tuple[str, ...]
    layers_to_transform: tuple[int, ...]
    layers_pattern: tuple[str, ...]
    r: int
    lora_alpha: float
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    use_rslora: bool

    def rank(self, layer: str) -> int:
        """The rank of a layer's weights."""
        return int(_of_pattern("rank_pattern", self.rank_pattern, layer, self.r))

    def scale(self, layer: str) -> float:
        """What their product is multiplied by."""
        alpha = _of_pattern("alpha_pattern", self.alpha_pattern, layer, self.lora_alpha)
        return alpha / (math.sqrt(self.rank(layer)) if self.use_rslora else self.rank(layer))

    def layers(self, model: Any) -> list[str]:
        """The model's layers that have weights."""
        return [
            name
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Linear | nn.Embedding) and self._adapts(model, name, layer)
        ]

    @property
    def words(self) -> str:
        """For which layers it is."""
        given = {
            "target_modules": self.target_modules or ALL_LINEAR,
            "exclude_modules": self.exclude_modules,
            "layers_to_transform": self.layers_to_transform,
            "layers_pattern": self.layers_pattern,
        }
        said = [f"{name} {_told(value)}" for name, value in given.items() if value]
        return f"its {CONFIG} has {' and '.join(said)}"

    def _adapts(self, model: Any, name: str, layer: nn.Module) -> bool:
        if _is_among(self.exclude_modules, name):
            return False
        if self.target_modules is None:
            return isinstance(layer, nn.Linear) and layer is not model.get_output_embeddings()
        if not _is_among(self.target_modules, name):
            return False
        if not self.layers_to_transform or name in self.target_modules:
            return True
        # As in PEFT the first number counts: experts are numbered as well, within their layer.
        named = [rf"(?:^|\.){one}\.(\d+)\." for one in self.layers_pattern]
        for pattern in named or [r"\.[^.]*\.(\d+)\."]:
            found = re.search(pattern, name)
            if found is not None:
                return int(found[1]) in self.layers_to_transform
        return False


def read_config(file: Path) -> PeftConfig:
    """The settings of a folder of PEFT.

    Raises:
        AdapterError: they cannot be read, or ask for what is not done here.
    """
    values = _values(file)
    for name, value in values.items():
        usual = value == _USUAL[name] if name in _USUAL else not value
        if name == "init_lora_weights":
            usual = value in _BEGUN_AT_ZERO
        if not usual and name not in _WITHOUT_EFFECT:
            raise AdapterError(f"its {CONFIG} has {name} {_told(value)}, which is not done here")
    targets = _names(values, "target_modules", for_all=ALL_LINEAR)
    if targets == ():
        raise AdapterError(
            f"its {CONFIG} has no target_modules, so nothing says for which layers it is"
        )
    numbers, parts = values.get("layers_to_transform"), _names(values, "layers_pattern") or ()
    numbers = [numbers] if isinstance(numbers, int) else numbers or []
    if not isinstance(numbers, list) or not all(type(one) is int for one in numbers):
        raise _strange("layers_to_transform", numbers, "list of whole numbers")
    if (parts and not numbers) or (numbers and targets is None):
        raise AdapterError(
            f"its {CONFIG} has layers_pattern without layers_to_transform, or that without a list "
            "of target_modules"
        )
    rslora = values.get("use_rslora")
    if rslora is not None and not isinstance(rslora, bool):
        raise _strange("use_rslora", rslora, "true or false")
    alphas, ranks = _pattern(values, "alpha_pattern"), _pattern(values, "rank_pattern")
    return PeftConfig(
        targets,
        _names(values, "exclude_modules") or (),
        tuple(numbers),
        parts,
        _whole("r", values.get("r")),
        _number("lora_alpha", values.get("lora_alpha")),
        {key: _whole(f"a rank_pattern with {_told(key)}", one) for key, one in ranks.items()},
        {key: _number(f"an alpha_pattern with {_told(key)}", one) for key, one in alphas.items()},
        bool(rslora),
    )


def _values(file: Path) -> dict[str, Any]:
    try:
        if not file.exists():
            raise AdapterError(f"the folder has no {CONFIG}; give a folder as PEFT writes it")
        if not file.is_file() or file.stat().st_size > MOST_CONFIG_BYTES:
            raise AdapterError(f"its {CONFIG} is no file of at most {MOST_CONFIG_BYTES:,} bytes")
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, AdapterError):
            raise
        raise AdapterError(f"its {CONFIG} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise AdapterError(f"its {CONFIG} is no JSON object")
    return values


def _names(
    values: Mapping[str, Any], setting: str, for_all: str | None = None
) -> tuple[str, ...] | None:
    """The names of a list; None where a text in its place means all."""
    value = values.get(setting) or []
    if isinstance(value, str):
        if for_all is not None and value.lower() == for_all:
            return None
        if setting != "layers_pattern":
            raise AdapterError(
                f"its {CONFIG} has the regular expression {_told(value)} as its {setting}; name "
                "the layers, or their ends, in a list"
            )
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _strange(setting, value, "list of names")
    if setting == "layers_pattern" and not all(map(str.isidentifier, value)):
        raise _strange(setting, value, "list of names")
    return tuple(value)


def _is_among(names: Sequence[str], layer: str) -> bool:
    """Whether one of them is the layer's name, or its end."""
    return f".{layer}".endswith(tuple(f".{one}" for one in names))


def _of_pattern(setting: str, values: Mapping[str, float], layer: str, usual: float) -> float:
    """What the first has whose key is the layer's name, or its end."""
    for key, value in values.items():
        meant = layer == key[1:] if key.startswith("^") else _is_among([key], layer)
        # To PEFT a dot is any letter.
        literal = _LITERAL.fullmatch(key) is not None
        if not literal or meant != bool(re.match(rf"(.*\.)?({key})$", layer)):
            raise AdapterError(
                f"its {CONFIG} has the regular expression {_told(key)} in its {setting}; only "
                "names of layers and their ends are taken here"
            )
        if meant:
            return value
    return usual


def _pattern(values: Mapping[str, Any], setting: str) -> Mapping[str, Any]:
    value = values.get(setting) or {}
    if not isinstance(value, Mapping):
        raise _strange(setting, value, "JSON object")
    return value


def _number(what: str, value: object) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers of JSON have any length.
    if not usable or not 0 < value <= sys.float_info.max:  # type: ignore[operator]  # a number
        raise _strange(what, value, "number above 0")
    return float(value)  # type: ignore[arg-type]  # same


def _whole(what: str, value: object) -> int:
    if type(value) is not int or not 0 < value <= sys.maxsize:
        raise _strange(what, value, "whole number above 0")
    return value


def _strange(what: str, value: object, wanted: str) -> AdapterError:
    return AdapterError(f"its {CONFIG} has {what} {_told(value)}, and no {wanted}")


def _told(value: object) -> str:
    return shown(json.dumps(value))
