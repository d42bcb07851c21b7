r"""Train adapters for columnar branches: `python -m pipeline.pocket.columns --output FOLDER`.

Each training sequence is a group of problems whose solutions are written column by column, as
`--decoding branches --branch-mode columnar --align-to right` writes them; a group has one, two,
four or eight of them. The target stays as it is; an adapter of its square layers learns to keep
branches apart. Then the share of solved problems is measured for groups of each size.

`--ratio` and `--index` may have several values, which are compared.
"""

import argparse
import json
import logging
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from pipeline.decoding.adapter import Adapter, attach
from pipeline.decoding.adapter_files import write_pth
from pipeline.decoding.branches import Branches
from pipeline.decoding.iterative import GreedyText
from pipeline.decoding.layout import COLUMNAR, RIGHT, Layout, Token, in_order
from pipeline.decoding.rope2d import Rope2D, two_dimensions
from pipeline.decoding.visibility import added_mask, columns_seen
from pipeline.pocket.adapter import EASY, RANK, begun
from pipeline.pocket.arguments import device, made_folder, multiple, share, whole
from pipeline.pocket.measure import Loaded, prefix, solved
from pipeline.pocket.problems import KINDS, Problem, make_problem
from pipeline.pocket.sequences import IGNORED, SOLVING, Row
from pipeline.pocket.sequences import Layout as Problems
from pipeline.resources import pocket_dir

SIZES = (1, 2, 4, 8)
"""Branches in a group; a step of training has as many problems whatever their number."""
PROBLEMS = 8
"""Of a step of training."""
RATE, STRIDE = 3e-3, 128
INDICES = ("time", "flat")
LONGEST = 160
"""New tokens of an answer."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """Solutions as branches of one sequence: tensors with a number for each of its tokens."""

    ids: torch.Tensor
    branches: torch.Tensor
    times: torch.Tensor
    targets: torch.Tensor
    roles: torch.Tensor
    seen: torch.Tensor

    @classmethod
    def of(cls, rows: Sequence[Row], layout: Layout, length: int) -> "Group":
        """The rows, whose prompts end in one column, filled up with tokens that nobody sees."""
        prompts = [row.roles.index(SOLVING) + 1 for row in rows]
        starts = layout.starts(prompts, 0)
        tokens = in_order(
            [
                Token(branch, start + at, at, token)
                for branch, (row, start) in enumerate(zip(rows, starts, strict=True))
                for at, token in enumerate(row.ids)
            ],
            interleaved=True,
        )
        rest = length - len(tokens)

        def column(values: list[int], fill: int = 0) -> torch.Tensor:
            return torch.tensor([*values, *[fill] * rest])

        branches = torch.tensor([one.branch for one in tokens])
        times = torch.tensor([one.time for one in tokens])
        seen = torch.eye(length, dtype=torch.bool)
        seen[: len(tokens), : len(tokens)] = columns_seen(times, len(tokens))
        return cls(
            column([one.token_id for one in tokens]),
            column(branches.tolist()),
            column(times.tolist()),
            column([rows[one.branch].targets[one.row] for one in tokens]),
            column([rows[one.branch].roles[one.row] for one in tokens], IGNORED),
            seen,
        )

    def to(self, device: torch.device) -> "Group":
        """The same on another device."""
        parts = (self.ids, self.branches, self.times, self.targets, self.roles, self.seen)
        return Group(*(part.to(device) for part in parts))


@dataclass(frozen=True)
class Variant:
    """What is compared: the share of pairs with two dimensions, and where the others turn by."""

    ratio: float
    index: str

    @property
    def layout(self) -> Layout:
        """How the branches lie."""
        return Layout(COLUMNAR, stride=STRIDE, align=RIGHT, flat_index=self.index == "flat")


def train(
    loaded: Loaded, variant: Variant, steps: int, seed: int, problems: int = PROBLEMS
) -> Adapter:
    """An adapter of the square layers, begun at zero, after so many steps of Adam.

    A step has as many `problems`, a multiple of the largest group.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
    model = loaded.model.requires_grad_(False)
    adapter = begun(model, RANK)
    weights = [half for one in adapter.updates.values() for half in (one.a, one.b)]
    optimizer = torch.optim.Adam(weights, lr=RATE)
    texts = Problems(loaded.tokenizer)
    detach = attach(model, adapter)
    with two_dimensions(model, variant.ratio) as rope:
        for number in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 - number / steps)
            rows = _rows(texts, rng, problems)
            loss = _loss(model, rope, variant, rows, rng.choice(SIZES))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if number % 50 == 0 or number == steps - 1:
                _log.info("%s, step %d, loss %.4f", variant, number + 1, loss.item())
    detach()
    return adapter


def _rows(texts: Problems, rng: random.Random, count: int) -> list[Row]:
    drawn = (make_problem(rng, rng.choice(KINDS), EASY, "training") for _ in range(count))
    return [texts.solution(rng, one, score_share=0, mistakes={}) for one in drawn]


def _loss(model: Any, rope: Rope2D, variant: Variant, rows: Sequence[Row], size: int) -> Any:
    """The mean loss of the solutions' tokens, in groups of `size`."""
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    length = max(sum(len(row.ids) for row in part) for part in parts)
    groups = [Group.of(part, variant.layout, length).to(model.device) for part in parts]
    logits = logits_of(model, rope, variant, groups)
    wanted = torch.stack([group.roles for group in groups]) == SOLVING
    targets = torch.stack([group.targets for group in groups])
    return functional.cross_entropy(logits[wanted], targets[wanted])


