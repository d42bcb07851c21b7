"""How far a way of decoding gives what plain decoding gives, on a few prompts."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.decoding.beginnings import common
from pipeline.engines.protocol import Completion
from pipeline.engines.settings import PLAIN, EngineSettings
from pipeline.errors import EngineDead, UserMistake
from pipeline.generating.asking import ask
from pipeline.generating.generation import KEPT, ROLE, started
from pipeline.generating.prompts import Prompt
from pipeline.generating.settings import Generation
from pipeline.generating.units import counted_by, groups_of
from pipeline.runs.interrupts import call
from pipeline.runs.scheduler import Progress

LOW = 0.9
"""A smaller share of plain decoding's tokens before the first difference is low agreement."""
Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Answers by plain decoding and by the other, in pairs of token ids, by their prompts' ids.

    `failed` are the prompts that have no answer by one of the two.
    """

    answers: Mapping[str, tuple[Ids, Ids]]
    failed: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[Ids, Ids], ...]:
        """The answers, in the order of the prompts."""
        return tuple(self.answers.values())

    @property
    def equal(self) -> int:
        """How many answers are the same to the end."""
        return sum(plain == other for plain, other in self.pairs)

    @property
    def matched(self) -> list[int]:
        """How many tokens each pair begins with alike."""
        return [common(plain, other) for plain, other in self.pairs]

    @property
    def share(self) -> float:
        """The share of plain decoding's tokens before the first difference, over all answers."""
        return sum(self.matched) / sum(len(plain) for plain, _ in self.pairs)

    @property
    def is_low(self) -> bool:
        """Whether the other way does not write the model's own text."""
        return self.share < LOW

    @property
    def in_words(self) -> str:
        """One sentence, without its full stop."""
        lengths = ", ".join(
            f"{same} of {len(plain)}"
            for same, (plain, _) in zip(self.matched, self.pairs, strict=True)
        )
        return (
            f"{self.equal} of {len(self.pairs)} answers equal those of plain decoding; "
            f"{self.share:.0%} of its tokens come before the first difference ({lengths})"
            + (f"; {len(self.failed)} of the prompts failed" if self.failed else "")
        )

    @property
    def record(self) -> dict[str, Any]:
        """As it is written beside the answers."""
        return {
            "prompts": [
                {"id": one, "equal": plain == other, "matched": same, "plain": len(plain)}
                for (one, (plain, other)), same in zip(
                    self.answers.items(), self.matched, strict=True
                )
            ],
            "failed": list(self.failed),
            "equal": self.equal,
            "share": self.share,
            "is_low": self.is_low,
        }


def self_check(generation: Generation, prompts: Sequence[Prompt], log: Path) -> Agreement:
    """Answer the prompts by plain decoding and as the settings say, each with its own engine.

    Raises:
        UserMistake: every prompt fails, so that nothing can be compared.
        RunStopped: an engine failed.
    """
    plain = EngineSettings(engine=generation.model.engine, model=generation.model.model)
    windows = (
        "proposer",
        "window",
        "assistant_model",
        "append_eos",
        "refine_rounds",
        "branching",
    )
    usual = {name: getattr(plain, name) for name in windows}
    base = replace(generation, model=replace(generation.model, decoding=PLAIN, **usual))
    found: list[dict[str, Ids]] = []
    tokens_of = counted_by(generation)

    async def answer(settings: Generation) -> None:
        async with contextlib.AsyncExitStack() as stack:
            engines = await started(settings, log, Progress(total=len(prompts)), stack)
            ids = {}
            for group in groups_of(settings.model, prompts, settings.seed, tokens_of=tokens_of):
                with contextlib.suppress(EngineDead):
                    answers = await ask(group, settings, engines.by_role[ROLE])
                    for prompt, one in zip(group, answers, strict=True):
                        if isinstance(one, Completion):
                            ids[prompt.prompt_id] = one.token_ids or ()
            found.append(ids)

    for settings in (base, generation):
        call(answer(settings), KEPT)
    first, second = found
    answers = {one: (ids, second[one]) for one, ids in first.items() if one in second}
    if not any(plain_ids for plain_ids, _ in answers.values()):
        raise UserMistake("--self-check got no answer to compare: each of its prompts failed.")
    asked = [prompt.prompt_id for prompt in prompts]
    return Agreement(answers, tuple(one for one in asked if one not in answers))
