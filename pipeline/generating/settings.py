"""How prompts are answered: the settings of one generation."""

from dataclasses import dataclass
from typing import Any

from pipeline.engines.sampling import OPTIONS, Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import engine_identity


@dataclass(frozen=True, slots=True)
class Generation:
    """How prompts are answered.

    `max_new_tokens` is what an answer may have, `max_length` what prompt and answer may have
    together. With `chat_template` a text is asked as what the user says in a chat; a chat always
    is. `batch_size` is how many prompts are in flight, or with `batch_by_samples` how many
    sequences of branches. With `trace` a row tells the rounds in which blocks were refined, with
    `likeliest` so many of the likeliest first tokens.
    """

    model: EngineSettings
    sampling: Sampling
    seed: int = 0
    max_new_tokens: int = 1024
    max_length: int = 8192
    chat_template: bool = False
    batch_size: int = 1
    batch_by_samples: bool = False
    trace: bool = False
    likeliest: int = 0

    def __post_init__(self) -> None:
        """Refuse values that nothing can be generated with."""
        for name in ("max_new_tokens", "max_length", "batch_size"):
            if getattr(self, name) < 1:
                flag = "--" + name.replace("_", "-")
                raise UserMistake(f"{flag} is {getattr(self, name)}; it must be 1 or more.")
        bound = self.model.branching and self.model.branching.total_tokens
        if bound and self.most_tokens(1) > bound:
            raise UserMistake(
                f"--max-total-tokens is {bound}, and a prompt and its answer may have "
                f"{self.most_tokens(1)} alone; give more, or fewer --max-new-tokens."
            )

    def most_tokens(self, prompt_tokens: int) -> int:
        """How many tokens a prompt of so many and its answer may have together."""
        return max(prompt_tokens, min(prompt_tokens + self.max_new_tokens, self.max_length))

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that decide what is written."""
        return {
            "model": engine_identity(self.model),
            **{option.name: getattr(self.sampling, option.name) for option in OPTIONS},
            "seed": self.seed,
            "max_new_tokens": self.max_new_tokens,
            "max_length": self.max_length,
            "use_chat_template": self.chat_template,
        }
