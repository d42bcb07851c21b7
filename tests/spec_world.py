"""A scripted world for the reasoners: engines that count and dawdle, and attempts on them."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline import reasoners
from pipeline.engines.protocol import Completion, SamplingRequest
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Faults, Latency, Script
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment
from pipeline.ledger import Ledger
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import open_prompt_set, task_prompt
from pipeline.reasoners.protocol import Assignment, Outcome
from pipeline.reasoners.settings import StepSettings, TrackSettings

SETTINGS = EngineSettings("scripted", "m")
QUESTION = "Score: "
OPENING = "assistant: "
CLOSE = "</think>\n\n"


def number(*parts: object) -> int:
    """A number that depends on nothing but `parts`."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big")


def said(prompt: str) -> str:
    """What the assistant has said so far in a prompt."""
    return prompt.rpartition(OPENING)[2]


def peaked(digit: int, mass: float = 1.0) -> tuple[float, ...]:
    """Ten probabilities, nearly all on one digit."""
    return tuple(mass * (0.991 if place == digit else 0.001) for place in range(10))


def always(digit: int) -> Callable[[str], tuple[float, ...]]:
    """A judge with one opinion."""
    return lambda prompt: peaked(digit)


def telling(*texts: str) -> Callable[[str, int], str]:
    """An author that says `texts` one after another, whatever stands there already."""

    def continuation(prompt: str, seed: int) -> str:
        before, closed, _ = said(prompt).partition(CLOSE)
        text = texts[min(before.count("\n\n"), len(texts) - 1)]
        return text.partition(CLOSE)[2] if closed else text

    return continuation


def wild(salt: int) -> Callable[[str, int], str]:
    """An author of chance: steps, repetitions, boxes, closings and ends, by prompt and seed."""

    def continuation(prompt: str, seed: int) -> str:
        before = said(prompt)
        draw = number(salt, prompt, seed)
        kind, value = draw % 16, draw // 16 % 3
        if before.endswith("</think>\n\n"):
            return f"\\boxed{{{value}}}"
        if kind == 0 and before.count("\n\n") > 1:
            return f"</think>\n\n\\boxed{{{value}}}"
        if kind == 1:
            return f"so it is {value}\n</think>\n\nall in all \\boxed{{{value}}}\n\nyes"
        if kind == 2:
            return f"it is \\boxed{{{value}}}\n\n"
        if kind == 3:
            return "again\n\n"
        if kind == 4:
            return "the end"
        return f"step {value}{'x' * (draw % 7)}\n\nand more\n\n"

    return continuation


def moody(salt: int) -> Callable[[str], tuple[float, ...]]:
    """A judge that keeps about two thirds, now and then with hardly a digit in mind."""

    def digits(prompt: str) -> tuple[float, ...]:
        draw = number(salt, prompt)
        return peaked((9, 8, 7, 3, 9, 1)[draw % 6], 0.3 if draw % 13 == 0 else 1.0)

    return digits


class Watched:
    """An engine that keeps what it was asked and what it answered, and takes its time."""

    def __init__(self, script: Script, hurry: int | None = None) -> None:
        self.engine = ScriptedEngine(SETTINGS, script)
        self.asked: list[tuple[str, SamplingRequest]] = []
        self.ids: list[tuple[int, ...]] = []
        self.answered: list[Completion] = []
        self.cancelled = 0
        self._chance = random.Random(hurry) if hurry is not None else None  # noqa: S311

    @property
    def abilities(self):
        return self.engine.abilities

    @property
    def facts(self):
        return self.engine.facts

    @property
    def tokenizer(self):
        return self.engine.tokenizer

    async def start(self) -> None:
        await self.engine.start()

    async def complete(self, ids: Sequence[int], sampling: SamplingRequest) -> Completion:
        self.asked.append((self.tokenizer.decode(ids), sampling))
        self.ids.append(tuple(ids))
        try:
            for _ in range(self._chance.randrange(12) if self._chance else 0):
                await asyncio.sleep(0)
            done = await self.engine.complete(ids, sampling)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.answered.append(done)
        return done

    async def chat(self, messages, sampling):
        return await self.engine.chat(messages, sampling)

    async def health(self) -> None:
        await self.engine.health()

    async def stop(self) -> None:
        await self.engine.stop()

    def prompts(self, *, scores: bool) -> list[str]:
        """The prompts of scores, or of everything else."""
        return [text for text, sampling in self.asked if bool(sampling.logprobs_of) is scores]


class World:
    """One problem, a target and a draft."""

    def __init__(
        self,
        *,
        target=None,
        draft=None,
        digits=None,
        kind="integer",
        choices=(),
        prompts="pocket",
        hurry=None,
        faults=None,
        draft_faults=None,
        context=1_000_000,
        draft_context=1_000_000,
        latency=None,
    ) -> None:
        target, draft = target or telling("t\n\n"), draft or telling("d\n\n")
        self.target = Watched(
            Script(target, digits or always(9), latency or Latency(), faults or Faults(), context),
            hurry,
        )
        self.draft = Watched(
            Script(draft, always(9), latency or Latency(), draft_faults or Faults(), draft_context),
            None if hurry is None else hurry + 1,
        )
        self.problem = Problem(
            *("test", "1", "1", (), "What is it?", "1", kind, choices, (), None),
        )
        self.prompts = prompts
        self.ledger = Ledger()

    async def reason(self, reasoner="spec", tracks=None, steps=None, **settings) -> Outcome:
        """One attempt."""
        sections = tuple(one for one in (tracks, steps) if one is not None)
        experiment = reasoners.with_defaults(
            Experiment(reasoner, SETTINGS, SETTINGS, sections=sections, **settings)
        )
        prompt_set = open_prompt_set(self.prompts)
        assignment = Assignment(
            experiment,
            self.problem,
            task_prompt(prompt_set, self.problem, ""),
            prompt_set,
            0,
            self.target,
            self.draft,
            self.ledger,
        )
        await self.target.start()
        await self.draft.start()
        return await reasoners.load(reasoner)(assignment)

    async def track(self, reasoner="spec", steps=None, **settings):
        """The one track of an attempt."""
        [track] = (await self.reason(reasoner, None, steps, **settings)).tracks
        return track


def spoken(outcome: Outcome) -> list:
    """All of the tracks but clock readings."""
    return [
        replace(
            track,
            steps=tuple(
                replace(step, seconds=0.0, draft_seconds=None, score_seconds=None)
                for step in track.steps
            ),
        )
        for track in outcome.tracks
    ]


def three_tracks(**settings) -> TrackSettings:
    return TrackSettings(**({"tracks": 3} | settings))


__all__ = [
    "StepSettings",
    "TrackSettings",
    "World",
    "always",
    "moody",
    "number",
    "peaked",
    "said",
    "spoken",
    "telling",
    "three_tracks",
    "wild",
]
