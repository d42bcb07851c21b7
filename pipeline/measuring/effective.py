"""What a real call of `generate()` did, whatever was asked: mode, cache, attention, weights."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from transformers.utils import logging as transformers_logging

from pipeline.measuring.clock import CallTimes
from pipeline.measuring.combination import DRAWN, UNCAPPED, Combination
from pipeline.measuring.forwards import replaced, watched

MOST_WARNINGS = 20
FEWEST_BEAMS = 2
PAGED_LOGGER = "ContinuousBatchingLogger"
_CACHE_SEEN = {
    "dynamic": "DynamicCache",
    "static": "StaticCache",
    "offloaded": "DynamicCache, offloaded",
    "offloaded_static": "StaticCache, offloaded",
    "quantized": "QuantizedCache",
    "paged": "PagedAttentionCache",
    UNCAPPED: "PagedAttentionCache",
}


@dataclass(frozen=True, slots=True)
class Effective:
    """What was seen; None where the call came to no such thing, or this version does not show it.

    `mode` is transformers' own word for how it generated, `cache` the class that a forward was
    given, `weights` how they are quantised, `warnings` what transformers logged meanwhile.
    """

    mode: str | None
    sampled: bool | None
    beams: int | None
    top_p: float | None
    cache: str | None
    attention: str
    weights: str | None
    dtype: str
    device: str
    compiled: bool
    warnings: tuple[str, ...]


@dataclass
class Observer:
    """Watches one call: `with observer.watching(): model.generate(…)`, then `read`."""

    model: Any
    _mode: str | None = None
    _settings: Any = None
    _cache: str | None = None
    _attention: str | None = None
    _compiled: bool = False
    _warnings: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the call inside; what transformers logs is kept and not printed."""
        self._mode = self._settings = self._cache = self._attention = None
        self._compiled = False
        self._warnings = []
        with ExitStack() as watching:
            watching.enter_context(watched(self.model, lambda one: self._saw_cache(one.cache)))
            hook = self.model.register_forward_pre_hook(self._before_paged, with_kwargs=True)
            watching.callback(hook.remove)
            watching.enter_context(
                replaced(self.model, "_validate_generation_mode", self._validated)
            )
            watching.enter_context(replaced(self.model, "get_compiled_call", self._compiling))
            watching.enter_context(logged_to(self._warnings))
            yield

    def read(self) -> Effective:
        """What the call did."""
        settings = self._settings
        return Effective(
            mode=self._mode,
            sampled=getattr(settings, "do_sample", None),
            beams=getattr(settings, "num_beams", None),
            top_p=getattr(settings, "top_p", None),
            cache=self._cache,
            attention=self._attention or _attention(self.model),
            weights=_quantised(self.model),
            dtype=str(self.model.dtype).removeprefix("torch."),
            device=str(self.model.device),
            compiled=self._compiled,
            warnings=tuple(dict.fromkeys(self._warnings))[:MOST_WARNINGS],
        )

    def _saw_cache(self, cache: Any) -> None:
        if self._cache is None and cache is not None:
            offloaded = ", offloaded" if getattr(cache, "offloading", False) else ""
            self._cache = type(cache).__name__ + offloaded
        self._attention = _attention(self.model)

    def _before_paged(self, _model: Any, _arguments: Any, named: dict[str, Any]) -> None:
        # Continuous batching calls the model itself, and hands it its blocks under this name.
        if "cache" in named:
            self._saw_cache(named["cache"])

    def _validated(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def validate(mode: Any, settings: Any, *others: Any) -> Any:
            # Early exit drafts by a call of its own inside this one.
            if self._settings is None:
                self._mode, self._settings = mode.value, settings
            return original(mode, settings, *others)

        return validate

    def _compiling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compiling(*arguments: Any, **named: Any) -> Any:
            self._compiled = True
            return original(*arguments, **named)

        return compiling


def what_was_ignored(asked: Combination, did: Effective, times: CallTimes) -> str | None:
    """What of a combination a finished call did not do; None where it did everything.

    Guesses count as made where a model drafted for them, or where some were put before the target.
    """
    return "; ".join(_ignored(asked, did, times)) or None


def _ignored(asked: Combination, did: Effective, times: CallTimes) -> Iterator[str]:
    if {"assistant", "early_exit"} & set(asked.guesses.split("+")) and not times.assistant_forwards:
        yield f"{'early exit' if asked.guesses == 'early_exit' else 'assistant'}: drafted nothing"
    elif "lookup" in asked.guesses and not times.proposed:
        yield "prompt lookup: guessed nothing"
    cache = _CACHE_SEEN.get(asked.cache)
    if cache is not None and did.cache is not None and did.cache != cache:
        yield f"{asked.cache} cache: {did.cache} seen"
    if did.attention != asked.attention:
        yield f"{asked.attention}: {did.attention} seen"
    if (asked.weights == "full") != (did.weights is None):
        yield f"{asked.weights} weights: {did.weights or 'full'} seen"
    if asked.way == "beam" and (did.beams or 0) < FEWEST_BEAMS:
        yield "beams: one text at a time"
    if did.sampled is not None and did.sampled != (asked.way in DRAWN):
        yield f"{asked.way}: {'drawn' if did.sampled else 'not drawn'}"


@contextmanager
def logged_to(found: list[str]) -> Iterator[None]:
    """Keep what transformers logs as warnings, also what it says but once a process."""
    forget = getattr(getattr(logging.Logger, "warning_once", None), "cache_clear", None)
    if forget is not None:
        forget()
    loggers = [transformers_logging.get_logger("transformers"), logging.getLogger(PAGED_LOGGER)]
    before = [(one, one.handlers[:], one.propagate) for one in loggers]
    for one in loggers:
        one.handlers[:], one.propagate = [_Keeper(found)], False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        found += [str(one.message) for one in caught]
    finally:
        for one, handlers, propagate in before:
            one.handlers[:], one.propagate = handlers, propagate


class _Keeper(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(" ".join(record.getMessage().split()))


def _attention(model: Any) -> str:
    # Only by this name do models say by which implementation their layers compute. Continuous
    # batching has twins of them for its blocks.
    return str(model.config._attn_implementation).removeprefix("paged|")  # noqa: SLF001


def _quantised(model: Any) -> str | None:
    """The names of the layers' classes that hold packed weights, such as `Linear4bit`."""
    if not getattr(model, "is_quantized", False):
        return None
    linear = {type(one).__name__ for one in model.modules() if "Linear" in type(one).__name__}
    return ", ".join(sorted(linear - {"Linear"})) or None
