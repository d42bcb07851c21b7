# ruff: noqa: PLR2004 - shares of a drawn mixture read best where they are drawn
"""Train one model of the pocket pair: `python -m pipeline.pocket.train --size target ...`.

The schedule goes by steps: warm-up, a constant rate to 60 %, then a linear decay to 3 %. Problems
are short at first and grow. The size, seed, steps, workers and mined files fix what is learned;
a resumed run goes on from `training.pt` with problems of its own.
"""

import argparse
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing
from torch.nn import functional

from pipeline.pocket.arguments import file, made_folder, whole
from pipeline.pocket.measure import Loaded, altered_pairs, answers, score_auroc, solved
from pipeline.pocket.mining import Mined, read_mined
from pipeline.pocket.model import Shape, TinyQwen3, bf16_is_fast, save_model
from pipeline.pocket.optimizer import make_optimizers
from pipeline.pocket.problems import KINDS, Difficulty, Kind, make_problem
from pipeline.pocket.schedule import (
    LONG,
    RATE,
    difficulty_at,
    method_share_at,
    rate_at,
    score_share_at,
)
from pipeline.pocket.sequences import SCORING, SOLVING, Layout, Row, collate
from pipeline.pocket.tokenizer import build_tokenizer, save_tokenizer

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What a model of one size is and what it is trained on.

    The target meets more of what it is asked for: fractions, operands of two digits, long chains.
    `wrong_weight` is the weight of a wrong step's digit, beside 1 for a right one's: in doubt,
    score low.
    """

    width: int
    layers: int
    inner: int
    kinds: tuple[Kind, ...]
    long_share: float
    two_digit_operands: float
    wrong_weight: float


RECIPES = {
    "draft": Recipe(128, 3, 256, KINDS, long_share=0.10, two_digit_operands=0.10, wrong_weight=8.0),
    "target": Recipe(
        192, 6, 384, (*KINDS, "latex"), long_share=0.20, two_digit_operands=0.25, wrong_weight=24.0
    ),
}
BATCH_TOKENS = 2400  # of one worker
REPORT_STEPS = 20
POOL = 256  # sequences drawn at a time and sorted by length
MINED_SHARE = 0.35
SCORE_WEIGHT = 0.8  # beside 1 for solving
AVERAGE = 0.995  # of the running mean of weights that is saved
SAVE_SECONDS = 120.0
EVALUATE_SECONDS = 300.0


@dataclass(frozen=True)
class Settings:
    """What one training run is."""

    size: str
    output: Path
    steps: int
    seed: int
    resume: bool
    mined: tuple[Path, ...]
    workers: int


@dataclass
class Progress:
    """How far a run is; saved and resumed."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def draw(
    rng: random.Random, recipe: Recipe, layout: Layout, progress: float, mined: Sequence[Mined]
) -> Row:
    """Draw one training sequence."""
    kind = rng.choice(recipe.kinds)
    share = score_share_at(progress)
    if mined and progress > 0.15 and rng.random() < MINED_SHARE:
        one = rng.choice(mined)
        return layout.solution(rng, one.problem, score_share=0.9, mistakes=one.mistakes)
    difficulty = difficulty_at(progress)
    if progress > 0.2:
        difficulty = LONG if rng.random() < recipe.long_share else difficulty
        difficulty = replace(difficulty, two_digit_operands=recipe.two_digit_operands)
    problem = make_problem(rng, kind, difficulty, "training")
    if rng.random() < method_share_at(progress):
        return layout.methods(rng, problem)
    nothing: Mapping[int, Sequence[str]] = {}
    return layout.solution(rng, problem, score_share=share, mistakes=nothing)


def batches(rows: list[Row], rng: random.Random) -> Iterator[list[Row]]:
    """Cut sequences of like length into batches of about BATCH_TOKENS tokens."""
    rows = sorted(rows, key=lambda row: len(row.ids))
    cut: list[list[Row]] = [[]]
    for row in rows:
        if (len(cut[-1]) + 1) * len(row.ids) > BATCH_TOKENS and cut[-1]:
            cut.append([])
        cut[-1].append(row)
    rng.shuffle(cut)
    yield from cut


