"""The limit of thinking as options, and what it asks of a run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.engines.protocol import Ability, Tokenizer
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.problems.prompting import PromptSet, thinking_close, thinking_wait
from pipeline.reasoners.entry import Option, Section, refuse_presence_penalty
from pipeline.reasoners.opening import THINK_CLOSE, opens_thinking
from pipeline.reasoners.settings import ThinkingLimit, TrackSettings

PROMPTS = ("thinking/",)
BUDGET = re.compile(r"[0-9]{1,9}")
OPTIONS = (
    Option(
        "thinking_budget",
        "Tokens of thinking, after which the block is closed and the model answers. Of several, "
        "such as 256,512,1024, the last is the run's; the answers at the others are recorded too.",
    ),
    Option(
        "wait",
        "How often a model that stops thinking before the budget is sent back to think on.",
        int,
        least=0,
        field="waits",
    ),
)


@dataclass(frozen=True, slots=True)
class ThinkingSection(Section[ThinkingLimit]):
    """A limit, or none."""

    def read(self, given: Mapping[str, Any]) -> ThinkingLimit:
        """The settings by the options; the last of several budgets is the limit."""
        asked = given.get("thinking_budget")
        budgets = () if asked is None else _budgets(asked)
        return ThinkingLimit(
            tokens=budgets[-1] if budgets else None,
            waits=given.get("wait", self.defaults.waits),
            early=budgets[:-1],
        )

    def check_experiment(self, settings: ThinkingLimit, experiment: Experiment) -> None:
        """Refuse a limit that leaves no token for the answer, and penalties that forget."""
        if settings.tokens is None:
            return
        if settings.tokens >= experiment.token_budget:
            raise UserMistake(
                f"--thinking-budget {settings.tokens} leaves no token of --token-budget "
                f"{experiment.token_budget} for the answer; lower one or raise the other."
            )
        refuse_presence_penalty(experiment)
        if not settings.early:
            return
        if any(isinstance(one, TrackSettings) and one.fast for one in experiment.sections):
            raise UserMistake(
                "--fast ends tracks by the votes at the largest --thinking-budget, and those at "
                "smaller ones would lack tracks; drop --fast, or give one budget."
            )
        if experiment.target.decoding == "refine":
            raise UserMistake(
                "With --decoding refine the last tokens of a text depend on how many it may have, "
                "so that a run thinks otherwise at each --thinking-budget; give one budget."
            )

    def check_prompts(self, settings: ThinkingLimit, prompt_set: PromptSet) -> None:
        """Refuse a closing text that closes nothing."""
        if settings.tokens is None:
            return
        thinking_wait(prompt_set)
        if THINK_CLOSE not in thinking_close(prompt_set):
            raise UserMistake(f"the prompt thinking/close.j2 holds no {THINK_CLOSE}; put it there")

    def check_opening(
        self, settings: ThinkingLimit, experiment: Experiment, tokenizer: Tokenizer
    ) -> None:
        """Refuse a target that does not think."""
        if settings.tokens is None:
            return
        if not opens_thinking(tokenizer, "1+1?", *experiment.opening("target")):
            raise UserMistake(
                "--thinking-budget needs a target that thinks: its chains begin in no thinking "
                "block; add --thinking on where the model knows <think>, or drop it."
            )

    def needs(self, settings: ThinkingLimit) -> frozenset[Ability]:
        """Prompts that hold the thinking so far, and to be told of its end."""
        if settings.tokens is None:
            return frozenset()
        return frozenset({Ability.TOKEN_PROMPTS, Ability.STOP_STRING})

    def prompts(self, settings: ThinkingLimit) -> tuple[str, ...]:
        """The texts that close the block and that send the model back."""
        return () if settings.tokens is None else PROMPTS

    def in_words(self, settings: ThinkingLimit) -> str | None:
        """The limit."""
        if settings.tokens is None:
            return None
        back = f", sent back {settings.waits} times at most" if settings.waits else ""
        early = f"; recorded too: answers at {_listed(settings)} tokens" if settings.early else ""
        return f"{settings.tokens} tokens of thinking{back}, then the answer{early}"

    def on_top(self, settings: ThinkingLimit) -> tuple[str, ...]:
        """The answers at smaller budgets."""
        if not settings.early:
            return ()
        return (f"each track's answers at {_listed(settings)} tokens of thinking",)


def _budgets(asked: str) -> tuple[int, ...]:
    """The budgets as they are typed, with commas between them."""
    parts = [part.strip() for part in asked.split(",")]
    if not all(BUDGET.fullmatch(part) for part in parts):
        raise UserMistake(
            f"--thinking-budget is {asked!r}; it must be a whole number of at least 1, or several "
            "that rise, such as 256,512,1024."
        )
    return tuple(map(int, parts))


def _listed(settings: ThinkingLimit) -> str:
    *others, last = map(str, settings.early)
    return f"{', '.join(others)} and {last}" if others else last


THINKING = ThinkingSection(ThinkingLimit(), OPTIONS)
