"""What the transformers engine declares of itself."""

from pipeline.engines.declaration import (
    MAX_NUM_SEQS,
    STEP_TIMEOUT,
    WINDOW,
    EngineEntry,
    EngineOption,
)
from pipeline.engines.sampling import FURTHER
from pipeline.engines.settings import PLAIN

TRANSFORMERS = EngineEntry(
    name="transformers",
    path="pipeline.engines.transformers.engine:TransformersEngine",
    honours=frozenset(
        {
            "revision",
            "tokenizer",
            "dtype",
            "max_model_len",
            "devices",
            "trust_remote_code",
            "chat_template_kwargs",
            "reasoning_effort",
        }
    ),
    options=(
        MAX_NUM_SEQS,
        STEP_TIMEOUT,
        EngineOption(
            name="decoding",
            type=str,
            help="Token by token, or in windows of guesses that the model checks.",
            default=PLAIN,
            choices=(PLAIN, "window"),
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
    ),
    automatic=True,
    samples=FURTHER,
)
