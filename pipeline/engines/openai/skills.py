"""What a server can do, found out by how it answers: its name says nothing of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import httpx
import msgspec

from pipeline.engines.masking import Secrets
from pipeline.engines.openai.event_stream import body_of
from pipeline.engines.openai.wire import VLLM_EXTRAS, TokenId, completion_body, parse_answer
from pipeline.engines.protocol import SamplingRequest
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import Unserved, UserMistake

PROBE = [11, 12, 13, 14, 15]
"""Tokens that every vocabulary has; a server that reads the list as text counts others."""
CHOSEN = tuple(range(16, 26))
"""As many tokens as there are digits: a server may tell the log-probabilities of fewer only."""
TEXT = "Let x + 12 = 57.\n\nSo **x** is \\boxed{45}"
"""What a server is to turn into tokens: words, figures and signs as problems have them."""
MOST_SHOWN = 80
Ask = Callable[[dict[str, Any]], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Skills:
    """What a server of vLLM's kind does and others may not, whatever it is called.

    `takes_ids`: prompts of token ids. `tells_ids`: the ids of what it wrote, where
    `return_token_ids` asks for them; it knows vLLM's fields then. `tells_logprobs`:
    log-probabilities of chosen tokens.
    """

    takes_ids: bool = False
    tells_ids: bool = False
    tells_logprobs: bool = False


async def skills_of(ask: Ask, model: str, sampling: SamplingRequest, secrets: Secrets) -> Skills:
    """Ask for one token, after a prompt of token ids, with log-probabilities of chosen tokens.

    A server that refuses the log-probabilities is asked again without them. What `ask` brings may
    be no completion, of which others complain; where a server is too busy to show what it can do,
    `ask` raises.
    """
    chosen = replace(sampling, logprobs_of=CHOSEN)
    response = await ask(VLLM_EXTRAS | completion_body(model, PROBE, chosen, 1))
    if response.is_client_error and "logprob" in response.text:
        response = await ask(VLLM_EXTRAS | completion_body(model, PROBE, sampling, 1))
    if not response.is_success:
        return Skills()
    try:
        body = body_of(response, secrets)
        answer = parse_answer(body, sampling)
    except (ValueError, RecursionError, Unserved):
        return Skills()
    return Skills(
        takes_ids=answer.prompt_tokens == len(PROBE),
        tells_ids=bool(answer.token_ids),
        tells_logprobs=_tells(body, chosen),
    )


def _tells(body: Any, chosen: SamplingRequest) -> bool:
    try:
        parse_answer(body, chosen)
    except Unserved:
        return False
    return True


class _Choice(msgspec.Struct):
    prompt_token_ids: list[TokenId] | None = None


class _Read(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]


def check_tokenizer(response: httpx.Response, tokenizer: HFTokenizer) -> None:
    """Refuse a tokenizer by which the tokens that a server read in `TEXT` are another text.

    Nothing is said where the answer has no such tokens. Texts are compared and not tokens, of which
    several lists may mean one text.

    Raises:
        UserMistake: it is not the one of the server's model.
    """
    try:
        [choice, *_] = msgspec.convert(response.json(), _Read).choices
    except (ValueError, RecursionError):
        return
    if choice.prompt_token_ids is None:
        return
    meant = tokenizer.decode_with_special(choice.prompt_token_ids)
    if meant.split() != TEXT.split():
        raise UserMistake(
            "the tokenizer is not that of the server's model: what the server reads as "
            f"{TEXT!r} is {meant[:MOST_SHOWN]!r} by it; correct --tokenizer"
        )
