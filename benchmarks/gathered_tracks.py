"""Tracks that share a prompt: gathered in one row, as separate rows, and by vLLM, on graded runs.

    python benchmarks/gathered_tracks.py [--quick] [--model pocket-target] [--dataset pocket-hard]
        [--problems N] [--tracks N] [--without-vllm]

`parallel` with `--track-prompts same` answers the same problems with the same seeds in each way, in
turn, one attempt at a time and then four, in one program. The runs are graded. Told are the correct
answers, the tracks with the very tokens of separate rows and the attempts that are graded
otherwise, new tokens a second, forwards that gave them, prompt tokens that were computed, and
seconds of wall and of processor time (which a GPU's own is no part of) from the first attempt to
the last. In float32 every track of the transformers engine must have the tokens of separate rows
(exit code 1). The last line printed is a JSON object.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from report import print_result

import pipeline
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import EngineSettings
from pipeline.engines.transformers.engine import TransformersEngine
from pipeline.experiment import Experiment
from pipeline.reasoners.settings import TrackSettings
from pipeline.runs.scheduler import Progress

PROBLEMS, QUICK_PROBLEMS = 24, 3
TRACKS = 8
TOGETHER = (1, 4)
"""Attempts in flight."""
TOKEN_BUDGET = 512


class Stopwatch:
    """A progress display that only keeps what passed between the first attempt and the last."""

    seconds = processor_seconds = 0.0
    generated = 0

    @contextlib.contextmanager
    def __call__(self, progress: Progress) -> Iterator[None]:
        """Keep the clocks and the count when the attempts have ended."""
        began = time.process_time()
        yield
        self.processor_seconds = time.process_time() - began
        self.seconds, self.generated = progress.seconds, progress.generated or 0


@contextlib.contextmanager
def counted() -> Iterator[list[Any]]:
    """The steppers that transformers engines make meanwhile; their counts are told nowhere else."""
    load, found = TransformersEngine.load, list[Any]()

    def noting(engine: TransformersEngine, facts: ModelFacts) -> Any:
        found.append(load(engine, facts))
        return found[-1]

    with mock.patch.object(TransformersEngine, "load", noting):
        yield found


def measured(experiment: Experiment, run: Path) -> dict[str, Any]:
    """Run and grade; what it took, and the tokens and the verdict of each attempt."""
    watch = Stopwatch()
    with counted() as steppers:
        summary = pipeline.run(experiment, run, display=watch)
    if summary.failed:
        sys.exit(f"{summary.failed} attempts failed; their records in {run} say why")
    pipeline.grade_run(run)
    lines = (run / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    verdicts = {row["problem_id"]: row for row in map(json.loads, lines)}
    read = sum(row["usage"]["target"]["plain"]["prompt_new"] for row in verdicts.values())
    texts = {}
    for file in (run / "problems").glob("*.jsonl"):
        attempt = json.loads(file.read_text(encoding="utf-8"))
        texts[attempt["problem_id"]] = [
            [step["text"] for step in track["steps"]] for track in attempt["tracks"]
        ]
    return {
        "correct": sum(row["verdict"] == "correct" for row in verdicts.values()),
        "tokens_a_second": round(watch.generated / watch.seconds, 1),
        "generated": watch.generated,
        "forwards": sum(one.counts.forwards for one in steppers) if steppers else None,
        "prompt_tokens_computed": read,
        "seconds": round(watch.seconds, 2),
        "processor_seconds": round(watch.processor_seconds, 2),
        "texts": texts,
        "verdicts": {name: row["verdict"] for name, row in verdicts.items()},
    }


def against(one: dict[str, Any], rows: dict[str, Any]) -> dict[str, Any]:
    """The figures, paired with those of separate rows on the same problems."""
    pairs = [
        (mine, theirs)
        for name, tracks in one["texts"].items()
        for mine, theirs in zip(tracks, rows["texts"][name], strict=True)
    ]
    return {
        **{name: value for name, value in one.items() if name not in {"texts", "verdicts"}},
        "tracks": len(pairs),
        "equal_to_rows": sum(mine == theirs for mine, theirs in pairs),
        "graded_otherwise": sum(
            verdict != rows["verdicts"][name] for name, verdict in one["verdicts"].items()
        ),
        "share_of_rows_processor_seconds": round(
            one["processor_seconds"] / rows["processor_seconds"], 2
        ),
    }


def main() -> None:
    """Run, grade, pair, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--dataset", default="pocket-hard")
    arguments.add_argument("--problems", type=int)
    arguments.add_argument("--tracks", type=int, default=TRACKS)
    arguments.add_argument("--token-budget", type=int, default=TOKEN_BUDGET)
    arguments.add_argument("--without-vllm", action="store_true")
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    found: dict[str, dict[str, Any]] = {}
    for together in TOGETHER[:1] if chosen.quick else TOGETHER:
        rows = EngineSettings(
            "transformers", chosen.model, max_num_seqs=together * chosen.tracks, dtype="float32"
        )
        ways = {"rows": rows, "gathered": replace(rows, gather="branches")}
        if not chosen.without_vllm:
            ways["vllm"] = replace(rows, engine="vllm")
        base = Experiment(
            "parallel",
            rows,
            dataset=chosen.dataset,
            problem_range=f"first:{problems}",
            token_budget=chosen.token_budget,
            concurrency=together,
            sections=(TrackSettings(tracks=chosen.tracks, prompts="same"),),
        )
        results = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, target in ways.items():
                warm = replace(base, target=target, problem_range="first:1")
                measured(warm, Path(folder) / f"warm-{name}")
                results[name] = measured(replace(base, target=target), Path(folder) / name)
        for name, one in results.items():
            label = f"{name}, {together} in flight"
            found[label] = against(one, results["rows"])
            print(label, found[label], flush=True)
    print_result("gathered_tracks", {"problems": problems, "tracks": chosen.tracks, **found})
    unequal = any(
        one["equal_to_rows"] < one["tracks"]
        for name, one in found.items()
        if not name.startswith("vllm")
    )
    sys.exit(1 if unequal else 0)


if __name__ == "__main__":
    main()
