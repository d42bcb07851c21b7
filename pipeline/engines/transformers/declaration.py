"""What the transformers engine declares of itself."""

from pipeline.engines.declaration import (
    LOADED_HERE,
    LORA,
    LORA_RANK,
    MAX_NUM_SEQS,
    REREAD_PROMPTS,
    STEP_TIMEOUT,
    WINDOW,
    EngineEntry,
    EngineOption,
)
from pipeline.engines.sampling import FURTHER
from pipeline.engines.settings import BRANCHES, PLAIN, REFINE

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
        EngineOption(
            name="decoding",
            type=str,
            help="Token by token, in windows of guesses that the model checks, by refining blocks "
            "that it does not check, or several prompts as branches of one sequence.",
            default=PLAIN,
            choices=(PLAIN, "window", REFINE, BRANCHES),
        ),
        EngineOption(
            name="gather",
            type=str,
            help="Let requests in flight that begin alike be branches of one row.",
            choices=(BRANCHES,),
            unset="each is a row of its own",
        ),
        EngineOption(
            name="proposer",
            type=str,
            help="Who guesses a window's tokens.",
            choices=("lookup", "assistant", "end-block", "recycled"),
            unset="assistant with --assistant-model, else lookup",
        ),
        EngineOption(
            name="window",
            type=int,
            help="Tokens in a window at most.",
            least=2,
            unset=str(WINDOW),
        ),
        EngineOption(
            name="assistant_model",
            type=str,
            help="Small model with the same tokenizer, which guesses.",
        ),
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
