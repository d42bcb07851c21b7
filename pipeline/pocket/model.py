"""A plain Qwen3 forward pass for training, with the parameter names that transformers uses."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from pipeline.pocket.tokenizer import CONTEXT

HEAD_WIDTH = 32
# To look a value up by its name, a head must tell names apart however far off they stand: so most
# of its width hardly turns with the position, and attention is sharp from the start.
ROPE_BASE = 1_000_000.0
SHARPNESS = 2.0  # of the queries' norms before training
NORM_EPSILON = 1e-6
HIDDEN = -1e9  # added to the scores of tokens that may not be seen


@dataclass(frozen=True)
class Shape:
    """Sizes of one model."""

    width: int
    layers: int
    inner: int
    vocabulary: int

    @property
    def heads(self) -> int:
        """Number of attention heads; keys and values have as many."""
        return self.width // HEAD_WIDTH


class RootMeanSquareNorm(nn.Module):  # type: ignore[misc]
    """Scale by the root mean square over the last dimension."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        return functional.rms_norm(x, (x.shape[-1],), self.weight, NORM_EPSILON)


class Attention(nn.Module):  # type: ignore[misc]
    """Self-attention with rotary positions and normalised queries and keys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            self.add_module(name, nn.Linear(shape.width, shape.width, bias=False))
        self.q_norm = RootMeanSquareNorm(HEAD_WIDTH)
        self.k_norm = RootMeanSquareNorm(HEAD_WIDTH)

    def forward(self, x: torch.Tensor, rotary: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attend where the additive `mask` is zero."""
        split = (*x.shape[:2], -1, HEAD_WIDTH)
        query = _rotate(self.q_norm(self.q_proj(x).view(split)), rotary).transpose(1, 2)
        key = _rotate(self.k_norm(self.k_proj(x).view(split)), rotary).transpose(1, 2)
        value = self.v_proj(x).view(split).transpose(1, 2)
        # Plain products: twice as fast on a CPU, backward included, as the fused attention.
        scores = (query * HEAD_WIDTH**-0.5).to(value.dtype) @ key.to(value.dtype).mT
        mixed = (scores.float() + mask).softmax(-1).to(value.dtype) @ value
        out: torch.Tensor = self.o_proj(mixed.transpose(1, 2).reshape(x.shape))
        return out


def _rotate(x: torch.Tensor, rotary: torch.Tensor) -> torch.Tensor:
    cosine, sine = rotary
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x * cosine + turned * sine


class Gated(nn.Module):  # type: ignore[misc]
    """The gated feed-forward part."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply it."""
        out: torch.Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):  # type: ignore[misc]
    """One transformer layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Gated(shape)
        self.input_layernorm = RootMeanSquareNorm(shape.width)
        self.post_attention_layernorm = RootMeanSquareNorm(shape.width)

    def forward(self, x: torch.Tensor, rotary: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Apply attention, then the feed-forward part."""
        x = x + self.self_attn(self.input_layernorm(x), rotary, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):  # type: ignore[misc]
    """Embeddings and layers."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RootMeanSquareNorm(shape.width)


class TinyQwen3(nn.Module):  # type: ignore[misc]
    """A Qwen3 language model with tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        rates = ROPE_BASE ** -(torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
        angles = torch.outer(torch.arange(CONTEXT), torch.cat((rates, rates)))
        self.register_buffer("table", torch.stack((angles.cos(), angles.sin())), persistent=False)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
        for layer in self.model.layers:
            nn.init.constant_(layer.self_attn.q_norm.weight, SHARPNESS)

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Give the logits of the positions where `wanted` is true."""
        rotary = self.table[:, positions, None]
        x = self.model.embed_tokens(ids)
        bias = torch.zeros(mask.shape).masked_fill_(~mask, HIDDEN)
        for layer in self.model.layers:
            x = layer(x, rotary, bias)
        return functional.linear(self.model.norm(x[wanted]), self.model.embed_tokens.weight)


def bf16_is_fast() -> bool:
    """Tell whether this CPU multiplies bfloat16 in hardware; elsewhere float32 is far faster."""
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - no public name for it


def save_model(model: TinyQwen3, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Write weights and configurations as `transformers` and vLLM load them."""
    shape = model.shape
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: value.to(torch.float32).contiguous() for name, value in weights.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # the writer leaves it private to its owner
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "dtype": "float32",
        "eos_token_id": 2,
        "head_dim": HEAD_WIDTH,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "initializer_range": 0.02,
        "intermediate_size": shape.inner,
        "max_position_embeddings": CONTEXT,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "pad_token_id": 0,
        "rms_norm_eps": NORM_EPSILON,
        "rope_parameters": {"rope_theta": ROPE_BASE, "rope_type": "default"},
        "rope_theta": ROPE_BASE,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }
    generation = {
        "do_sample": True,
        "temperature": 0.6,
        "top_p": 0.95,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    for name, content in (("config.json", config), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
