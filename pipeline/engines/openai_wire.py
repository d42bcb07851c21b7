"""Requests and answers of OpenAI-compatible servers, as JSON bodies. What comes in is untrusted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.engines.limits import SEED_RANGE
from pipeline.engines.protocol import FinishReason, Message, SamplingRequest
from pipeline.errors import EngineFailure

TOKEN_PREFIX = "token_id:"  # noqa: S105 - vLLM's spelling of tokens, no password
# Without these vLLM takes them from the model's generation_config.json, in process it does not.
VLLM_PLAIN_SAMPLING = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
# What the longest error text of a server may fill of one of ours, in characters.
MAX_REASON = 300


class Answer(NamedTuple):
    """What a server answered; None for what it does not report."""

    text: str
    token_ids: tuple[int, ...] | None
    finish_reason: FinishReason
    stop_string: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    logprobs: dict[int, float] | None


def _sampling(model: str, sampling: SamplingRequest, room: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": room,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed % SEED_RANGE,
    }
    return {**body, "stop": list(sampling.stop)} if sampling.stop else body


def _vllm_extras(sampling: SamplingRequest) -> dict[str, Any]:
    extras: dict[str, Any] = {"return_token_ids": True, **VLLM_PLAIN_SAMPLING}
    if sampling.choices:
        extras["structured_outputs"] = {"choice": list(sampling.choices)}
    return extras


def completion_body(
    model: str, prompt: list[int] | str, sampling: SamplingRequest, room: int, *, vllm: bool
) -> dict[str, Any]:
    """The body for /completions."""
    body = {**_sampling(model, sampling, room), "prompt": prompt}
    if not vllm:
        return body
    body |= _vllm_extras(sampling)
    if sampling.logprobs_of:
        # As ids, since tokens that decode alike would overwrite each other.
        body |= {
            "logprobs": len(sampling.logprobs_of),
            "logprob_token_ids": list(sampling.logprobs_of),
            "return_tokens_as_token_ids": True,
        }
    return body


def chat_body(
    model: str, messages: Sequence[Message], sampling: SamplingRequest, *, vllm: bool
) -> dict[str, Any]:
    """The body for /chat/completions."""
    body = _sampling(model, sampling, sampling.max_tokens)
    body["messages"] = [dict(message) for message in messages]
    return body | _vllm_extras(sampling) if vllm else body


def parse_answer(body: Any, sampling: SamplingRequest) -> Answer:
    """What a completion or chat body says; raises `EngineFailure` when it is none."""
    try:
        choice = body["choices"][0]
        usage = body.get("usage") or {}
        ids = choice.get("token_ids")
        details = usage.get("prompt_tokens_details") or {}
        return Answer(
            text=_whole_characters(_text(choice)),
            token_ids=None if ids is None else tuple(map(int, ids)),
            finish_reason=_finish(choice.get("finish_reason")),
            stop_string=_stop_string(choice),
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            cached_tokens=details.get("cached_tokens"),
            logprobs=_logprobs(choice.get("logprobs"), sampling.logprobs_of),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise EngineFailure(
            f"the server's answer is no completion ({type(error).__name__}: {error})"
        ) from error


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    if message is None:
        return str(choice["text"])
    content = message.get("content") or ""
    # Servers that part thinking from answer: put together what the model wrote.
    thought = message.get("reasoning_content") or message.get("reasoning")
    return f"<think>\n{thought}\n</think>\n\n{content}" if thought else str(content)


def _whole_characters(text: str) -> str:
    """`text` with halves of surrogate pairs, which JSON lets through, as question marks."""
    return text.encode("utf-8", "replace").decode()


def _finish(reason: object) -> FinishReason:
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    raise EngineFailure(f"the server ended the request with finish_reason {reason!r}")


def _stop_string(choice: Mapping[str, Any]) -> str | None:
    """The stop string where the server names it: vLLM's stop_reason, SGLang's matched_stop."""
    named = choice.get("stop_reason", choice.get("matched_stop"))
    return named if isinstance(named, str) else None


def _logprobs(logprobs: Any, token_ids: tuple[int, ...]) -> dict[int, float] | None:
    if not token_ids:
        return None
    first = logprobs["top_logprobs"][0]
    return {token: float(first[f"{TOKEN_PREFIX}{token}"]) for token in token_ids}


def reason_of(text: str) -> str:
    """The readable part of an error answer, cut to a length that fits a message."""
    return " ".join(text.split())[:MAX_REASON]
