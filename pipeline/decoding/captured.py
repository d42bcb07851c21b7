"""Forwards on a GPU, captured with all that they launch and replayed at once (CUDA graphs).

To launch the operations of one token takes the host several times as long as the GPU takes to
compute them. A graph has fixed shapes and fixed memory, so it is made for forwards whose shape
comes again over the same keys and values, and made anew when these move. It computes what the
model's own forward does on such shapes, to the bit, or it is not used.
"""

import weakref
from collections import Counter
from collections.abc import Callable
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
class Graph:
    """A captured forward: where it reads its inputs, how it is run, and where its logits are."""

    inputs: Inputs
    run: Callable[[], None]
    logits: Any

    def replay(self, inputs: Inputs) -> Any:
        """The logits for other inputs of the same shapes."""
        for place, given in zip(self.inputs, inputs, strict=True):
            place.copy_(given)
        self.run()
        # The next graph may write over them.
        return self.logits.clone()


class OnGpu:
    """Captures what a GPU computes; all graphs of one of these share the memory in between."""

    def __init__(self, device: Any) -> None:
        self._device, self._pool = device, torch.cuda.graph_pool_handle()

    def graph_of(self, inputs: Inputs, compute: Callable[[], Any]) -> Graph:
        """A graph that reads `inputs`; raises `RuntimeError` for what cannot be captured."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._device)
        main = torch.cuda.current_stream(self._device)
        stream.wait_stream(main)
        with torch.cuda.stream(stream):
            # What a stream needs of libraries is allocated by its first forward.
            compute()
            # It reads memory that is given back here if the capture fails.
            main.wait_stream(stream)
            # Another model's thread may go on meanwhile.
            graph.capture_begin(self._pool, capture_error_mode="thread_local")
            try:
                logits = compute()
            finally:
                graph.capture_end()
        return Graph(inputs, graph.replay, logits)


class Captured:
    """Called as a `RowForward` on a GPU; shapes that come seldom are not captured.

    `failure` says why there are no graphs, where they cannot be made or differ.
    """

    def __init__(self, model: Any, capturing: Callable[[Any], Any] = OnGpu) -> None:
        self._own, self._capturing = RowForward(model), capturing
        self._graphs: dict[tuple[int, ...], Graph] = {}
        self._came: Counter[tuple[int, ...]] = Counter()
        # Not held: rows that have ended give their memory back.
        self._first: Callable[[], Any] = lambda: None
        self._capture: Any = None
        self.failure: str | None = None

    @property
    def graphs(self) -> int:
        """How many there are."""
        return len(self._graphs)

    def __call__(self, ids: Any, positions: Any, columns: Any, mask: Any, *kept: Any) -> Any:
        """The logits after each token."""
        inputs = (ids, positions, columns, mask)
        if self.failure:
            return self._own(*inputs, *kept)
        if kept[0] is not self._first():
            self._begin(kept)
        shape = (*ids.shape, mask.shape[3])
        if shape in self._graphs:
            return self._graphs[shape].replay(inputs)
        own = self._own(*inputs, *kept)
        self._came[shape] += 1
        if self._came[shape] >= TIMES and len(self._graphs) < MOST:
            self._add(shape, inputs, kept, own)
            # Keys and values may be those of other tokens by now.
            own = self._own(*inputs, *kept)
        return own

    def _begin(self, kept: Inputs) -> None:
        """Have no graphs, for other keys and values."""
        self._graphs.clear()
        self._came.clear()
        # Memory in between is the graphs' own, and ends with them.
        self._first, self._capture = weakref.ref(kept[0]), self._capturing(kept[0].device)

    def _add(self, shape: tuple[int, ...], inputs: Inputs, kept: Inputs, own: Any) -> None:
        """From now on there is a graph for such inputs, if it can be."""
        held = tuple(one.clone() for one in inputs)
        try:
            made = self._capture.graph_of(held, lambda: self._own(*held, *kept))
            # What is only there from the capture would be right for the same tokens.
            others = ((inputs[0] == 0).to(inputs[0].dtype), *inputs[1:])
            pairs = ((inputs, own), (others, self._own(*others, *kept)))
            if all(torch.equal(made.replay(given), right) for given, right in pairs):
                self._graphs[shape] = made
                return
            self.failure = "a graph's logits are not the model's own"
        # Errors of a capture have no kind: operations that wait for the device, memory that is
        # full. The model's own forward says which, where it fails too.
        except RuntimeError as error:
            self.failure = str(error)
        self._graphs.clear()