def logits_of(model: Any, rope: Rope2D, variant: Variant, groups: Sequence[Group]) -> Any:
    """The logits after each token of groups of one length, (groups, tokens, vocabulary)."""
    times = torch.stack([group.times for group in groups])
    rope.place(torch.stack([group.branches for group in groups]) * STRIDE, times)
    flat = torch.arange(times.shape[1], device=times.device).expand_as(times)
    return model(
        input_ids=torch.stack([group.ids for group in groups]),
        position_ids=flat if variant.index == "flat" else times,
        attention_mask=torch.cat([added_mask(group.seen, torch.float32) for group in groups]),
    ).logits


def validation(count: int) -> list[Problem]:
    """The same problems every time, none of them in training."""
    rng = random.Random(1)  # noqa: S311 - the same every time
    return [make_problem(rng, KINDS[n % len(KINDS)], EASY, "validation") for n in range(count)]


def share_solved(
    loaded: Loaded, problems: Sequence[Problem], size: int, layout: Layout, rope: Rope2D | None
) -> float:
    """The share that is solved greedily, in groups of `size`."""
    prompts = [
        loaded.tokenizer.encode(prefix(loaded, problem, 0), add_special_tokens=False)
        for problem in problems
    ]
    end, right = loaded.tokenizer.eos_token_id, 0
    for start in range(0, len(prompts), size):
        texts = [GreedyText(prompt, LONGEST, [end]) for prompt in map(list, prompts[start:][:size])]
        write(Branches(loaded.model, layout, rope), texts)
        for problem, prompt, text in zip(problems[start:], prompts[start:], texts, strict=False):
            said = loaded.tokenizer.decode(text.token_ids[len(prompt) :], skip_special_tokens=True)
            right += solved(problem, said)
    return right / len(problems)


def write(branches: Branches, texts: Sequence[GreedyText]) -> None:
    """Write texts to their ends, as the branches of one sequence."""
    going = [*texts]
    with torch.inference_mode():
        after = branches.begin([text.token_ids for text in texts])
        while going:
            for text, logits in zip(going, after, strict=True):
                text.grow(logits)
            for row in reversed(range(len(going))):
                if going[row].room == 0:
                    branches.leave(row)
                    going[row] = going[-1]
                    going.pop()
            if going:
                after = branches.forward([text.token_ids[-1:] for text in going])[:, 0]


def solutions(count: int) -> list[Row]:
    """Right solutions of the validation problems."""
    loaded = Loaded.from_folder(pocket_dir() / "target")
    problems, rng = Problems(loaded.tokenizer), random.Random(1)  # noqa: S311 - as above
    return [problems.solution(rng, one, score_share=0, mistakes={}) for one in validation(count)]


def log_probabilities(
    model: Any, rows: Sequence[Row], size: int, layout: Layout, rope: Rope2D | None
) -> float:
    """The mean log-probability of the solutions' tokens, in groups of `size`."""
    found: list[float] = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        ends = [row.roles.index(SOLVING) + 1 for row in part]
        branches = Branches(model, layout, rope)
        with torch.inference_mode():
            after = branches.begin([row.ids[:end] for row, end in zip(part, ends, strict=True)])
            going = list(range(len(part)))
            for place in range(max(len(row.ids) for row in part)):
                for logits, one in zip(after, going, strict=True):
                    target = part[one].targets[ends[one] - 1 + place]
                    found.append(float(torch.log_softmax(logits.float(), -1)[target]))
                for row in reversed(range(len(going))):
                    if ends[going[row]] + place >= len(part[going[row]].ids):
                        branches.leave(row)
                        going[row] = going[-1]
                        going.pop()
                if not going:
                    break
                fed = [[part[one].ids[ends[one] + place]] for one in going]
                after = branches.forward(fed)[:, 0]
    return sum(found) / len(found)


def compared(loaded: Loaded, variant: Variant, adapter: Adapter, count: int) -> dict[int, float]:
    """The share of solved problems by the size of groups, with the adapter."""
    detach = attach(loaded.model, adapter)
    problems = validation(count)
    with two_dimensions(loaded.model, variant.ratio) as rope:
        found = {size: share_solved(loaded, problems, size, variant.layout, rope) for size in SIZES}
    detach()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure each variant; one line of JSON each."""
    parser = argparse.ArgumentParser(prog="pipeline.pocket.columns", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the adapters")
    parser.add_argument("--ratio", type=share, nargs="+", default=[0.5])
    parser.add_argument("--index", choices=INDICES, nargs="+", default=["time"])
    parser.add_argument("--steps", type=whole(1), default=300)
    largest = multiple(max(SIZES))
    parser.add_argument("--step-problems", type=largest, default=PROBLEMS, help="of each step")
    parser.add_argument(
        "--device", type=device, default="cpu", help="to train on; measured on the CPU"
    )
    parser.add_argument("--problems", type=largest, default=96, help="how many are measured")
    parser.add_argument("--seed", type=whole(0), default=0)
    args = parser.parse_args(arguments)
    made_folder(parser, args.output)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    torch.set_num_threads(1)
    for ratio, index in product(args.ratio, args.index):
        variant, loaded = Variant(ratio, index), Loaded.from_folder(pocket_dir() / "target")
        began = time.process_time()
        loaded.model.to(args.device)
        adapter = train(loaded, variant, args.steps, args.seed, args.step_problems)
        # Single tokens of so small a model are faster there.
        loaded.model.to("cpu")
        adapter = adapter.to("cpu")
        seconds = time.process_time() - began
        write_pth(adapter, args.output / f"columns-{ratio:g}-{index}.pth")
        found = compared(loaded, variant, adapter, args.problems)
        told = {
            "ratio": ratio,
            "index": index,
            "steps": args.steps,
            "step_problems": args.step_problems,
            "device": args.device,
            "processor_seconds": round(seconds),
            "problems": args.problems,
            "solved": found,
        }
        _log.info("%s", json.dumps(told))


if __name__ == "__main__":
    main()
