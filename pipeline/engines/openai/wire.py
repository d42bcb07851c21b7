"""Requests and answers of OpenAI-compatible servers, as JSON bodies. What comes in is untrusted."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from pipeline.engines.limits import SEED_RANGE
from pipeline.engines.masking import Secrets
from pipeline.engines.protocol import FinishReason, Message, SamplingRequest
from pipeline.engines.sampling import further
from pipeline.errors import Unserved

TOKEN_PREFIX = "token_id:"  # noqa: S105 - vLLM's spelling of tokens, no password
# Without the last three vLLM takes them from the model's generation_config.json, in process not.
VLLM_EXTRAS = {"return_token_ids": True, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
# What the longest error text of a server may fill of one of ours, in characters.
MAX_REASON = 300
MAX_TOKENS = 2**24
"""The most tokens that a server may count in one request; more is no count."""
LOGPROB_ROUNDING = 0.001
LONGEST_FINISH = 40

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]
TokenId = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Logprob = Annotated[float, msgspec.Meta(le=LOGPROB_ROUNDING)]


class _PromptDetails(msgspec.Struct):
    cached_tokens: Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    """`stop_reason` is vLLM's name for the stop string, `matched_stop` SGLang's."""

    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    token_ids: list[TokenId] | None = None
    stop_reason: Any = None
    matched_stop: Any = None
    logprobs: Any = None


class _Body(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage | None = None


class _Logprobs(msgspec.Struct):
    top_logprobs: Annotated[list[dict[str, Logprob] | None], msgspec.Meta(min_length=1)]


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
        **further(sampling),
    }
    return {**body, "stop": list(sampling.stop)} if sampling.stop else body


def completion_body(
    model: str, prompt: list[int] | str, sampling: SamplingRequest, room: int
) -> dict[str, Any]:
    """The body for /completions."""
    body = {**_sampling(model, sampling, room), "prompt": prompt}
    if sampling.logprobs_of:
        # As ids, since tokens that decode alike would overwrite each other.
        body |= {
            "logprobs": len(sampling.logprobs_of),
            "logprob_token_ids": list(sampling.logprobs_of),
            "return_tokens_as_token_ids": True,
        }
    return body


def chat_body(model: str, messages: Sequence[Message], sampling: SamplingRequest) -> dict[str, Any]:
    """The body for /chat/completions."""
    body = _sampling(model, sampling, sampling.max_tokens)
    body["messages"] = [dict(message) for message in messages]
    return body


def parse_answer(body: Any, sampling: SamplingRequest) -> Answer:
    """What a completion or chat body says; raises `Unserved` when it is none.

    A count of 0 beside an answer is what servers send that do not count: it is not reported.
    """
    try:
        whole = msgspec.convert(body, _Body)
        choice, usage = whole.choices[0], whole.usage or _Usage()
        logprobs = _logprobs(choice, sampling.logprobs_of)
    except msgspec.ValidationError as error:
        raise _no_completion(str(error)) from error
    prompt_tokens = usage.prompt_tokens or None
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    if prompt_tokens is not None and cached is not None and cached > prompt_tokens:
        raise _no_completion(
            f"usage.prompt_tokens_details.cached_tokens is {cached}, and usage.prompt_tokens "
            f"only {prompt_tokens}"
        )
    written = max(len(choice.token_ids or ()), usage.completion_tokens or 0)
    if written > sampling.max_tokens:
        raise Unserved(
            f"the server wrote {written} tokens where at most {sampling.max_tokens} were asked for "
            "(max_tokens), so that no token budget holds with it"
        )
    return Answer(
        text=whole_characters(_text(choice)),
        token_ids=None if choice.token_ids is None else tuple(choice.token_ids),
        finish_reason=_finish(choice.finish_reason),
        stop_string=_stop_string(choice, sampling.stop),
        prompt_tokens=prompt_tokens,
        completion_tokens=usage.completion_tokens or None,
        cached_tokens=cached if prompt_tokens is not None else None,
        logprobs=logprobs,
    )


def _text(choice: _Choice) -> str:
    message = choice.message
    if message is None:
        if choice.text is None:
            raise _no_completion("choices[0].text is null")
        return choice.text
    thought = message.reasoning_content or message.reasoning
    if not thought and message.content is None:
        raise _no_completion("choices[0].message.content is null")
    return thinking_and_answer(thought, message.content or "")


def thinking_and_answer(thought: str | None, answer: str | None) -> str:
    """What the model wrote, of servers that part thinking from answer; None has not begun."""
    if not thought:
        return answer or ""
    return f"<think>\n{thought}" + ("" if answer is None else f"\n</think>\n\n{answer}")


def whole_characters(text: str) -> str:
    """`text` with halves of surrogate pairs, which JSON lets through, as question marks."""
    return text.encode("utf-8", "replace").decode()


def _finish(reason: str | None) -> FinishReason:
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    if reason is None:
        raise Unserved("the server's answer names no finish_reason: nothing says that it is whole")
    said = repr(reason) if len(reason or "") <= LONGEST_FINISH else "that is none"
    raise Unserved(f"the server ended the request with finish_reason {said}")


def _stop_string(choice: _Choice, asked: tuple[str, ...]) -> str | None:
    """The stop string, where the server names it."""
    for named in (choice.stop_reason, choice.matched_stop):
        if isinstance(named, str) and named in asked:
            return named
    return None


def _logprobs(choice: _Choice, token_ids: tuple[int, ...]) -> dict[int, float] | None:
    if not token_ids:
        return None
    first = msgspec.convert(choice.logprobs, _Logprobs).top_logprobs[0] or {}
    missing = [token for token in token_ids if f"{TOKEN_PREFIX}{token}" not in first]
    if missing:
        raise _no_completion(f"choices[0].logprobs lacks the tokens {missing}")
    return {token: first[f"{TOKEN_PREFIX}{token}"] for token in token_ids}


def _no_completion(reason: str) -> Unserved:
    return Unserved(f"the server's answer is not a completion ({reason})")


def reason_of(text: str, secrets: Secrets) -> str:
    """The readable part of an error answer, cut to a length that fits a message.

    Secrets are masked before the cut, which could leave the beginning of one; of a text too long to
    be searched whole, the end that may hold such a beginning is left out.
    """
    said, most = " ".join(text.split()), 100 * MAX_REASON + secrets.longest
    masked = secrets.masked(said[:most])
    if len(said) > most:
        masked = masked[: -secrets.longest or None]
    return masked[:MAX_REASON]
