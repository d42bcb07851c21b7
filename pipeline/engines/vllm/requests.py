"""Requests and answers in vLLM's own words. Import only after the environment is set."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vllm.sampling_params import RequestOutputKind, SamplingParams

from pipeline.engines.limits import SEED_RANGE
from pipeline.engines.protocol import Completion, SamplingRequest, Tokenizer
from pipeline.engines.stopping import UNFINISHED_CHARACTER
from pipeline.errors import EngineFailure


def to_params(sampling: SamplingRequest, room: int) -> SamplingParams:
    """Sampling parameters for vLLM; one output at the end, unless tokens are to be told.

    vLLM decodes token by token, which only a search for stop strings needs.
    Log-probabilities are asked for by token id only: in a batch that holds such a request, a
    request for the top k would silently get wrong ones.
    """
    return SamplingParams(
        max_tokens=room,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        presence_penalty=sampling.presence_penalty,
        repetition_penalty=sampling.repetition_penalty,
        seed=sampling.seed % SEED_RANGE,
        stop=list(sampling.stop),
        detokenize=bool(sampling.stop),
        logprob_token_ids=list(sampling.logprobs_of) or None,
        output_kind=RequestOutputKind.FINAL_ONLY
        if sampling.on_token is None
        else RequestOutputKind.CUMULATIVE,
    )


@dataclass(slots=True)
class Told:
    """Tells of the new tokens of outputs that each hold all, and keeps with which step they came.

    Tokens behind a stop string are told too.
    """

    on_token: Callable[[int], None]
    arrivals: list[tuple[int | None, int]] = field(default_factory=list)
    _told: int = 0

    def __call__(self, output: Any, step: int | None) -> None:
        """Tell of an output; of which step of the engine, is None where that is not known."""
        new = output.outputs[0].token_ids[self._told :]
        for token in new:
            self.on_token(token)
        self._told += len(new)
        if new:
            self.arrivals.append((step, len(new)))


def telling(sampling: SamplingRequest) -> Told | None:
    """What tells of outputs; None where nobody wants to hear."""
    return None if sampling.on_token is None else Told(sampling.on_token)


def to_completion(
    output: Any, sampling: SamplingRequest, tokenizer: Tokenizer, seconds: float, *, singly: bool
) -> Completion:
    """The completion that a finished RequestOutput holds; `singly`: a token a forward.

    Raises `EngineFailure` when vLLM gave the request up.
    """
    text = output.outputs[0]
    if text.finish_reason not in {"stop", "length"}:
        raise EngineFailure(f"vLLM ended the request early: {text.finish_reason}")
    # An integer here is one of several end-of-text ids.
    stop_string = text.stop_reason if isinstance(text.stop_reason, str) else None
    ids = tuple(text.token_ids)
    return Completion(
        text=text.text if sampling.stop else _decoded(ids, tokenizer),
        token_ids=ids,
        finish_reason=text.finish_reason,
        stop_string=stop_string,
        prompt_tokens=len(output.prompt_token_ids),
        cached_prompt_tokens=output.num_cached_tokens,
        seconds=seconds,
        logprobs=_first_logprobs(text.logprobs, sampling.logprobs_of),
        forwards=len(ids) if singly else None,
        guesses=_guesses(text),
    )


def _guesses(text: Any) -> tuple[int, int] | None:
    """How many were put before the model and accepted; None where vLLM does not count them."""
    counted = getattr(text, "spec_decode_metrics", None)
    if counted is None:
        return None
    accepted = sum(length * steps for length, steps in enumerate(counted.histogram))
    return int(counted.num_draft_tokens), int(accepted)


def _decoded(ids: tuple[int, ...], tokenizer: Tokenizer) -> str:
    """The text as vLLM would have decoded it: without its end, and without half a character."""
    if ids and ids[-1] in tokenizer.eos_ids:
        ids = ids[:-1]
    return tokenizer.decode(ids).rstrip(UNFINISHED_CHARACTER)


def _first_logprobs(rows: Any, token_ids: tuple[int, ...]) -> dict[int, float] | None:
    if not token_ids:
        return None
    first = rows[0] if rows else {}
    missing = [token for token in token_ids if token not in first]
    if missing:
        raise EngineFailure(f"vLLM gave no log-probability for the tokens {missing}")
    return {token: first[token].logprob for token in token_ids}
