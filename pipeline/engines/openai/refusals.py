"""What answers without success mean: whose fault they are, and whether a limit has another name."""

from http import HTTPStatus

import httpx

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.http_retry import BUSY, Call, RetryPolicy
from pipeline.engines.openai.server import sent_on
from pipeline.engines.openai.wire import reason_of
from pipeline.errors import EngineFailure, PromptTooLong, Unserved

LIMIT, OTHER_LIMIT = "max_tokens", "max_completion_tokens"
"""What a server calls the most tokens that it may write; some refuse the first name."""
REFUSED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""What a server says of a request that it would refuse anywhere."""
TOO_LONG = ("context length", "context_length", "maximum model length", "too long")

CONTEXT = "max_model_len"
"""How vLLM calls the context, in a refusal of more tokens than it has room for."""


def failure_of(
    response: httpx.Response, url: str, policy: RetryPolicy, secrets: Secrets
) -> EngineFailure:
    """The error that an answer without success stands for."""
    if response.has_redirect_location:
        return Unserved(sent_on(url, response.headers["Location"]))
    reason = reason_of(response.text, secrets)
    too_long = any(words in reason for words in TOO_LONG)
    if response.status_code == HTTPStatus.BAD_REQUEST and too_long:
        return PromptTooLong(f"the server refuses the prompt: {reason}")
    waited = response.status_code in BUSY and policy.patience > 0
    after = f", after {policy.patience:g} s of waiting (--busy-timeout)" if waited else ""
    if CONTEXT in reason:
        reason += "; say how long the model's context is with --max-model-len"
    kind = EngineFailure if response.status_code in REFUSED else Unserved
    return kind(f"the server answers {response.status_code}{after}: {reason}")


def wants_other_limit(response: httpx.Response, call: Call) -> bool:
    """Whether the server refuses `max_tokens` and names what it wants instead."""
    refused = response.status_code == HTTPStatus.BAD_REQUEST and OTHER_LIMIT in response.text
    return refused and LIMIT in (call.body or {})
