"""What an adapter costs: none, one that is computed beside the layers, and one that is merged.

    python benchmarks/adapters.py [--quick] [--model pocket-target] [--rank 8]

The adapter has weights for every linear layer of the model, in the layout of PEFT, and changes no
logit (its B is zero), so every way writes the same tokens: those of the pocket baseline's first
problems, one at a time and as 24 rows, in turn, several rounds in one program. Told are the median
seconds of wall and of processor time (which a GPU's own is no part of), and their shares of those
without an adapter. The last line printed is a JSON object. Exit code 1 where a token differs.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from report import print_result

from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment

REQUESTS, QUICK_REQUESTS = 24, 4
ROWS = (1, 24)
ROUNDS, QUICK_ROUNDS = 3, 1


def write_adapter(settings: EngineSettings, rank: int, folder: Path) -> None:
    """One of that rank for all linear layers, which changes nothing."""
    import torch  # noqa: PLC0415 - once the threads are said
    from torch import nn  # noqa: PLC0415 - same

    from pipeline.decoding.adapter import Adapter, Update  # noqa: PLC0415 - same
    from pipeline.decoding.adapter_files import write_peft  # noqa: PLC0415 - same
    from pipeline.engines.transformers.loading import load_model  # noqa: PLC0415 - same

    model = load_model(replace(with_model_folder(settings), devices="cpu"))
    updates = {
        name: Update(torch.ones(rank, one.in_features), torch.zeros(one.out_features, rank))
        for name, one in model.named_modules()
        if isinstance(one, nn.Linear) and "lm_head" not in name
    }
    write_peft(Adapter(updates), folder)


def main() -> None:
    """Measure in turn and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--rank", type=int, default=8)
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from transformers_rows import answer, requests  # noqa: PLC0415 - once the threads are said

    plain = EngineSettings("transformers", chosen.model)
    count = QUICK_REQUESTS if chosen.quick else REQUESTS
    asked = requests(Experiment("baseline", plain, problem_range=f"first:{count}"))
    result, equal = {}, True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "adapter"
        folder.mkdir()
        write_adapter(plain, chosen.rank, folder)
        beside = replace(plain, lora=str(folder))
        ways = {"none": plain, "beside": beside, "merged": replace(beside, merge_lora=True)}
        for rows in ROWS:
            seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
            tokens = {}
            for _ in range(QUICK_ROUNDS if chosen.quick else ROUNDS):
                for way, settings in ways.items():
                    one = replace(settings, max_num_seqs=rows)
                    tokens[way], *took = asyncio.run(answer(one, asked))
                    seconds[way].append((took[0], took[1]))
            wall, cpu = (
                {way: statistics.median(one[kind] for one in seconds[way]) for way in ways}
                for kind in (0, 1)
            )
            for way in ways:
                equal &= tokens[way] == tokens["none"]
                result[f"{way}, {rows} rows"] = {
                    "seconds": round(wall[way], 3),
                    "processor_seconds": round(cpu[way], 3),
                    "share_of_seconds": round(wall[way] / wall["none"], 2),
                    "share_of_processor_seconds": round(cpu[way] / cpu["none"], 2),
                    "tokens": sum(len(one or ()) for one in tokens[way]),
                }
                print(f"{way}, {rows} rows", result[f"{way}, {rows} rows"], flush=True)
    print_result("adapters", {"requests": count, "rank": chosen.rank, **result})
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
