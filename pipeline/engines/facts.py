"""Model facts from config.json and, where the weights are at hand, from their headers."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.engines.model_files import check_model_path, folder_of, read_json
from pipeline.engines.protocol import ModelFacts
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake

# A safetensors file begins with the length of its JSON header as 8 bytes, little end first; the
# format's own limit on that header is 100 MB.
HEADER_LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000


class Counts(NamedTuple):
    """How many weights a model has, and with how many of them each token is multiplied."""

    parameters: int
    non_embedding: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What the cost formulas need of a decoder-only model's config.json."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    mlp_width: int
    tied: bool
    qkv_bias: bool
    head_norms: bool
    expert_share: float

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Shape | None":
        """The shape that `config` describes; None where it names another kind of model."""
        try:
            heads = int(config["num_attention_heads"])
            width = int(config["hidden_size"])
            kind = str(config.get("model_type", ""))
            experts = int(config.get("num_experts") or config.get("num_local_experts") or 0)
            chosen = int(config.get("num_experts_per_tok") or experts)
            return cls(
                vocabulary=int(config["vocab_size"]),
                width=width,
                layers=int(config["num_hidden_layers"]),
                heads=heads,
                key_value_heads=int(config.get("num_key_value_heads") or heads),
                head_width=int(config.get("head_dim") or width // heads),
                mlp_width=int(config["intermediate_size"]),
                tied=bool(config.get("tie_word_embeddings", False)),
                qkv_bias=bool(config.get("attention_bias", False)) or kind == "qwen2",
                head_norms=kind == "qwen3",
                expert_share=chosen / experts if experts else 1.0,
            )
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def attention_width(self) -> int:
        """The width of all queries of a layer together."""
        return self.heads * self.head_width

    def count(self) -> Counts | None:
        """The weights of a dense Llama- or Qwen-like model; None for a mixture of experts."""
        if self.expert_share != 1.0:
            return None
        keys = 2 * self.key_value_heads * self.head_width
        queries = self.attention_width
        attention = self.width * (2 * queries + keys)
        biases = (queries + keys) if self.qkv_bias else 0
        norms = 2 * self.width + (2 * self.head_width if self.head_norms else 0)
        layer = attention + biases + norms + 3 * self.width * self.mlp_width
        matrix = self.vocabulary * self.width
        body = self.layers * layer + self.width + matrix
        return Counts(body if self.tied else body + matrix, body)


def _header(path: Path) -> dict[str, list[int]]:
    """The shapes in one safetensors file by tensor name; raises ValueError when it is none."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEADER_LENGTH_BYTES), "little")
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} is not a safetensors file")
        header = json.loads(file.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def count_weights(folder: Path, shape: Shape) -> Counts | None:
    """Count the weights in a folder's safetensors headers; None when there are none."""
    sizes: dict[str, int] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            sizes |= {name: math.prod(dims) for name, dims in _header(path).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserMistake(f"the weights in {folder} cannot be read: {error}") from error
    if not sizes:
        return None
    if shape.tied:
        # Some writers store the head although it is the embedding; it is one matrix.
        sizes.pop("lm_head.weight", None)
    total = sum(sizes.values())
    embedding = 0 if shape.tied else shape.vocabulary * shape.width
    idle = sum(size for name, size in sizes.items() if ".experts." in name)
    return Counts(total, total - embedding - round(idle * (1 - shape.expert_share)))


def read_facts(settings: EngineSettings) -> ModelFacts:
    """The facts of the model that `settings` names, without loading it.

    Raises `UserMistake` when the model is not there or its files cannot be read.
    """
    check_model_path(settings.model)
    config = read_json(settings.model, settings.revision, "config.json")
    if config is None:
        raise UserMistake(f"the model {settings.model!r} has no config.json")
    # Models of several modalities keep the language model's shape one level down.
    text_config = config.get("text_config")
    language = {**config, **text_config} if isinstance(text_config, dict) else config
    shape = Shape.of(language)
    counts = _counts(settings, language, shape)
    context = language.get("max_position_embeddings")
    known = [size for size in (context, settings.max_model_len) if isinstance(size, int)]
    return ModelFacts(
        model=settings.model,
        revision=_revision(settings),
        dtype=language.get("dtype") or language.get("torch_dtype"),
        context=min(known, default=None),
        parameters=counts.parameters if counts else None,
        non_embedding_parameters=counts.non_embedding if counts else None,
        layers=shape.layers if shape else None,
        attention_width=shape.attention_width if shape else None,
    )


def _counts(settings: EngineSettings, config: dict[str, Any], shape: Shape | None) -> Counts | None:
    if shape is None:
        return None
    # Quantised weights are stored packed: their shapes say nothing of how many there are.
    packed = "quantization_config" in config
    folder = None if packed else folder_of(settings.model, settings.revision)
    counted = count_weights(folder, shape) if folder else None
    return counted or shape.count()


def _revision(settings: EngineSettings) -> str | None:
    """The commit that the hub's cache holds, or what the settings say."""
    folder = folder_of(settings.model, settings.revision)
    if folder is not None and folder.parent.name == "snapshots":
        return folder.name
    return settings.revision
