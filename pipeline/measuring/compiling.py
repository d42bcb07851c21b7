"""What torch compiles meanwhile: forwards on a static cache on a GPU, FlexAttention everywhere."""

import sys

import torch

COUNTING = "torch._dynamo.utils"
"""Where torch counts. It loads this by itself when it first compiles."""


def graphs_compiled() -> int:
    """How many graphs torch has compiled in this process."""
    counting = sys.modules.get(COUNTING)
    return 0 if counting is None else int(counting.counters["stats"]["unique_graphs"])


def forget_compiled() -> None:
    """Let go of what was compiled, and with it of models and of a GPU's memory."""
    if graphs_compiled():
        torch.compiler.reset()
