"""Every forward that `generate()` prepares, seen before it runs: how long, on which cache."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Forward:
    """One forward of a model.

    `length` is that of the whole sequences so far, guesses included; `computed` the tokens of all
    rows that go through the model now, padding too. `layers` is how many of them it runs through.
    """

    length: int
    computed: int
    layers: int | None
    cache: Any
    rows: int = 1

    @property
    def attended(self) -> int:
        """How many positions its tokens attend to: each sees itself and all before it."""
        own = self.computed // self.rows
        return self.rows * (own * (self.length - own) + own * (own + 1) // 2)

    def until(self, width: int) -> "Forward":
        """The part of it that computes the first `width` places of the sequences."""
        own = self.computed // self.rows
        beyond = min(max(self.length - width, 0), own)
        computed = self.rows * (own - beyond)
        return replace(self, length=self.length - beyond, computed=computed)


@contextmanager
def watched(model: Any, see: Callable[[Forward], None]) -> Iterator[None]:
    """Call `see` before every forward of `model` in a `generate()` meanwhile.

    The hook is where inputs are prepared, not on the module: there it would be traced into a
    compiled forward, and could not tell the whole sequence from what is computed of it.
    """

    def counting(prepare: Callable[..., Any]) -> Callable[..., Any]:
        # `generate` reads the signature, to know which arguments are misspelt.
        @functools.wraps(prepare)
        def seen(input_ids: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
            inputs: dict[str, Any] = prepare(input_ids, *arguments, **named)
            tokens = inputs.get("input_ids")
            rows = inputs["inputs_embeds"][..., 0] if tokens is None else tokens
            cache = inputs.get("past_key_values")
            length = input_ids.shape[1]
            see(Forward(length, rows.numel(), layer_count(model), cache, len(rows)))
            return inputs

        return seen

    with replaced(model, "prepare_inputs_for_generation", counting):
        yield


@contextmanager
def replaced(
    model: Any, name: str, changed: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """A method of `model` changed meanwhile; nothing where this version has none of that name."""
    original = getattr(model, name, None)
    if original is None:
        yield
        return
    own = vars(model).get(name)
    setattr(model, name, changed(original))
    try:
        yield
    finally:
        if own is None:
            delattr(model, name)
        else:
            setattr(model, name, own)


def layer_count(model: Any) -> int | None:
    """How many layers a forward of `model` runs through now.

    Early exit drafts with the model itself, and lowers the number in its settings meanwhile.
    """
    count: int | None = getattr(_body_config(model), "num_hidden_layers", None)
    return count


@contextmanager
def whole_again(model: Any) -> Iterator[None]:
    """Give the model all its layers back in the end: a draft of early exit that fails does not."""
    full = layer_count(model)
    try:
        yield
    finally:
        if full is not None:
            _body_config(model).num_hidden_layers = full


def _body_config(model: Any) -> Any:
    return getattr(model, model.base_model_prefix, model).config
