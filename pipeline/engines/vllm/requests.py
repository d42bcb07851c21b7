"""Requests and answers in vLLM's own words. Import only after the environment is set."""

from collections.abc import Callable
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


def telling(sampling: SamplingRequest) -> Callable[[Any], None] | None:
    """What tells of the new tokens of outputs that each hold all; None where nobody wants to hear.

    Tokens behind a stop string are told too.
    """
    on_token, told = sampling.on_token, 0
    if on_token is None:
        return None

    def tell(output: Any) -> None:
        nonlocal told
        for token in output.outputs[0].token_ids[told:]:
            on_token(token)
            told += 1

    return tell


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
    )


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
