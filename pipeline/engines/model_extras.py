"""What a model card or a server asks for beyond sampling, as JSON: checked, and shown masked."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.engines.masking import MASK, Secrets
from pipeline.engines.sampling import OPTIONS
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake

Json = dict[str, Any]
OF_THE_CHAT = frozenset(
    {
        "add_generation_prompt",
        "chat_template",
        "continue_final_message",
        "conversation",
        "documents",
        "messages",
        "padding",
        "return_dict",
        "return_tensors",
        "tokenize",
        "tools",
        "truncation",
    }
)
"""What the program itself gives to a chat template, or to the function that renders it."""
BY_OPTIONS = frozenset(
    {*(option.name for option in OPTIONS), "seed", "chat_template_kwargs", "reasoning_effort"}
)
OF_THE_RUN = frozenset(
    {
        "add_special_tokens",
        "allowed_token_ids",
        "best_of",
        "echo",
        "include_stop_str_in_output",
        "logprob_token_ids",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "prompt",
        "prompt_logprobs",
        "return_token_ids",
        "return_tokens_as_token_ids",
        "skip_special_tokens",
        "stop",
        "stop_token_ids",
        "stream",
        "stream_options",
        "suffix",
        "top_logprobs",
    }
)
"""Fields of a request on which the run relies."""
NAMES_A_SECRET = re.compile(
    r"(^|[_.-])(api[_-]?key|key|token|secret|password|passwd|authorization|credentials?|bearer)$",
    re.IGNORECASE,
)


def chat_fields(settings: EngineSettings) -> Json:
    """What is set of `chat_template_kwargs` and `reasoning_effort`, as servers take it in chats.

    Raises:
        UserMistake: it is no JSON object, or sets what the program sets.
    """
    given = _json_object("--chat-template-kwargs", settings.chat_template_kwargs)
    taken = sorted(given.keys() & OF_THE_CHAT)
    if taken:
        raise UserMistake(f"--chat-template-kwargs cannot set {taken[0]!r}: the program does.")
    if "reasoning_effort" in given and settings.reasoning_effort is not None:
        raise UserMistake(
            "--reasoning-effort and --chat-template-kwargs set the same; drop one of the two."
        )
    named = {"chat_template_kwargs": given, "reasoning_effort": settings.reasoning_effort}
    return {name: one for name, one in named.items() if one}


def template_settings(settings: EngineSettings) -> Json:
    """The same as the model's own chat template is given it, beside the chat.

    Raises:
        UserMistake: as `chat_fields`.
    """
    fields = chat_fields(settings)
    given: Json = fields.pop("chat_template_kwargs", {})
    return given | fields


def extra_body(settings: EngineSettings) -> Json:
    """What every request to the model's server holds besides what the run asks for.

    Raises:
        UserMistake: it is no JSON object, or sets what the run controls.
    """
    given = _json_object("--extra-body", settings.extra_body)
    for name in sorted(given):
        if name in BY_OPTIONS:
            flag = "--" + name.replace("_", "-")
            raise UserMistake(f"--extra-body cannot set {name!r}; use {flag}.")
        if name in OF_THE_RUN:
            raise UserMistake(f"--extra-body cannot set {name!r}, which the run controls.")
    return given


def secrets_of(settings: EngineSettings, *others: EngineSettings) -> Secrets:
    """What must not be written: the key, the first address's password, what bodies hold.

    Raises:
        UserMistake: a body is no JSON object.
    """
    held = (secret for one in (settings, *others) for secret in _secrets_in(extra_body(one)))
    return Secrets.of(settings.base_url, *held)


def extras_where_set(settings: EngineSettings) -> Json:
    """These settings as a run's identity has them: only those that are set, secrets masked.

    Raises:
        UserMistake: one is no JSON object, or sets what it must not.
    """
    body = _masked(extra_body(settings), Secrets.of(settings.base_url))
    return chat_fields(settings) | ({"extra_body": body} if body else {})


def _json_object(option: str, text: str | None) -> Json:
    """The object; of a text that is none, nothing is told, as it may hold a secret."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UserMistake(f"{option} is not JSON ({_without_text(error)}).") from None
    except RecursionError:
        raise UserMistake(f"{option} is nested too deep.") from None
    if not isinstance(value, dict):
        raise UserMistake(f'{option} must be a JSON object, such as {{"name": 1}}.')
    return value


def _without_text(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    return "it holds a number that is none"


def _secrets_in(value: Any) -> Iterator[str]:
    """The texts that stand under the name of a secret, however deep."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, str) and NAMES_A_SECRET.search(name):
                yield inner
            else:
                yield from _secrets_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets_in(inner)


def _masked(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, Mapping):
        return {
            name: MASK
            if isinstance(inner, str) and NAMES_A_SECRET.search(name)
            else _masked(inner, secrets)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked(inner, secrets) for inner in value]
    return secrets.masked(value) if isinstance(value, str) else value
