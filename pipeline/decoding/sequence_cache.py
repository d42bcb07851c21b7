"""Keys and values of one sequence that grows token by token, in memory that is taken ahead."""

from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from pipeline.decoding.row_cache import with_reserve
from pipeline.decoding.rows import is_plain


class SequenceLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not typed
    """One layer: `keys` and `values` lie in memory for some more tokens, so few forwards copy."""

    keys: Any
    values: Any
    _memory: tuple[Any, Any] | None = None

    def update(
        self, key_states: Any, value_states: Any, *_args: object, **_kwargs: object
    ) -> tuple[Any, Any]:
        """Append the new tokens; all that there are."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before: int = self.get_seq_length()
        end = before + key_states.shape[2]
        if self._memory is None or self._memory[0].shape[2] < end:
            self._memory = (
                _grown(self.keys, key_states, before, end),
                _grown(self.values, value_states, before, end),
            )
        for memory, states in zip(self._memory, (key_states, value_states), strict=True):
            memory[:, :, before:end] = states
        self.keys, self.values = (memory[:, :, :end] for memory in self._memory)
        return self.keys, self.values

    def keep(self, tokens: Any) -> None:
        """Forget all but the tokens at these places."""
        self._memory = None
        self.keys = self.keys.index_select(2, tokens)
        self.values = self.values.index_select(2, tokens)


def sequence_cache(model: Any) -> Cache:
    """An empty cache of such layers; raises `ValueError` where a model's forget tokens."""
    own = DynamicCache(config=model.config)
    if not is_plain(own):
        raise ValueError("the model's layers do not keep every token, as branches need")
    return Cache(layers=[SequenceLayer() for _ in own.layers])


def _grown(held: Any, states: Any, before: int, end: int) -> Any:
    """Memory for `end` tokens and some more, that begins with the `before` that are held."""
    rows, heads, _, width = states.shape
    made = states.new_empty((rows, heads, with_reserve(end), width))
    if before:
        made[:, :, :before] = held
    return made
