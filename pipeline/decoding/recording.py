"""A model's forward as a recording of its operations, replayed without the Python between them.

That Python takes longer than the operations of a small model. A recording is used only where it
does the very same: nothing in the model may depend on values in Python, and its logits must be the
model's own to the bit, when it is made and again each time that texts have become twice as long. On
a GPU it launches operations no faster; `pipeline.decoding.captured` does.
"""

import warnings
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache

from pipeline.decoding.row_cache import RowForward
from pipeline.decoding.rows import ManyRows

LOST = ("Python list", "NumPy", "Iterating over")
"""In torch's warnings: values that a recording would hold fast as they were."""
TEXTS = ([1, 2, 3, 4, 5, 6, 7], [4])
FEEDS = (([3, 2], [5]), ([6], [7]), ([1, 2, 3], [4, 5, 6]), ([2],), ([7, 6, 5, 4],))
"""What is fed to these texts, and then to the first alone, when a recording is made."""


UNABLE = (
    *(ArithmeticError, AttributeError, ImportError, LookupError, RuntimeError),
    *(TypeError, ValueError),
)
"""What a recorder raises that cannot do it, and a torch that has none any more."""


class _Branches(TorchDispatchMode):  # type: ignore[misc]  # torch is not typed
    """Notes whether values, and not shapes alone, decide what is computed."""

    found = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found |= torch.Tag.data_dependent_output in func.tags
        return func(*args, **(kwargs or {}))


class Recorded:
    """Called as a `RowForward`; without a recording it is the model's own forward."""

    def __init__(self, model: Any) -> None:
        """Make a recording and try it; without one where it cannot be made or differs."""
        self._own = RowForward(model)
        self._recording: Any = None
        self._compare_at = 0
        try:
            self._record()
        # What a model's code and torch's recorder say to what they cannot do is up to each.
        except UNABLE:
            self._recording = None

    @property
    def is_replayed(self) -> bool:
        """Whether there is a recording."""
        return self._recording is not None

    def __call__(self, *inputs: Any) -> Any:
        """The logits after each token."""
        if self._recording is None:
            return self._own(*inputs)
        try:
            logits = _replayed(self._recording, inputs)
        except RuntimeError:
            # Errors of a recording have no kind; the model's own have (memory that is full).
            logits, self._recording = self._own(*inputs), None
            return logits
        width = inputs[3].shape[3]
        return logits if width < self._compare_at else self._compared(logits, inputs, 2 * width)

    def _compared(self, logits: Any, inputs: tuple[Any, ...], again_at: int) -> Any:
        """The model's own logits, which those of the recording must equal for it to be kept."""
        own, self._compare_at = self._own(*inputs), again_at
        if not torch.equal(own, logits):
            self._recording = None
        return own

    def _record(self) -> None:
        model, taken = self._own.model, list[tuple[Any, ...]]()
        with torch.no_grad():
            rows = _rows_of_texts(model, lambda *inputs: taken.append(inputs))
            rows.forward(FEEDS[0])
            self._recording = _recording_of(self._own, taken[0])
            rows = _rows_of_texts(model, self)
            for feed in FEEDS:
                while len(rows.lengths) > len(feed):
                    rows.leave(len(feed))
                self._compare_at = 0
                rows.forward(feed)


def _rows_of_texts(model: Any, compute: Any) -> ManyRows:
    rows = ManyRows(model, compute)
    for text in TEXTS:
        cache = DynamicCache(config=model.config)
        model(input_ids=torch.tensor([text], device=model.device), past_key_values=cache)
        rows.join(cache, text)
    return rows


def _recording_of(forward: RowForward, inputs: tuple[Any, ...]) -> Any:
    """A recording; None where values decide what is computed."""
    with _Branches() as branches:
        forward(*inputs)
    if branches.found:
        return None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        recording = torch.jit.trace(forward.eval(), inputs, check_trace=False)
        made = len(said)
        _replayed(recording, inputs)
    lost = any(one in str(warning.message) for warning in said[:made] for one in LOST)
    # What a replay warns of it would warn of at every token.
    return None if lost or len(said) > made else recording


def _replayed(recording: Any, inputs: tuple[Any, ...]) -> Any:
    # Not optimised: operations that are fused are compiled for each shape, and round anew.
    with torch.jit.optimized_execution(False):
        return recording(*inputs)
