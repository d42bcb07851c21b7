# ruff: noqa: PLR2004 - shares of a drawn mixture read best where they are drawn
"""Lay problems out as training sequences: a right solution with score questions as branches.

A branch attends only to the solution before it and to itself, so one sequence holds a digit for
every step and for altered steps without showing the solution any of them.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedTokenizerFast

from pipeline.letters import LETTERS
from pipeline.pocket import prompts
from pipeline.pocket.mistakes import wrong_step
from pipeline.pocket.problems import Problem

BLANK = "\n\n"
CLOSE = "</think>\n\n"
RIGHT, WRONG = "9", "0"
WHOLE = 1 << 20  # sees the whole solution before it: no limit but the order of tokens
CACHED_LENGTH, CACHED_TEXTS = 16, 100_000  # characters, entries: steps repeat, prompts do not
IGNORED, SOLVING, SCORING = 0, 1, 2

_WEIGHTS: dict[str, Mapping[str, float]] = {
    "chain": {"B": 8, "A": 4, "I": 5, "M": 3, "E": 2, "K": 0.5, "L": 0.3},
    "equation": {"A": 8, "B": 4, "M": 4, "H": 1, "E": 1, "N": 0.3},
    "sum": {"A": 6, "E": 5, "N": 1, "O": 0.5, "L": 0.5, "G": 0.3},
    "choice": {"K": 3, "B": 6, "M": 5, "I": 4, "A": 3, "E": 1, "G": 0.3},
}


@dataclass
class Row:
    """One training sequence, column by column."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    roles: list[int] = field(default_factory=list)

    def extend(self, ids: Sequence[int], branch: int, limit: int, offset: int) -> None:
        """Add tokens without a target."""
        self.ids += ids
        self.positions += range(offset, offset + len(ids))
        self.branches += [branch] * len(ids)
        self.limits += [limit] * len(ids)
        self.targets += [0] * len(ids)
        self.roles += [IGNORED] * len(ids)


@dataclass(frozen=True)
class Batch:
    """Sequences of one batch as tensors of equal length; `mask` says what each token sees."""

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    targets: torch.Tensor
    roles: torch.Tensor


class Layout:
    """Turns problems into sequences with one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        self._score = self.encode(prompts.score_prompt())
        self._digits = {digit: self.encode(digit)[0] for digit in (RIGHT, WRONG)}
        self._end = tokenizer.eos_token_id
        self._before = self.encode("<|im_start|>user\n")
        self._after = self.encode("<|im_end|>\n<|im_start|>assistant\n<think>\n")

    @property
    def wrong_digit(self) -> int:
        """Token of the digit that calls a step wrong."""
        return self._digits[WRONG]

    def encode(self, text: str) -> list[int]:
        """Encode text on its own."""
        found = self._known.get(text)
        if found is None:
            found = list(self._tokenizer.encode(text, add_special_tokens=False))
            if len(text) < CACHED_LENGTH and len(self._known) < CACHED_TEXTS:
                self._known[text] = found
        return found

    def prompt(self, message: str) -> list[int]:
        """Encode a user message as the chat template renders it."""
        return [*self._before, *self.encode(message), *self._after]

    def _guidance(self, rng: random.Random) -> str:
        return rng.choice(prompts.guidance_texts()) if rng.random() < 0.4 else ""

    def solution(
        self,
        rng: random.Random,
        problem: Problem,
        *,
        score_share: float,
        mistakes: Mapping[int, Sequence[str]],
    ) -> Row:
        """Lay out a solution; each step gets its digit, and a share of them a wrong twin's."""
        message = prompts.task_prompt(problem.kind, problem.question, self._guidance(rng))
        row = Row()
        prompt = self.prompt(message)
        row.extend(prompt, 0, WHOLE, 0)
        starts, ends = [], []
        for step in (*problem.steps, ""):
            starts.append(len(row.ids))
            text = f"{step}{BLANK}" if step else f"{CLOSE}{problem.answer_step}"
            row.extend(self.encode(text), 0, WHOLE, len(row.ids))
            ends.append(len(row.ids))
        self._learn(row, len(prompt), [*row.ids[len(prompt) :], self._end])
        branch = 0
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if rng.random() >= score_share:
                continue
            blank = self.encode(BLANK) if index == len(problem.steps) else []
            branch += 1
            self._branch(row, branch, end, [*blank, *self._score], RIGHT)
            wrong = mistakes.get(index) or [self._altered(rng, problem, index)]
            branch += 1
            altered = self.encode(rng.choice(wrong) + BLANK)
            self._branch(row, branch, start, [*altered, *self._score], WRONG)
        return row

    def _altered(self, rng: random.Random, problem: Problem, index: int) -> str:
        step = wrong_step(rng, problem, index)
        return f"{CLOSE}{step}" if step.startswith("\\boxed") else step

    def _learn(self, row: Row, start: int, following: Sequence[int]) -> None:
        for i, token in enumerate(following):
            row.targets[start - 1 + i] = token
            row.roles[start - 1 + i] = SOLVING

    def _branch(self, row: Row, branch: int, limit: int, ids: Sequence[int], digit: str) -> None:
        row.extend(ids, branch, limit, limit)
        row.targets[-1] = self._digits[digit]
        row.roles[-1] = SCORING

    def methods(self, rng: random.Random, problem: Problem) -> Row:
        """Lay out a method question with letters that suit the problem's family."""
        pool, count = rng.choice(prompts.POOLS), rng.randint(1, 5)
        letters = _letters(rng, problem, pool, count)
        row = Row()
        message = prompts.methods_prompt(problem.question, pool, count)
        row.extend(self.prompt(message), 0, WHOLE, 0)
        row.extend(self.encode(prompts.methods_answer(count, ())), 0, WHOLE, len(row.ids))
        start = len(row.ids)
        row.extend(self.encode(", ".join(letters)), 0, WHOLE, start)
        self._learn(row, start, [*row.ids[start:], self._end])
        return row


def _letters(rng: random.Random, problem: Problem, pool: int, count: int) -> list[str]:
    """Draw the first letter by how well it suits; the others follow from the best one down."""
    statement = problem.question.statement
    family = "equation" if statement.startswith("Solve") else "sum"
    family = "chain" if statement.startswith("Let") else family
    weights = _WEIGHTS["choice" if problem.question.choices else family]
    offered = list(LETTERS[: pool + 1])
    suits = {letter: weights.get(letter, 0.0) for letter in offered} | {offered[-1]: 0.0}
    suiting = sorted(offered, key=lambda letter: -suits[letter])  # the last letter is "unknown"
    first = rng.choices(suiting, [suits[letter] for letter in suiting])
    return (first + [letter for letter in suiting if letter != first[0]])[:count]


def collate(rows: Sequence[Row], pad: int) -> Batch:
    """Pad sequences on the right and work out who sees whom."""
    longest = max(len(row.ids) for row in rows)

    def column(name: str, fill: int) -> torch.Tensor:
        lists = [getattr(row, name) for row in rows]
        return torch.tensor([one + [fill] * (longest - len(one)) for one in lists])

    branches, limits = column("branches", -1), column("limits", 0)
    index = torch.arange(longest)
    of_solution = (branches == 0)[:, None, :] & (index[None, None, :] < limits[:, :, None])
    of_branch = branches[:, :, None] == branches[:, None, :]
    mask = (of_solution | of_branch) & (index[None, :] <= index[:, None])
    return Batch(
        column("ids", pad), column("positions", 0), mask[:, None], column("targets", 0),
        column("roles", IGNORED),
    )  # fmt: skip
