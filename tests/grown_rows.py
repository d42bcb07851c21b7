"""Texts that share forwards, and the same texts alone."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from transformers import DynamicCache

from pipeline.engines.transformers.requests import Job
from pipeline.errors import EngineFailure

MOVES = st.lists(
    st.tuples(st.sampled_from(["join", "join", "feed", "feed", "leave"]), st.integers(0, 10_000)),
    min_size=4,
    max_size=16,
)


def prompt_of(length: int, seed: int) -> list[int]:
    """Tokens drawn by the seed."""
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(0, 250, (length,), generator=chance).tolist()


def joined(model: Any, rows: Any, ids: list[int]) -> None:
    """Read a text, and let it be one of the rows."""
    cache = DynamicCache(config=model.config)
    model(input_ids=torch.tensor([ids]), past_key_values=cache)
    rows.join(cache, ids)


def moved(
    model: Any, rows: Any, texts: list[list[int]], move: str, draw: Callable[[int], int]
) -> None:
    """Let a text leave, or feed all up to six tokens, some of which they keep.

    What is fed has the logits that it has in the text alone.
    """
    if move == "leave":
        gone = draw(len(texts))
        rows.leave(gone)
        texts[gone] = texts[-1]
        texts.pop()
        return
    fed = [prompt_of(1 + draw(6), draw(2**31)) for _ in texts]
    logits = rows.forward(fed)
    for n, (text, new) in enumerate(zip(texts, fed, strict=True)):
        whole = model(input_ids=torch.tensor([text + new])).logits[0]
        torch.testing.assert_close(logits[n, : len(new)], whole[len(text) :], atol=1e-4, rtol=1e-4)
        kept = 1 + draw(len(new))
        rows.forget(n, len(new) - kept)
        text.extend(new[:kept])


def written(stepper: Any, jobs: Sequence[Job]) -> list[tuple[int, ...] | str]:
    """The tokens of each request, or what it failed with."""
    for job in jobs:
        stepper.add(job)
    while stepper.busy:
        stepper.step()
    failed = [job.answer.exception(0) for job in jobs]
    assert all(error is None or isinstance(error, EngineFailure) for error in failed)
    return [
        str(error) if error else job.answer.result(0).token_ids
        for job, error in zip(jobs, failed, strict=True)
    ]
