"""A model's shape from its config.json alone: the weights and the attention that tokens pay for.

transformers builds the model on the meta device, without weights or memory, so what a config leaves
out has the architecture's own default, and experts, low-rank attention and ungated layers count as
they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoModelForCausalLM

# What a config can be wrong in is up to each architecture's code, and so is the error.
UNUSABLE = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    StrictDataclassError,
    TypeError,
    ValueError,
)
FULL_ATTENTION = "full_attention"
# Parts of a layer that carry a state from token to token and attend to nothing.
RECURRENT = ("A_log", "conv1d", "mamba", "rg_lru", "time_mix")
STACKED = 3
"""Dimensions of a weight that holds one matrix an expert."""
ROUTED_EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the cost formulas need of a model that writes text.

    `parameters` are all weights, tied ones once; `body` those that every token is multiplied with
    in the layers, of routed experts the chosen share; `head` those that turn one position into
    logits. `attention_width` is the mean width of all queries and of all values of a layer; None
    where not every layer attends to every position before it.
    """

    parameters: int
    body: int
    head: int
    layers: int
    attention_width: int | None

    @classmethod
    def of(cls, config: Mapping[str, Any], context: int | None = None) -> "Shape | None":
        """The shape that a config.json describes; None where transformers knows no such model.

        `context`: tokens at most, as a window that is as wide does not narrow attention.
        """
        # Both would be acted upon: packing of weights, and code that came with the model.
        known = {
            name: value
            for name, value in config.items()
            if name not in {"model_type", "quantization_config", "auto_map"}
        }
        try:
            settings = AutoConfig.for_model(config["model_type"], **known)
            if settings.is_encoder_decoder:
                return None
            settings = settings.get_text_config()
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(settings)
            share = _chosen_share(settings, model)
            head = model.get_output_embeddings()
            if share is None or head is None:
                return None
            return cls(
                parameters=sum(weight.numel() for weight in model.parameters()),
                body=_body(model, share),
                head=sum(weight.numel() for weight in head.parameters()),
                layers=settings.num_hidden_layers,
                attention_width=_attention_width(settings, model, context),
            )
        except UNUSABLE:
            return None


def _body(model: Any, share: float) -> int:
    """Weights of the layers; embeddings are looked up, and the head's stand elsewhere."""
    apart = {id(weight) for weight in model.get_output_embeddings().parameters()}
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            apart |= {id(weight) for weight in module.parameters()}
    sizes = [
        (name, weight.numel())
        for name, weight in model.named_parameters()
        if id(weight) not in apart
    ]
    experts = sum(size for name, size in sizes if ".experts." in name)
    every = sum(size for _, size in sizes)
    return int(every - round(experts * (1 - share)))


def _chosen_share(settings: Any, model: Any) -> float | None:
    """Of a layer's routed experts, how many a token goes through; None where that is not said."""
    experts = next(filter(None, (getattr(settings, name, None) for name in ROUTED_EXPERTS)), None)
    if not any(".experts." in name for name, _ in model.named_parameters()):
        # Experts under other names would all be counted, as would choices that are no expert.
        return None if (experts or 1) > 1 else 1.0
    elsewhere = any(
        weight.ndim == STACKED and weight.shape[0] == experts and ".experts." not in name
        for name, weight in model.named_parameters()
    )
    if elsewhere or getattr(settings, "zero_expert_num", None):
        return None
    chosen = getattr(settings, "num_experts_per_tok", None)
    return chosen / experts if experts and chosen else None


def _attention_width(settings: Any, model: Any, context: int | None) -> int | None:
    kinds = getattr(settings, "layer_types", None)
    window = getattr(settings, "sliding_window", None)
    narrowed = window is not None and (context is None or window < context)
    everywhere = (
        set(kinds) <= {FULL_ATTENTION} | (set() if narrowed else {"sliding_attention"})
        if kinds
        else not narrowed
    )
    recurrent = any(part in name for name, _ in model.named_parameters() for part in RECURRENT)
    if recurrent or not everywhere or _is_sparse(settings):
        return None
    heads = int(settings.num_attention_heads)
    if getattr(settings, "kv_lora_rank", None):
        # Multi-head latent attention, keys and values expanded (arXiv 2405.04434, section 2.1).
        keys = int(settings.qk_nope_head_dim) + int(settings.qk_rope_head_dim)
        return heads * (keys + int(settings.v_head_dim)) // 2
    return heads * int(getattr(settings, "head_dim", None) or settings.hidden_size // heads)


def _is_sparse(settings: Any) -> bool:
    """Whether a position attends to chosen or near positions only, by other names than a window."""
    chosen = any(getattr(settings, name, None) for name in ("index_topk", "index_topk_blocks"))
    local = "local" in str(getattr(settings, "attention_types", None))
    return chosen or local or getattr(settings, "attention_type", None) == "block_sparse"
