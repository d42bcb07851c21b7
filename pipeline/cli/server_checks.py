"""The doctor's checks of servers: what they serve, and whether they do what experiments ask for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from pipeline.cli.findings import Finding, State
from pipeline.engines import entry
from pipeline.engines.masking import masked_errors
from pipeline.engines.model_extras import secrets_of
from pipeline.engines.openai.engine import READY_CHAT, READY_PROMPT, OpenAIEngine
from pipeline.engines.openai.server import base_url_of, listed, make_client, models_of
from pipeline.engines.protocol import Ability, Completion, SamplingRequest
from pipeline.engines.replica import Likeness
from pipeline.engines.settings import EngineSettings
from pipeline.errors import EngineFailure, RunStopped, UserMistake
from pipeline.reasoners.step_score import digit_ids

SEEDS = (1, 1, 2, 3)
"""The first two ask for the same answer, the others for other ones."""
SEEDED = SamplingRequest(max_tokens=16, temperature=1.0, top_p=1.0, seed=0)


def server_findings(
    addresses: Sequence[str], model: str | None, tokenizer: str | None
) -> Iterator[Finding]:
    """All that there is to find of each server, and whether they can be replicas of one model."""
    settings = EngineSettings("openai", model or "", tokenizer=tokenizer)
    yield from asyncio.run(_findings([replace(settings, base_url=one) for one in addresses]))


async def _findings(servers: Sequence[EngineSettings]) -> list[Finding]:
    found: list[Finding] = []
    first: OpenAIEngine | None = None
    async with contextlib.AsyncExitStack() as stack:
        for settings in servers:
            name = ""
            try:
                name = base_url_of(settings)
                engine = await stack.enter_async_context(_started(settings))
            except (UserMistake, RunStopped) as error:
                found.append(Finding(State.FAILURE, "server", str(error)))
                continue
            found += [
                _serves(engine, name),
                _takes_tokens(engine, name),
                await _tells_logprobs(engine, name),
                await _honours_seeds(engine, name),
            ]
            if first is None:
                first = engine
            elif difference := Likeness.of(first).difference_to(Likeness.of(engine)):
                advice = "give all --base-url the same model with the same settings"
                said = f"{name} is no replica of the first server: {difference}"
                found.append(Finding(State.FAILURE, "replicas", said, advice))
    return found


@contextlib.asynccontextmanager
async def _started(settings: EngineSettings) -> AsyncIterator[OpenAIEngine]:
    """An engine of the server; of no named model that of the only one that it has."""
    if not settings.model:
        settings = replace(settings, model=await _only_model(settings))
    engine = OpenAIEngine(settings)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.stop()


async def _only_model(settings: EngineSettings) -> str:
    base = base_url_of(settings)
    with masked_errors(secrets_of(settings)):
        async with make_client(settings) as client:
            models = sorted(listed(await models_of(client, settings), base))
    if len(models) != 1:
        raise UserMistake(
            f"the server at {base} serves {', '.join(models) or 'no model'}; name one with --model"
        )
    return models[0]


def _serves(engine: OpenAIEngine, name: str) -> Finding:
    facts = engine.facts
    if facts.context is None:
        advice = "where it refuses more tokens than it has room for, say it with --max-model-len"
        said = f"{name} serves {facts.model}, context unknown"
        return Finding(State.OK, "server", said, advice)
    return Finding(State.OK, "server", f"{name} serves {facts.model}, context {facts.context:,}")


def _takes_tokens(engine: OpenAIEngine, name: str) -> Finding:
    skills, what = engine.skills, "token prompts"
    if Ability.TOKEN_PROMPTS not in engine.abilities:
        remedy = entry("openai").remedy([Ability.TOKEN_PROMPTS], "target")
        able = "takes token ids, but its tokenizer is unknown: it " if skills.takes_ids else ""
        return Finding(State.WARNING, what, f"{name} {able}is asked by chats only", remedy)
    how = "takes token ids" if skills.takes_ids else "takes text, by the named tokenizer"
    more = "" if skills.tells_ids else ", and does not tell the ids that it writes"
    return Finding(State.OK, what, f"{name} {how}{more}")


async def _tells_logprobs(engine: OpenAIEngine, name: str) -> Finding:
    """Whether a step could be scored: by one token, and the probabilities of the digits."""
    what, advice = "log-probabilities", "spec needs them of its target: serve the model with vLLM"
    if Ability.DIGIT_LOGPROBS not in engine.abilities:
        return Finding(State.WARNING, what, f"{name} tells none of chosen tokens", advice)
    if Ability.TOKEN_PROMPTS not in engine.abilities:
        return Finding(State.OK, what, f"{name} tells those of chosen tokens")
    try:
        digits = tuple(digit_ids(engine.tokenizer))
        asked = SamplingRequest(1, temperature=0.0, top_p=1.0, seed=0, logprobs_of=digits)
        await engine.complete(engine.tokenizer.encode(READY_PROMPT), asked)
    except (EngineFailure, UserMistake) as error:
        return Finding(State.WARNING, what, f"{name}: {error}", advice)
    return Finding(State.OK, what, f"{name} tells those of the {len(digits)} digits")


async def _honours_seeds(engine: OpenAIEngine, name: str) -> Finding:
    """Whether the same request is answered the same way, and another seed another way."""
    try:
        one, again, *others = [await _answer(engine, seed) for seed in SEEDS]
    except EngineFailure as error:
        return Finding(State.WARNING, "seed", f"{name}: {error}", "see its log")
    if one.text != again.text:
        advice = "attempts cannot be repeated: two runs of one seed differ"
        return Finding(State.WARNING, "seed", f"{name} answers one seed in two ways", advice)
    if all(other.text == one.text for other in others):
        advice = "see whether it samples: repeats of a problem would be copies"
        return Finding(State.WARNING, "seed", f"{name} answers every seed the same way", advice)
    return Finding(State.OK, "seed", f"{name} answers the same seed the same way")


async def _answer(engine: OpenAIEngine, seed: int) -> Completion:
    asked = replace(SEEDED, seed=seed)
    if Ability.TOKEN_PROMPTS in engine.abilities:
        return await engine.complete(engine.tokenizer.encode(READY_PROMPT), asked)
    return await engine.chat(READY_CHAT, asked)
