"""Forwards on a GPU, captured with all that they launch and replayed at once (CUDA graphs).

To launch the operations of one token takes the host several times as long as the GPU takes to
compute them. A graph has fixed shapes and fixed memory, so it is made for forwards whose shape
comes again over the same keys and values, and made anew when these move. It computes what the
model's own forward does on such shapes, to the bit, or it is not used.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.decoding.row_cache import RowForward

TIMES = 3
"""A shape that has come so often is captured: that costs as much as some forwards."""
MOST = 64
"""Graphs at once; each holds some megabytes of the host's memory."""
Inputs = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Graph:
    """A captured forward, the memory that it reads its inputs from, and that of its logits."""

    graph: Any
    inputs: Inputs
    logits: Any

    def replay(self, inputs: Inputs) -> Any:
        """The logits for other inputs of the same shapes."""
        for place, given in zip(self.inputs, inputs, strict=True):
            place.copy_(given)
        self.graph.replay()
        # The next graph may write over them.
        return self.logits.clone()


class Captured:
    """Called as a `RowForward` on a GPU; shapes that come seldom are not captured.

    `failure` says why there are no graphs, where they cannot be made or differ.
    """

    def __init__(self, model: Any) -> None:
        self._own = RowForward(model)
        self._graphs: dict[tuple[int, ...], _Graph] = {}
        self._came: Counter[tuple[int, ...]] = Counter()
        self._kept: Inputs = ()
        self._pool: Any = torch.cuda.graph_pool_handle()
        self.failure: str | None = None

    @property
    def graphs(self) -> int:
        """How many there are."""
        return len(self._graphs)

    def __call__(self, ids: Any, positions: Any, columns: Any, mask: Any, *kept: Any) -> Any:
        """The logits after each token."""
        inputs = (ids, positions, columns, mask)
        if not self._kept or kept[0] is not self._kept[0]:
            self._graphs.clear()
            self._came.clear()
            self._kept = kept
        shape = (*ids.shape, mask.shape[3])
        if shape in self._graphs:
            return self._graphs[shape].replay(inputs)
        self._came[shape] += 1
        if self.failure or self._came[shape] < TIMES or len(self._graphs) >= MOST:
            return self._own(*inputs, *kept)
        return self._capture(shape, inputs)

    def _capture(self, shape: tuple[int, ...], inputs: Inputs) -> Any:
        """The model's own logits; from now on there is a graph for such inputs, if it can be."""
        own = self._own(*inputs, *self._kept)
        try:
            made = self._graph_of(tuple(one.clone() for one in inputs))
            if not torch.equal(made.replay(inputs), own):
                self.failure = "a graph's logits are not the model's own"
        # Errors of a capture have no kind: operations that wait for the device, memory that is
        # full. The model's own forward says which, where it fails too.
        except RuntimeError as error:
            self.failure = str(error)
        if self.failure:
            self._graphs.clear()
        else:
            self._graphs[shape] = made
        return own

    def _graph_of(self, inputs: Inputs) -> _Graph:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            # What a stream needs of libraries is allocated by its first forward.
            self._own(*inputs, *self._kept)
            # Another model's thread may go on meanwhile.
            graph.capture_begin(self._pool, capture_error_mode="thread_local")
            try:
                logits = self._own(*inputs, *self._kept)
            finally:
                graph.capture_end()
        torch.cuda.current_stream().wait_stream(stream)
        return _Graph(graph, inputs, logits)
