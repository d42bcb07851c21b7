"""What the transformers engine declares of itself."""

from pipeline.engines.declaration import (
    ASSISTANT_MODEL,
    DECODING,
    LOADED_HERE,
    LORA,
    LORA_RANK,
    MAX_NUM_SEQS,
    PROPOSER,
    REREAD_PROMPTS,
    STEP_TIMEOUT,
    WINDOW_SIZE,
    EngineEntry,
    EngineOption,
)
from pipeline.engines.sampling import FURTHER
from pipeline.engines.settings import BRANCHES

APPENDED, ROUNDS = 127, 2
"""What holds for refining unless something is given."""

TRANSFORMERS = EngineEntry(
    name="transformers",
    path="pipeline.engines.transformers.engine:TransformersEngine",
    honours=LOADED_HERE | {"branching"},
    options=(
        MAX_NUM_SEQS,
        STEP_TIMEOUT,
        REREAD_PROMPTS,
        LORA,
        LORA_RANK,
        EngineOption(
            name="merge_lora",
            type=bool,
            help="Add the adapter to the model's weights: faster; rounds them in half precision.",
            default=False,
        ),
        DECODING,
        EngineOption(
            name="gather",
            type=str,
            help="Let requests in flight that begin alike be branches of one row.",
            choices=(BRANCHES,),
            unset="each is a row of its own",
        ),
        PROPOSER,
        WINDOW_SIZE,
        ASSISTANT_MODEL,
        EngineOption(
            name="append_eos",
            type=int,
            help="End-of-text tokens that are appended to be refined.",
            least=0,
            unset=str(APPENDED),
            aliases=("add_eos_length",),
        ),
        EngineOption(
            name="refine_rounds",
            type=int,
            help="Rounds in which they are refined; then they are kept.",
            least=1,
            unset=str(ROUNDS),
            aliases=("refine_iter",),
        ),
    ),
    automatic=True,
    samples=FURTHER,
)
