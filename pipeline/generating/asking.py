"""Asking an engine: prompts as requests, one by one or as branches of one sequence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from pipeline.engines.protocol import (
    Ability,
    Completion,
    Engine,
    Groups,
    Message,
    SamplingRequest,
)
from pipeline.engines.settings import BRANCHES
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong, UserMistake
from pipeline.generating.prompts import Prompt
from pipeline.generating.settings import Generation
from pipeline.generating.streaming import Hear, Stream
from pipeline.seeds import request_seed


async def ask(
    prompts: Sequence[Prompt],
    generation: Generation,
    engine: Engine,
    hear: Hear | None = None,
    branch: int = 0,
) -> list[Completion | EngineFailure | UserMistake]:
    """What the engine makes of prompts that are asked together: each an answer or why not.

    `branch` is what `hear` is told as the place of the first.

    Raises:
        EngineDead: the engine has ended.
    """
    found: dict[int, Completion | EngineFailure | UserMistake] = {}
    asked: dict[int, Request] = {}
    streams: dict[int, Stream] = {}
    for place, prompt in enumerate(prompts):
        try:
            asked[place] = _request(prompt, generation, engine)
        except (EngineFailure, UserMistake) as error:
            found[place] = error
            continue
        if hear is not None:
            streams[place] = _stream(prompt, branch + place, engine, hear)
            asked[place] = asked[place].told(streams[place])
    if generation.model.decoding == BRANCHES:
        together = cast("Groups", engine)
        requests = [(one.token_ids or (), one.sampling) for one in asked.values()]
        found |= dict(zip(asked, await together.complete_together(requests), strict=True))
    else:
        for place, one in asked.items():
            found[place] = await _completed(one, engine)
    for place, stream in streams.items():
        one_found = found[place]
        stream.end("" if isinstance(one_found, Exception) else one_found.text)
    return [found[place] for place in range(len(prompts))]


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked: a token prefix, or a chat."""

    sampling: SamplingRequest
    token_ids: tuple[int, ...] | None = None
    messages: tuple[Message, ...] = ()

    def told(self, stream: Stream) -> "Request":
        """The same, of whose answer a stream is told as it grows."""
        heard = replace(self.sampling, on_token=stream.on_token, on_text=stream.on_text)
        return replace(self, sampling=heard)


async def _completed(asked: Request, engine: Engine) -> Completion | EngineFailure:
    """What one request comes to; raises `EngineDead`."""
    try:
        if asked.token_ids is None:
            return await engine.chat(asked.messages, asked.sampling)
        return await engine.complete(asked.token_ids, asked.sampling)
    except EngineDead:
        raise
    except EngineFailure as error:
        return error


def _stream(prompt: Prompt, branch: int, engine: Engine, hear: Hear) -> Stream:
    """An engine that tells no tokens tells texts, or nothing before the end."""
    told = Ability.STREAMING in engine.abilities
    return Stream(prompt.prompt_id, branch, hear, engine.tokenizer if told else None)


def _request(prompt: Prompt, generation: Generation, engine: Engine) -> Request:
    """What the engine is asked.

    Raises:
        EngineFailure: there is no room for an answer.
        UserMistake: the prompt cannot be rendered.
    """
    as_chat = generation.chat_template or not isinstance(prompt.asked, str)
    seed = request_seed(
        generation.seed, "generate", prompt.prompt_id, 0, track="0", step=0, purpose="plain"
    )
    if as_chat and Ability.TOKEN_PROMPTS not in engine.abilities:
        most = min(generation.max_new_tokens, generation.max_length)
        return Request(generation.sampling.request(most, seed), messages=prompt.messages)
    tokenizer = engine.tokenizer
    ids = tokenizer.encode(prompt.text_for(tokenizer, as_chat=as_chat))
    room = generation.max_length - len(ids)
    if room < 1:
        raise PromptTooLong(
            f"the prompt has {len(ids)} tokens and --max-length is {generation.max_length}: no "
            "room is left for an answer"
        )
    most = generation.most_tokens(len(ids))
    bound = generation.model.branching and generation.model.branching.total_tokens
    if bound and most > bound:
        raise PromptTooLong(
            f"the prompt has {len(ids)} tokens, {most} with its answer, and --max-total-tokens is "
            f"{bound}: it does not fit into a group of its own"
        )
    sampling = generation.sampling.request(min(generation.max_new_tokens, room), seed)
    return Request(replace(sampling, likeliest=generation.likeliest), tuple(ids))
