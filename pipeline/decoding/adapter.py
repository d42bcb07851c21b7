"""Adapters: what low-rank weights add to the linear layers of a model (LoRA, arXiv 2106.09685)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

NAMED = 3
"""So many layers are named where more are meant."""
MOST_LETTERS = 100
"""So many letters of what a file has are told."""
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""Types of numbers that weights may have."""


class AdapterError(ValueError):
    """An adapter that cannot be read, or does not fit the model."""


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """What a linear layer's output gets beside Wx: scale * B(Ax).

    `a` is (rank, inputs), `b` is (outputs, rank).
    """

    a: torch.Tensor
    b: torch.Tensor
    scale: float = 1.0

    @property
    def rank(self) -> int:
        """The rank of the product."""
        return int(self.a.shape[0])


@dataclass(frozen=True, slots=True)
class Rule:
    """Which of a model's layers a file has updates for, those and no others; the same in words."""

    layers: Callable[[Any], Collection[str]]
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """Updates by the names of their layers, and the rule by which layers were chosen, if known.

    They are computed in the type of the layer that they are for, or `in_float32` at least.
    """

    updates: Mapping[str, Update]
    rule: Rule | None = None
    in_float32: bool = False

    def to(self, device: str) -> "Adapter":
        """The same on another device, not to be trained."""
        moved = {
            name: Update(one.a.detach().to(device), one.b.detach().to(device), one.scale)
            for name, one in self.updates.items()
        }
        return replace(self, updates=moved)

    def check_rank(self, rank: int) -> None:
        """Raise `AdapterError` where a layer has another rank."""
        others = sorted({one.rank for one in self.updates.values()} - {rank})
        if others:
            found = " and ".join(map(str, others))
            raise AdapterError(f"its weights have rank {found}, and --lora-rank is {rank}")


def summary(model: Any, adapter: Adapter) -> str:
    """How much of a model an adapter changes, in a few words."""
    layers = len(list(_linear_layers(model)))
    kinds = sorted({name.rpartition(".")[2] for name in adapter.updates})
    ranks = " and ".join(map(str, sorted({one.rank for one in adapter.updates.values()})))
    changed = f"{len(adapter.updates)} of {layers} linear layers ({', '.join(kinds)})"
    return f"rank {ranks}, {changed}{_rule_of(adapter)}"


def check_fits(model: Any, adapter: Adapter) -> None:
    """Raise `AdapterError` unless every update has its layer, and every layer that must its update.

    Of a layer that the adapter's rule leaves out no update is taken.
    """
    layers, rule = dict(_linear_layers(model)), _rule_of(adapter)
    meant = list(adapter.updates if adapter.rule is None else adapter.rule.layers(model))
    strange = [name for name in adapter.updates if name not in layers]
    if not adapter.updates or len(strange) == len(adapter.updates):
        has = f"has weights for {_some(strange)}" if strange else "has no weights"
        there = f"; this model has {_some(meant) if meant else 'none'}" if adapter.rule else ""
        raise AdapterError(f"it {has}, so none of the model's linear layers gets any{rule}{there}")
    if strange:
        raise AdapterError(f"it has weights for {_some(strange)}, which the model does not have")
    for name, update in adapter.updates.items():
        wanted, found = tuple(layers[name].weight.shape), (update.b.shape[0], update.a.shape[1])
        if wanted != found:
            raise AdapterError(
                f"its {shown(name)} is for a layer of {found[1]} inputs and {found[0]} outputs, "
                f"and the model's has {wanted[1]} and {wanted[0]}: it was made for another model"
            )
    missing = [name for name in meant if name not in adapter.updates]
    if missing:
        raise AdapterError(f"it has no weights for {_some(missing)}{rule}")
    surplus = [name for name in adapter.updates if name not in meant]
    if surplus:
        raise AdapterError(f"it has weights for {_some(surplus)} too{rule}")


def attach(model: Any, adapter: Adapter) -> Callable[[], None]:
    """Let the model's layers add what the adapter has for them, in their own place.

    The result takes the adapter away again, after which the model is what it was before.

    Raises:
        AdapterError: it does not fit.
    """
    check_fits(model, adapter)
    layers = dict(_linear_layers(model))
    hooks = [
        layers[name].register_forward_hook(_adding(layers[name], update, adapter.in_float32))
        for name, update in adapter.updates.items()
    ]

    def detach() -> None:
        for hook in hooks:
            hook.remove()

    return detach


def merge(model: Any, adapter: Adapter) -> None:
    """Add the adapter to the model's weights, for good; sums are in float32.

    Raises:
        AdapterError: it does not fit, or a layer shares its weights with another, or has them
            packed.
    """
    check_fits(model, adapter)
    layers = dict(_linear_layers(model))
    users: dict[int, int] = {}
    for module in model.modules():
        for weights in module.parameters(recurse=False):
            users[id(weights)] = users.get(id(weights), 0) + 1
    shared = [name for name in adapter.updates if users[id(layers[name].weight)] > 1]
    if shared:
        raise AdapterError(
            f"the weights of {_some(shared)} are those of another layer too, so nothing can be "
            "added to them for one"
        )
    packed = [name for name in adapter.updates if layers[name].weight.dtype not in FLOATS]
    if packed:
        raise AdapterError(
            f"the weights of {_some(packed)} are packed: nothing can be added to them"
        )
    with torch.no_grad():
        for name, update in adapter.updates.items():
            weight = layers[name].weight
            a, b = (half.to(weight.device).float() for half in (update.a, update.b))
            weight.copy_(weight.float() + update.scale * (b @ a))


def _adding(layer: nn.Linear, update: Update, in_float32: bool) -> Callable[[Any, Any, Any], Any]:
    """The hook that adds an update to what its layer gives."""
    device, dtype = layer.weight.device, layer.weight.dtype
    if dtype not in FLOATS or (in_float32 and dtype.itemsize < torch.float32.itemsize):
        dtype = torch.float32
    a, b, scale = update.a.to(device, dtype), update.b.to(device, dtype), update.scale

    def add(layer: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG001 - a hook's arguments
        added = functional.linear(functional.linear(inputs[0].to(dtype), a), b)
        return (output + scale * added).to(output.dtype)

    return add


def _linear_layers(model: Any) -> Iterator[tuple[str, nn.Linear]]:
    return ((name, one) for name, one in model.named_modules() if isinstance(one, nn.Linear))


def _rule_of(adapter: Adapter) -> str:
    return "" if adapter.rule is None else f"; {adapter.rule.words}"


def shown(text: str) -> str:
    """A text of a file, so that it can be told: of a bounded length, and printable."""
    bounded = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"
    return "".join(one if one.isprintable() else "?" for one in bounded)


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(map(shown, names[:NAMED])) + (f" and {more} more" if more > 0 else "")
