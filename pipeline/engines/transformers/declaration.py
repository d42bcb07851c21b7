"""What the transformers engine declares of itself."""

from pipeline.engines.declaration import EngineEntry

TRANSFORMERS = EngineEntry(
    name="transformers",
    path="pipeline.engines.transformers.engine:TransformersEngine",
    honours=frozenset(
        {"revision", "tokenizer", "dtype", "max_model_len", "devices", "trust_remote_code"}
    ),
    automatic=True,
)
