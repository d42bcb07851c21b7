"""What a decoder is: a way to write completions, and what can be said of it before it is tried."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.engines.sampling import Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.errors import Misdeclared
from pipeline.measuring.ask import Ask, Calls

if TYPE_CHECKING:
    from pipeline.measuring.config import Config

SPECULATIVE = "_speculative"
"""What the name of a decoder ends with whose tokens an assistant guesses."""


Extra = Callable[["Config", Sequence[Ask]], Mapping[str, Any]]
"""What a call of `generate()` is given beside what all are, as fields of its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A way of generating.

    `cut` says which completions one call writes. A decoder of transformers' `generate()` has
    `asks`, what that is given; one of an engine of this project has `serves`, its settings. `batch`
    is a function of its own in place of `generate()`.
    `exact` decoders write, at temperature 0, the tokens of `standard`. `needs_assistant` ones are
    nothing without the assistant; `guesses` ones have tokens guessed, by whomever. `search` ones
    choose their sequences last, `exits_early` ones guess with
    the model's own first layers. `plain` is the decoder that it falls back to. `own_sampling`
    replaces settings of the config; `greedy` ones never draw.
    """

    name: str
    means: str
    cut: Callable[[Sequence[Ask], int], Calls]
    asks: Extra | None = None
    serves: Callable[["Config"], EngineSettings] | None = None
    batch: str | None = None
    exact: bool = False
    needs_assistant: bool = False
    guesses: bool = False
    search: bool = False
    greedy: bool = False
    unverified: bool = False
    exits_early: bool = False
    plain: str | None = None
    own_sampling: Mapping[str, Any] | None = None

    @property
    def station(self) -> str:
        """Who loads its models: `generate` for transformers, or the engine of this project."""
        return "generate" if self.serves is None else self.name

    def sampling(self, config: "Config") -> Sampling:
        """How its tokens are drawn."""
        asked = replace(config.sampling, **(self.own_sampling or {}))
        return replace(asked, temperature=0.0) if self.greedy else asked

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no decoder."""
        if not callable(self.cut):
            raise Misdeclared("what cuts completions into calls is no function")
        if self.serves is not None and (self.asks is not None or self.batch is not None):
            raise Misdeclared("it is served by an engine, and has what generate() is given")
        if self.needs_assistant != self.name.endswith(SPECULATIVE):
            raise Misdeclared(f"exactly what needs an assistant is called ...{SPECULATIVE}")
