r"""Train a small adapter for the target: `python -m pipeline.pocket.adapter --output FILE.pth`.

With it the target says its answer twice, "\boxed{12}, \boxed{12}", and reasons as before: what an
adapter does can be seen at a glance, and is learned within seconds.
"""

import argparse
import logging
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from pipeline.decoding.adapter import Adapter, Update, attach
from pipeline.decoding.adapter_files import write_pth
from pipeline.pocket.arguments import new_file, whole
from pipeline.pocket.measure import Loaded
from pipeline.pocket.problems import KINDS, Difficulty, Problem, make_problem
from pipeline.pocket.sequences import SOLVING, Layout, Row, collate
from pipeline.resources import pocket_dir

RANK, STEPS, ROWS, RATE = 8, 30, 8, 1e-2
EASY = Difficulty(shortest=2, longest=4)
_log = logging.getLogger(__name__)


def train(steps: int, rank: int, seed: int) -> Adapter:
    """An adapter of the target's square layers, all begun at zero, after some steps of Adam."""
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
    loaded = Loaded.from_folder(pocket_dir() / "target")
    model = loaded.model.requires_grad_(False)
    adapter = begun(model, rank)
    weights = [half for update in adapter.updates.values() for half in (update.a, update.b)]
    optimizer = torch.optim.Adam(weights, lr=RATE)
    layout, pad = Layout(loaded.tokenizer), loaded.tokenizer.pad_token_id
    detach = attach(model, adapter)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        batch = collate([_row(layout, rng) for _ in range(ROWS)], pad)
        logits = model(input_ids=batch.ids).logits
        wanted = batch.roles == SOLVING
        loss = functional.cross_entropy(logits[wanted], batch.targets[wanted])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        _log.info("step %d, loss %.4f", step + 1, loss.item())
    detach()
    return adapter


def begun(model: Any, rank: int) -> Adapter:
    """B is zero, so that the model begins unchanged; drawn on the CPU, so alike on every device."""
    square = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer.in_features == layer.out_features
    }
    return Adapter(
        {
            name: Update(
                _trained(torch.randn(rank, layer.in_features) / layer.in_features**0.5, layer),
                _trained(torch.zeros(layer.out_features, rank), layer),
            )
            for name, layer in square.items()
        }
    )


def _trained(values: torch.Tensor, layer: nn.Linear) -> nn.Parameter:
    return nn.Parameter(values.to(layer.weight.device))


def _row(layout: Layout, rng: random.Random) -> Row:
    problem = make_problem(rng, rng.choice(KINDS), EASY, "training")
    return layout.solution(
        rng, replace(problem, answer_step=twice(problem)), score_share=0, mistakes={}
    )


def twice(problem: Problem) -> str:
    """How the target ends its answer with the adapter."""
    return f"{problem.answer_step}, {problem.answer_step}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(prog="pipeline.pocket.adapter", description=__doc__)
    parser.add_argument("--output", type=new_file, required=True, help="the .pth to write")
    parser.add_argument("--steps", type=whole(1), default=STEPS)
    parser.add_argument("--rank", type=whole(1, 512), default=RANK)
    parser.add_argument("--seed", type=whole(0), default=0)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    torch.set_num_threads(1)
    write_pth(train(args.steps, args.rank, args.seed), args.output)


if __name__ == "__main__":
    main()
