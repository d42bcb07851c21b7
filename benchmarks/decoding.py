"""Windows of guessed tokens against token by token: what each proposer and window saves and costs.

    python benchmarks/decoding.py [--quick] [--model pocket-target] [--assistant pocket-draft]
        [--layers N] [--problems N] [--dtype float32] [--proposer lookup]

Single requests of the pocket baseline, greedy and sampled, one after another in one program: plain,
then every proposer with several windows. Told are tokens a forward of the target (reading prompts
apart), tokens computed for each one written, the assistant's own forwards, the processor time and
that of the wall, the assistant's included, and how many of the texts have the very tokens of plain.

`--layers` gives the target so many: those that it does not have add nothing, so it writes what it
wrote, as slowly as a larger model beside the same assistant. With `--dtype bfloat16` tokens may
differ; then the first difference is told, with the gap between the two tokens' log-probabilities.
The last line printed is a JSON object. Exit code 1 where a token differs in float32.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from report import print_result

from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.settings import EngineSettings
from pipeline.experiment import Experiment

PROBLEMS, QUICK_PROBLEMS, WARM_UP = 50, 8, 3
SAMPLINGS = {
    "greedy": (0.0, 1.0, 0),
    "T=0.6, top-p 0.95": (0.6, 0.95, 0),
    "T=1, top-p 0.9, top-k 20": (1.0, 0.9, 20),
}
"""Temperature, top-p and top-k."""
PLAIN = ("plain", 1)
WAYS = (
    PLAIN,
    ("lookup", 4),
    ("lookup", 8),
    ("assistant", 5),
    ("assistant", 9),
    ("assistant", 13),
    ("end-block", 8),
    ("recycled", 8),
)
"""Who proposes, and tokens in a window."""
Asked = list[tuple[list[int], SamplingRequest]]


@dataclass
class Measured:
    """One way with one sampling."""

    tokens: list[tuple[int, ...]]
    seconds: float
    wall: float
    forwards: int
    computed: int
    committed: int
    assistant_forwards: int
    assistant_computed: int

    def told(self, plain: "Measured") -> dict[str, Any]:
        """The figures that are printed."""
        return {
            "equal_to_plain": sum(a == b for a, b in zip(self.tokens, plain.tokens, strict=True)),
            "written": self.committed,
            "tokens_a_forward": round(self.committed / self.forwards, 2),
            "computed_for_each_written": round(self.computed / self.committed, 2),
            "assistant_forwards": self.assistant_forwards,
            "assistant_computed": self.assistant_computed,
            "processor_seconds": round(self.seconds, 3),
            "wall_seconds": round(self.wall, 3),
            "times_as_fast_as_plain": round(plain.seconds / self.seconds, 2),
            "by_the_wall": round(plain.wall / self.wall, 2),
        }


def settings_of(proposer: str, window: int, chosen: argparse.Namespace) -> EngineSettings:
    """The engine that writes in that way."""
    plain = EngineSettings("transformers", chosen.model, dtype=chosen.dtype)
    if proposer == "plain":
        return with_model_folder(plain)
    assistant = chosen.assistant if proposer == "assistant" else None
    return with_model_folder(
        replace(
            plain, decoding="window", proposer=proposer, window=window, assistant_model=assistant
        )
    )


def measure(stepper: Any, asked: Asked) -> Measured:
    """Answer all requests, each alone."""
    from pipeline.engines.transformers.requests import Job  # noqa: PLC0415 - imports torch

    helper, before, jobs = stepper.proposer, replace(stepper.counts), []
    assisted = getattr(helper, "forwards", 0), getattr(helper, "computed", 0)
    began, wall = time.process_time(), time.perf_counter()
    for prompt, sampling in asked:
        jobs.append(Job(prompt, sampling, sampling.max_tokens))
        stepper.add(jobs[-1])
    while stepper.busy:
        stepper.step()
    seconds, wall = time.process_time() - began, time.perf_counter() - wall
    counts = stepper.counts
    return Measured(
        tokens=[job.answer.result(0).token_ids for job in jobs],
        seconds=seconds,
        wall=wall,
        forwards=counts.forwards - before.forwards,
        computed=counts.computed - before.computed,
        committed=counts.committed - before.committed,
        assistant_forwards=getattr(helper, "forwards", 0) - assisted[0],
        assistant_computed=getattr(helper, "computed", 0) - assisted[1],
    )


def deepened(name: str, layers: int, folder: Path) -> str:
    """A model that has so many layers and writes what this one does: a copy in `folder`."""
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - slow

    plain = with_model_folder(EngineSettings("transformers", name)).model
    shutil.copytree(plain, folder)
    own = AutoModelForCausalLM.from_pretrained(plain)
    first = own.config.num_hidden_layers
    own.config.num_hidden_layers = layers
    # Some architectures name the kind of each.
    kinds = getattr(own.config, "layer_types", None)
    if kinds:
        own.config.layer_types = [kinds[0]] * layers
    deep = AutoModelForCausalLM.from_config(own.config)
    deep.load_state_dict(own.state_dict(), strict=False)
    for layer in deep.model.layers[first:]:
        layer.self_attn.o_proj.weight.data.zero_()
        layer.mlp.down_proj.weight.data.zero_()
    deep.save_pretrained(folder)
    return str(folder)


def first_difference(model: Any, asked: Asked, one: Measured, other: Measured) -> Any:
    """Where a text first differs, and how far apart the model itself rates the two tokens."""
    import torch  # noqa: PLC0415 - slow

    for (prompt, _), plain, window in zip(asked, one.tokens, other.tokens, strict=True):
        for place, (a, b) in enumerate(zip(plain, window, strict=False)):
            if a == b:
                continue
            text = torch.tensor([[*prompt, *plain[:place]]], device=model.device)
            with torch.inference_mode():
                rated = torch.log_softmax(model(input_ids=text).logits[0, -1].float(), -1)
            return {"token": place, "gap": round(float(rated[a] - rated[b]), 4)}
    return None


def main() -> None:
    """Take the options."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--model", default="pocket-target")
    arguments.add_argument("--assistant", default="pocket-draft")
    arguments.add_argument("--dtype", default="auto")
    arguments.add_argument("--layers", type=int, help="of the target, more than it has")
    arguments.add_argument("--problems", type=int, help="another number of problems")
    known = sorted({name for name, _ in WAYS} - {"plain"})
    arguments.add_argument("--proposer", choices=known, action="append", help="only plain and this")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.layers is not None:
            chosen.model = deepened(chosen.model, chosen.layers, Path(folder) / "deep")
        compare(chosen)