class Trainer:
    """One worker of a run: model, optimizers, running mean, progress.

    Workers draw different problems and average their gradients, so that all stay equal. One
    thread each is much faster than threads in one process where other programs take turns.
    """

    def __init__(self, settings: Settings, worker: int) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.worker = worker
        self.tokenizer = build_tokenizer()
        self.layout = Layout(self.tokenizer)
        self.recipe = recipe = RECIPES[settings.size]
        shape = Shape(recipe.width, recipe.layers, recipe.inner, len(self.tokenizer))
        self.model = TinyQwen3(shape)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.optimizers = make_optimizers(self.model, RATE)
        self.progress = Progress()
        self.mined = [one for path in settings.mined for one in read_mined(path)]
        if settings.resume:
            self._restore()
        start = f"{settings.seed} {worker} {self.progress.step}"
        self.rng = random.Random(start)  # noqa: S311 - reproducible, no secret

    @property
    def share(self) -> float:
        """Share of the steps that are done."""
        return self.progress.step / self.settings.steps

    def run(self) -> None:
        """Train to the last step; the first worker saves and measures on the way."""
        saved = measured = self.progress.seconds
        losses = []
        stream = self._stream()
        while self.share < 1:
            losses.append(self._step(next(stream)))
            if self.worker or len(losses) < REPORT_STEPS:
                continue
            mean = torch.tensor(losses).nanmean(0).tolist()
            losses.clear()
            self._report(solving=round(mean[0], 4), scoring=round(mean[1], 4))
            if self.progress.seconds - saved > SAVE_SECONDS:
                self.save()
                saved = self.progress.seconds
            if self.progress.seconds - measured > EVALUATE_SECONDS:
                self.measure()
                measured = self.progress.seconds
        if not self.worker:
            self.save()

    def _stream(self) -> Iterator[list[Row]]:
        while True:
            rows = [
                draw(self.rng, self.recipe, self.layout, self.share, self.mined)
                for _ in range(POOL)
            ]
            yield from batches(rows, self.rng)

    def _step(self, rows: list[Row]) -> tuple[float, float]:
        started = time.monotonic()
        batch = collate(rows, self.tokenizer.pad_token_id)
        wanted = batch.roles > 0
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_is_fast()):
            logits = self.model(batch.ids, batch.positions, batch.mask, wanted)
        each = functional.cross_entropy(logits.float(), batch.targets[wanted], reduction="none")
        roles = batch.roles[wanted]
        solving = each[roles == SOLVING].mean()
        wrong = batch.targets[wanted] == self.layout.wrong_digit
        weights = (1 + (self.recipe.wrong_weight - 1) * wrong) * (roles == SCORING)
        scoring = (each * weights).sum() / weights.sum()
        # A batch may ask no score question: the mean of nothing is not a number.
        total = solving if scoring.isnan() else solving + SCORE_WEIGHT * scoring
        total.backward()
        self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        rate = rate_at(self.progress.step, self.share)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
        state = self.model.state_dict()
        keep = min(AVERAGE, self.progress.step / (self.progress.step + 10))
        with torch.no_grad():
            for name, value in self.average.items():
                value.lerp_(state[name], 1 - keep)
        self.progress.step += 1
        tokens = int((batch.ids != self.tokenizer.pad_token_id).sum())
        self.progress.tokens += tokens * self.settings.workers
        self.progress.seconds += time.monotonic() - started
        return solving.item(), scoring.item()

    def _share_gradients(self) -> None:
        if self.settings.workers == 1:
            return
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.settings.workers
        for gradient, part in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))

    def _report(self, **values: Any) -> None:
        done = vars(self.progress) | {"seconds": round(self.progress.seconds, 1)}
        line = json.dumps(done | values)
        _log.info("%s", line)
        with (self.settings.output / "training.jsonl").open("a") as log:
            log.write(line + "\n")

    def save(self) -> None:
        """Write the running mean as a checkpoint and the whole state for resuming."""
        folder = self.settings.output
        save_model(self.model, self.average, folder)
        save_tokenizer(folder)
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": vars(self.progress),
        }
        torch.save(state, folder / "training.tmp")
        (folder / "training.tmp").replace(folder / "training.pt")

    def _restore(self) -> None:
        # Our own file, but it may have been fetched from elsewhere: tensors and plain data only.
        state = torch.load(self.settings.output / "training.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def measure(self) -> None:
        """Measure the saved checkpoint on validation problems."""
        loaded = Loaded.from_folder(self.settings.output)
        rng = random.Random(1)  # noqa: S311 - the same problems every time
        problems = {k: [make_problem(rng, k, Difficulty(), "validation") for _ in range(40)]
                    for k in KINDS}  # fmt: skip
        found = {}
        for kind, some in problems.items():
            right = sum(map(solved, some, answers(loaded, some)))
            found[kind] = right / len(some)
        judged = altered_pairs(rng, [p for some in problems.values() for p in some[:14]])
        self._report(validation=found, auroc=round(score_auroc(loaded, judged), 4))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="pipeline.pocket.train", description=__doc__)
    parser.add_argument("--size", choices=sorted(RECIPES), required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=whole(1), required=True, help="optimizer steps in all")
    parser.add_argument("--seed", type=whole(0), default=0)
    parser.add_argument(
        "--workers", type=whole(1, 512), default=2, help="processes of one thread each"
    )
    parser.add_argument("--resume", action="store_true", help="go on from OUTPUT/training.pt")
    parser.add_argument(
        "--mined", type=file, nargs="*", default=(), help="wrong steps of the draft, from mining"
    )
    args = parser.parse_args(arguments)
    made_folder(parser, args.output)
    if args.resume and not (args.output / "training.pt").is_file():
        parser.error(f"there is nothing to go on from: {args.output} has no training.pt")
    settings = Settings(**vars(args) | {"mined": tuple(args.mined)})
    # A terminated launcher must end its workers: daemons die in an orderly exit only.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    multiprocessing.spawn(_work, (settings,), nprocs=args.workers, daemon=True)


def _work(worker: int, settings: Settings) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    torch.set_num_threads(1)
    if settings.workers > 1:
        # The launcher's process id keeps the meeting place of a killed run apart.
        store = settings.output.absolute() / f"workers.{os.getppid()}"
        distributed.init_process_group(
            "gloo", init_method=f"file://{store}", rank=worker, world_size=settings.workers
        )
    trainer = Trainer(settings, worker)
    trainer.run()
    if not worker:
        trainer.measure()
    if settings.workers > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
