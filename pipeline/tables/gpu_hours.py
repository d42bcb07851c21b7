"""What cells still take in GPU-hours, by how many tokens a second their models write."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.tables.cells import Cell
from pipeline.tables.planning import PlannedCell
from pipeline.tables.to_go import ToGo

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class GpuHours:
    """GPU-hours of all cells together, and for how many GPUs the largest of their copies asks.

    `bounded` counts cells of which nothing is recorded: of each the token budget counts, as if its
    target wrote it all. `lacking` names the models whose cards do not say how fast they are; what
    they write is not in `hours`.
    """

    hours: float
    largest: int
    bounded: int
    lacking: tuple[str, ...]

    def hours_on(self, gpus: int) -> float | None:
        """How long so many GPUs take that are all busy; None where a model does not fit on them."""
        return self.hours / gpus if gpus >= self.largest else None


def gpu_hours(planned: Sequence[PlannedCell], ahead: Sequence[ToGo | None]) -> GpuHours:
    """What is to come of all cells."""
    hours, largest, bounded = 0.0, 0, 0
    lacking: dict[str, None] = {}
    for one, left in zip(planned, ahead, strict=True):
        if one.trouble is not None or left is None or not left.new:
            continue
        bounded += left.by_role is None
        for role, tokens in (left.by_role or {"target": float(left.tokens_at_most)}).items():
            card = one.cell.cards.get(role)
            if card is None or card.tokens_per_second is None:
                lacking[one.cell.experiment.models[role].model] = None
                continue
            gpus = gpus_of(one.cell, role)
            hours += tokens / card.tokens_per_second * gpus / HOUR
            largest = max(largest, gpus)
    return GpuHours(hours, largest, bounded, tuple(lacking))


def gpus_of(cell: Cell, role: str) -> int:
    """How many GPUs the copies of a cell's model have together."""
    model = cell.experiment.models[role]
    card = cell.cards[role]
    return card.gpus or model.tensor_parallel_size * model.data_parallel_size
