"""Muon for weight matrices, AdamW for the rest, under one learning rate."""

from collections.abc import Sequence

import torch
from torch import nn

from pipeline.pocket.model import bf16_is_fast

MOMENTUM = 0.95
UPDATE_SCALE = 0.2  # root mean square of a matrix update, as a share of the learning rate
WEIGHT_DECAY = 0.02
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def orthogonalised(stack: torch.Tensor) -> torch.Tensor:
    """Bring a stack of equal matrices near to orthogonal ones by Newton-Schulz rounds."""
    a, b, c = _NEWTON_SCHULZ
    wide = stack.shape[-2] <= stack.shape[-1]
    x = stack if wide else stack.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Momentum whose update is orthogonalised, equal shapes at a time.

    The rounds are five large products a matrix: in bfloat16 only where that is fast.
    """

    def __init__(self, matrices: Sequence[nn.Parameter], lr: float) -> None:
        shapes = dict.fromkeys(matrix.shape for matrix in matrices)
        groups = [{"params": [m for m in matrices if m.shape == shape]} for shape in shapes]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self) -> None:
        """Update every matrix once."""
        for group in self.param_groups:
            updates = [self._momentum(matrix) for matrix in group["params"]]
            stack = torch.stack(updates)
            short = torch.bfloat16 if bf16_is_fast() else torch.float32
            stack = orthogonalised(stack.to(short)).to(stack.dtype)
            # An orthogonal r x c matrix has root mean square max(r, c) ** -0.5.
            scale = UPDATE_SCALE * max(stack.shape[-2:]) ** 0.5 * group["lr"]
            for matrix, update in zip(group["params"], stack, strict=True):
                matrix.mul_(1 - group["lr"] * WEIGHT_DECAY)
                matrix.add_(update, alpha=-scale)

    def _momentum(self, matrix: nn.Parameter) -> torch.Tensor:
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
        state["momentum"].lerp_(matrix.grad, 1 - MOMENTUM)
        return matrix.grad.lerp(state["momentum"], MOMENTUM)


def make_optimizers(model: nn.Module, lr: float) -> tuple[torch.optim.Optimizer, ...]:
    """Give Muon the layers' matrices and AdamW the embedding and the norms."""
    layers = [p for name, p in model.named_parameters() if p.ndim > 1 and "layers" in name]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or "layers" not in name]
    return Muon(layers, lr), torch.optim.AdamW(others, lr, betas=(0.9, 0.98), weight_decay=0.0)
