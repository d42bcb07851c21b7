"""Tiny random models, made in milliseconds: nothing is loaded, every text is some text."""

import functools

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

VOCABULARY = 64


@functools.cache
def tiny_model(layers: int = 4, *, seed: int = 0):
    """A random Qwen3 in float32 on the CPU; the same for a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=256,
        )
        return Qwen3ForCausalLM(config).eval()
