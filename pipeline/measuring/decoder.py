"""What a decoder is: a way to write completions, and what can be said of it before it is tried."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.engines.sampling import Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.errors import Misdeclared
from pipeline.measuring.ask import Ask, Calls
from pipeline.measuring.config import Config

REFERENCE = "standard"
"""The decoder that the others are compared with, where it was measured; else the first."""
SPECULATIVE = "_speculative"
"""What the name of a decoder ends with whose tokens an assistant guesses."""


Extra = Callable[[Config, Sequence[Ask]], Mapping[str, Any]]
"""What a call of `generate()` is given beside what all are, as fields of its configuration."""


Way = Literal["alone", "batched", "beam"]
Guesses = Literal["none", "assistant", "lookup", "early_exit", "itself"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A way of generating.

    `cut` says which completions one call writes, and `way` whether they are computed one `alone`,
    `batched` side by side, or as a `beam` search. `guesses` says who guesses tokens, if anybody.
    A decoder of transformers' `generate()` has `asks`, what that is given beside the common
    settings; one of an engine of this project has `serves`, its settings. `batch` names a function
    that stands in for `generate()`.
    `exact` decoders write, at temperature 0, the tokens of `standard`; `unverified` ones keep
    tokens that the model has not checked. `plain` is the decoder that it falls back to.
    `own_sampling` replaces settings of the config.
    """

    name: str
    means: str
    cut: Callable[[Sequence[Ask], int], Calls]
    way: Way = "alone"
    guesses: Guesses = "none"
    asks: Extra | None = None
    serves: Callable[[Config], EngineSettings] | None = None
    batch: str | None = None
    exact: bool = False
    unverified: bool = False
    plain: str | None = None
    own_sampling: Mapping[str, Any] | None = None

    @property
    def needs_assistant(self) -> bool:
        """Whether it is nothing without the assistant."""
        return self.guesses == "assistant"

    @property
    def search(self) -> bool:
        """Whether it chooses its sequences last, and never draws."""
        return self.way == "beam"

    @property
    def station(self) -> str:
        """Who loads its models: `generate` for transformers, or the engine of this project."""
        return "generate" if self.serves is None else self.name

    def sampling(self, config: Config) -> Sampling:
        """How its tokens are drawn."""
        asked = replace(config.sampling, **(self.own_sampling or {}))
        return replace(asked, temperature=0.0) if self.search else asked

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no decoder."""
        if not callable(self.cut):
            raise Misdeclared("what cuts completions into calls is no function")
        if self.serves is not None and (self.asks is not None or self.batch is not None):
            raise Misdeclared("it is served by an engine, and has what generate() is given")
        if self.needs_assistant != self.name.endswith(SPECULATIVE):
            raise Misdeclared(f"exactly what needs an assistant is called ...{SPECULATIVE}")