def compare(chosen: argparse.Namespace) -> None:
    """Measure in turn and print."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from transformers_rows import requests  # noqa: PLC0415 - once the threads are said

    from pipeline.engines.facts import read_facts  # noqa: PLC0415 - imports torch
    from pipeline.engines.transformers.engine import TransformersEngine  # noqa: PLC0415 - same

    problems = chosen.problems or (QUICK_PROBLEMS if chosen.quick else PROBLEMS)
    experiment = Experiment(
        reasoner="baseline",
        target=settings_of(*PLAIN, chosen),
        problem_range=f"first:{problems + WARM_UP}",
    )
    asked, result, differs = requests(experiment), {}, False
    for sampling, (temperature, top_p, top_k) in SAMPLINGS.items():
        ours = [
            (prompt, replace(one, temperature=temperature, top_p=top_p, top_k=top_k))
            for prompt, one in asked
        ]
        told, plain = {}, None
        for proposer, window in WAYS:
            if chosen.proposer and proposer not in {"plain", *chosen.proposer}:
                continue
            settings = settings_of(proposer, window, chosen)
            stepper = TransformersEngine(settings).load(read_facts(settings))
            # The first passes of an engine take longer: a GPU's are captured as graphs.
            measure(stepper, ours[problems:])
            one = measure(stepper, ours[:problems])
            plain = plain or one
            name = f"{proposer} {window}"
            told[name] = one.told(plain)
            where = first_difference(stepper.model, ours[:problems], plain, one)
            if where is not None:
                differs, told[name]["first_difference"] = True, where
            print(sampling, name, told[name], flush=True)
        result[sampling] = told
    device = str(stepper.model.device)
    facts = {"problems": problems, "dtype": chosen.dtype, "layers": chosen.layers, "device": device}
    print_result("decoding", {**facts, **result})
    sys.exit(1 if differs and chosen.dtype in {"auto", "float32"} else 0)


if __name__ == "__main__":
    main()
