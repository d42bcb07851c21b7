"""Measure a checkpoint with `transformers`: answers, score digits, sampled steps, methods."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.pocket.mistakes import wrong_step
from pipeline.pocket.problems import Problem
from pipeline.pocket.prompts import score_prompt, task_prompt
from pipeline.pocket.sequences import BLANK, CLOSE

LONGEST_SOLUTION = 300  # new tokens; 15 steps take about 210
LONGEST_STEP = 32  # new tokens of one step
LARGEST_BATCH = 128


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer."""

    model: Any
    tokenizer: Any

    @classmethod
    def from_folder(cls, folder: Path) -> "Loaded":
        """Load a checkpoint in float32."""
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        return cls(model.eval(), tokenizer)


@dataclass(frozen=True)
class Judged:
    """A step after right steps of a problem, and whether it is right."""

    problem: Problem
    index: int
    step: str
    right: bool


def chat(loaded: Loaded, message: str) -> str:
    """Render a user message up to where the model goes on."""
    messages = [{"role": "user", "content": message}]
    rendered: str = loaded.tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    return rendered


def prefix(loaded: Loaded, problem: Problem, count: int, guidance: str = "") -> str:
    """Render a problem with its first `count` reference steps."""
    steps = "".join(step + BLANK for step in problem.steps[:count])
    return chat(loaded, task_prompt(problem.kind, problem.question, guidance)) + steps


def _batches(loaded: Loaded, prompts: Sequence[str]) -> Iterator[tuple[list[int], Any]]:
    """The prompts by length, so that little is padded: their places, and what the model takes."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), LARGEST_BATCH):
        rows = order[start : start + LARGEST_BATCH]
        batch = loaded.tokenizer(
            [prompts[i] for i in rows],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            return_token_type_ids=False,
        )
        yield rows, batch


@torch.inference_mode()  # type: ignore[untyped-decorator]
def complete(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    longest: int,
    temperature: float = 0.0,
    seed: int = 0,
    stop: str | None = None,
) -> list[str]:
    """Continue every prompt, greedily at temperature 0; the end mark is cut off."""
    torch.manual_seed(seed)
    sampling: dict[str, Any] = {"do_sample": temperature > 0}
    if temperature > 0:
        sampling |= {"temperature": temperature, "top_p": 0.95, "top_k": 0}
    ends = [loaded.tokenizer.eos_token_id]
    ends += loaded.tokenizer.encode(stop, add_special_tokens=False) if stop else []
    texts = [""] * len(prompts)
    for rows, batch in _batches(loaded, prompts):
        out = loaded.model.generate(**batch, max_new_tokens=longest, eos_token_id=ends, **sampling)
        for i, ids in zip(rows, out[:, batch["input_ids"].shape[1] :], strict=True):
            texts[i] = loaded.tokenizer.decode(ids, skip_special_tokens=True)
    return texts


def answers(
    loaded: Loaded, problems: Sequence[Problem], *, temperature: float = 0.0, seed: int = 0
) -> list[str]:
    """Solve problems; gives each completion's whole text."""
    prompts = [prefix(loaded, problem, 0) for problem in problems]
    texts: list[str] = complete(
        loaded, prompts, longest=LONGEST_SOLUTION, temperature=temperature, seed=seed
    )
    return texts


def solved(problem: Problem, completion: str) -> bool:
    """Tell whether a completion closes its thinking and boxes the gold answer."""
    _, closed, answer = completion.partition(CLOSE)
    return bool(closed) and answer.strip() == problem.answer_step


def sampled_steps(
    loaded: Loaded,
    places: Sequence[tuple[Problem, int]],
    *,
    temperature: float,
    seed: int,
) -> list[str]:
    """Sample one step after the first `index` right steps of each problem."""
    prompts = [prefix(loaded, problem, index) for problem, index in places]
    texts = complete(
        loaded, prompts, longest=LONGEST_STEP, temperature=temperature, seed=seed, stop=BLANK
    )
    closing = [i for i, text in enumerate(texts) if text.startswith("</think>")]
    ends = complete(
        loaded,
        [prompts[i] + CLOSE for i in closing],
        longest=LONGEST_STEP,
        temperature=temperature,
        seed=seed,
    )
    for i, end in zip(closing, ends, strict=True):
        texts[i] = CLOSE + end
    return [text.removesuffix(BLANK) for text in texts]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def expected_digits(loaded: Loaded, judged: Sequence[Judged]) -> list[float]:
    """Ask the score question after each step; gives the mean digit under the model."""
    prompts = []
    for one in judged:
        text = one.step
        if text.startswith("\\boxed"):
            text = CLOSE + text
        before = prefix(loaded, one.problem, one.index)
        prompts.append(before + text + BLANK + score_prompt())
    digits = [loaded.tokenizer.encode(str(d), add_special_tokens=False)[0] for d in range(10)]
    found = [0.0] * len(prompts)
    for rows, batch in _batches(loaded, prompts):
        positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        logits = loaded.model(**batch, position_ids=positions, logits_to_keep=1).logits[:, -1]
        means = logits[:, digits].softmax(-1) @ torch.arange(10.0)
        for i, mean in zip(rows, means.tolist(), strict=True):
            found[i] = mean
    return found


def auroc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Probability that a right step scores above a wrong one; ties count half."""
    values = torch.tensor([*right, *wrong], dtype=torch.float64)
    _, places, counts = values.unique(sorted=True, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    ranks = ((ends - counts + 1 + ends) / 2)[places]
    positive: float = ranks[: len(right)].sum().item() - len(right) * (len(right) + 1) / 2
    return positive / (len(right) * len(wrong))


def altered_pairs(rng: random.Random, problems: Sequence[Problem]) -> list[Judged]:
    """Take each problem's every step, right and altered."""
    judged = []
    for problem in problems:
        steps = (*problem.steps, problem.answer_step)
        for index, step in enumerate(steps):
            judged.append(Judged(problem, index, step, right=True))
            judged.append(Judged(problem, index, wrong_step(rng, problem, index), right=False))
    return judged


def score_auroc(loaded: Loaded, judged: Sequence[Judged]) -> float:
    """AUROC of the expected digit over judged steps."""
    digits = expected_digits(loaded, judged)
    right = [d for d, one in zip(digits, judged, strict=True) if one.right]
    wrong = [d for d, one in zip(digits, judged, strict=True) if not one.right]
    return auroc(right, wrong)
