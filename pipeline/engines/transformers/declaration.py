"""What the transformers engine declares of itself."""

from pipeline.engines.declaration import MAX_NUM_SEQS, STEP_TIMEOUT, EngineEntry
from pipeline.engines.sampling import FURTHER

TRANSFORMERS = EngineEntry(
    name="transformers",
    path="pipeline.engines.transformers.engine:TransformersEngine",
    honours=frozenset(
        {"revision", "tokenizer", "dtype", "max_model_len", "devices", "trust_remote_code"}
    ),
    options=(MAX_NUM_SEQS, STEP_TIMEOUT),
    automatic=True,
    samples=FURTHER,
)
