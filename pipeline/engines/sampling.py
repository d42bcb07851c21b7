"""How a model's tokens are drawn: the settings that model cards name, and what each may be.

All engines mean the same by them, in vLLM's order: penalties on the raw logits, temperature,
`min_p`, `top_k`, `top_p`, each on what the one before it has left.
"""

from dataclasses import asdict, dataclass

from pipeline.declared_option import DeclaredOption
from pipeline.engines.protocol import SamplingRequest

OPTIONS = (
    DeclaredOption("temperature", "0: always the likeliest token.", type=float, least=0, most=2),
    DeclaredOption(
        "top_p", "Only the likeliest tokens that reach this share.", type=float, above=0, most=1
    ),
    DeclaredOption("top_k", "Only so many of the likeliest tokens; 0: all.", type=int, least=0),
    DeclaredOption(
        "min_p",
        "Only tokens of at least this share of the likeliest's.",
        type=float,
        least=0,
        most=1,
    ),
    DeclaredOption(
        "presence_penalty",
        "Taken from the logit of every token that the answer has.",
        type=float,
        least=-2,
        most=2,
    ),
    DeclaredOption(
        "repetition_penalty",
        "Divides the logit of every token that prompt or answer has; 1: none.",
        type=float,
        above=0,
    ),
)
"""Every setting, with vLLM's own bounds."""
FIRST = frozenset({"temperature", "top_p"})
"""What every engine has always done; the others it must say that it does."""
FURTHER = frozenset(option.name for option in OPTIONS) - FIRST


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the tokens of one model are drawn; the penalties' and cuts' defaults do nothing."""

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that no run can have."""
        for option in OPTIONS:
            option.check(getattr(self, option.name))

    def request(self, max_tokens: int, seed: int, stop: tuple[str, ...] = ()) -> SamplingRequest:
        """A completion of at most so many tokens, drawn like this."""
        return SamplingRequest(max_tokens=max_tokens, seed=seed, stop=stop, **asdict(self))


DEFAULTS = Sampling()


def further(sampling: object) -> dict[str, float]:
    """The settings that not every engine does, where they are set; of a request too."""
    return {
        option.name: getattr(sampling, option.name)
        for option in OPTIONS
        if option.name in FURTHER
        and getattr(sampling, option.name) != getattr(DEFAULTS, option.name)
    }
