"""Iterative block generation as a function on a model and tensors; `refining` has the method.

The model's cache is used: tokens that were kept on wrong guesses are read again with the next
block, so that the result is that of whole forwards.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from pipeline.decoding.proposer import Work
from pipeline.decoding.refining import Refining, Round
from pipeline.decoding.rows import ManyRows, OneRow, Rows, is_plain
from pipeline.decoding.trials import forgetting
from pipeline.decoding.windows import Counts


@dataclass(slots=True)
class GreedyText:
    """A text of the likeliest tokens, up to the first of `end_ids` or until `room` is used up."""

    token_ids: list[int]
    room: int
    end_ids: Collection[int] = ()
    rounds: list[Round] = field(default_factory=list)
    refused: Work = field(default_factory=Work)

    def grow(self, logits: Any) -> int:
        """Write the likeliest token; of several the first."""
        token = int(torch.argmax(logits))
        self.token_ids.append(token)
        self.room = 0 if token in self.end_ids else self.room - 1
        return token

    def ahead(self) -> Callable[[Any], int]:
        """The likeliest tokens, which do not depend on each other."""
        return lambda logits: int(torch.argmax(logits))


def iterative_generate(  # noqa: PLR0917 - the documents' order of arguments
    model: Any,
    input_ids: Any,
    attention_mask: Any | None = None,
    eos_token_id: int | Sequence[int] | None = None,
    pad_token_id: int | None = None,
    add_eos_length: int = 127,
    refine_iter: int = 2,
    max_new_tokens: int = 1024,
    max_length: int = 8192,
) -> Any:
    """Continue each row of `input_ids` by blocks of `add_eos_length` + 1 tokens.

    A block begins as end-of-text tokens, is refined `refine_iter` times, and is then kept, whether
    or not the model would have written it; with `refine_iter` > `add_eos_length` it is what greedy
    decoding gives. A row ends at the first end of text that it writes itself, at `max_new_tokens`
    new tokens, or at `max_length` tokens without its padding; the others go on.

    Without an `eos_token_id` rows run to their limits, and blocks begin as padding. The result is
    `input_ids`, padding and all, and the new tokens, padded on the right.

    Raises:
        ValueError: a number is out of range, a row is empty or leaves no room, or the model does
            not go on from the keys and values of all that it has read.
    """
    if pad_token_id is None:
        raise ValueError("pad_token_id is missing; the end-of-text id will do")
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    if input_ids.dim() != 2 or input_ids.shape != attention_mask.shape:  # noqa: PLR2004 - matrices
        raise ValueError("input_ids and attention_mask must be matrices of one shape")
    least = {"add_eos_length": (add_eos_length, 0), "refine_iter": (refine_iter, 1)}
    least |= {"max_new_tokens": (max_new_tokens, 1), "max_length": (max_length, 1)}
    for name, (value, smallest) in least.items():
        if value < smallest:
            raise ValueError(f"{name} is {value}; it must be {smallest} or more")
    ends = [eos_token_id] if isinstance(eos_token_id, int) else list(eos_token_id or ())
    texts = []
    for number, (row, seen) in enumerate(zip(input_ids, attention_mask, strict=True)):
        prompt = row[seen.bool()].tolist()
        if not 0 < len(prompt) < max_length:
            raise ValueError(
                f"row {number} has {len(prompt)} tokens; it must have some, and fewer than "
                f"max_length, {max_length}"
            )
        texts.append(GreedyText(prompt, min(max_new_tokens, max_length - len(prompt)), ends))
    # Models that keep another state (Mamba, RWKV) would read each block without the text before it.
    if not forgetting(model).is_rounding(model.dtype):
        raise ValueError("the model does not continue a text from its keys and values")
    refining = Refining(add_eos_length, refine_iter, ends[0] if ends else pad_token_id)
    lengths = [len(text.token_ids) for text in texts]
    refine(model, texts, refining)
    new = [text.token_ids[length:] for text, length in zip(texts, lengths, strict=True)]
    most = max(map(len, new), default=0)
    padded = [[*tokens, *[pad_token_id] * (most - len(tokens))] for tokens in new]
    written = torch.tensor(padded, dtype=input_ids.dtype, device=input_ids.device)
    return torch.cat((input_ids, written.reshape(len(padded), most)), dim=1)


def refine(model: Any, texts: Sequence[GreedyText], refining: Refining) -> Counts:
    """Write texts to their ends, together; what it cost, without the reading of prompts.

    Raises:
        ValueError: the model's layers do not keep every token (sliding windows, say).
    """
    counts = Counts()
    rows: Rows = OneRow(model) if len(texts) == 1 else ManyRows(model)
    going = []
    with torch.inference_mode():
        for text in texts:
            cache = DynamicCache(config=model.config)
            if not is_plain(cache):
                raise ValueError("the model's layers do not keep every token, as refining needs")
            prompt = torch.tensor([text.token_ids], device=model.device)
            text.grow(model(input_ids=prompt, past_key_values=cache).logits[0, -1])
            if text.room:
                rows.join(cache, text.token_ids[:-1])
                refining.join(text)
                going.append(text)
        while going:
            refining.step(rows, going, counts)
            for row in reversed(range(len(going))):
                if going[row].room == 0:
                    rows.leave(row)
                    refining.leave(row)
                    going[row] = going[-1]
                    going.pop()
    return counts
