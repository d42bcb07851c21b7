"""What every engine promises, held by each of them alike."""

import asyncio
import math
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines import create
from pipeline.engines.limits import TooSlow
from pipeline.engines.protocol import Ability, Engine, SamplingRequest
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Script
from pipeline.engines.settings import EngineName, EngineSettings
from pipeline.errors import EngineDead, EngineFailure, PromptTooLong

CONTEXT = 512
SAMPLED = SamplingRequest(max_tokens=40, temperature=1.0, top_p=0.95, seed=11)
SCORE = SamplingRequest(max_tokens=1, temperature=0.0, top_p=1.0, seed=0)
ENGINES = ["scripted", "transformers", pytest.param("vllm", marks=pytest.mark.vllm)]


def make(name: EngineName, tiny_model: Path, log: Path) -> Engine:
    if name == "scripted":
        return ScriptedEngine(EngineSettings(name, "script"), Script(context=CONTEXT))
    return create(EngineSettings(name, str(tiny_model), process="inprocess", log=log))


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    log = tmp_path_factory.mktemp("log") / "engine.log"
    made = make(request.param, tiny_model, log)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


def ids(engine: Engine, text: str) -> list[int]:
    return engine.tokenizer.encode(text)


async def test_a_completion_that_reaches_max_tokens_says_length(engine: Engine) -> None:
    done = await engine.complete(ids(engine, "Let a=7."), replace(SAMPLED, max_tokens=3))
    assert (len(done.token_ids), done.finish_reason, done.stop_string) == (3, "length", None)


async def test_text_is_the_decoded_tokens(engine: Engine) -> None:
    done = await engine.complete(ids(engine, "Let a=7."), SAMPLED)
    assert done.text == engine.tokenizer.decode(done.token_ids)
    assert done.prompt_tokens == len(ids(engine, "Let a=7."))


async def test_a_stop_string_cuts_the_text_and_stays_in_the_tokens(engine: Engine) -> None:
    free = await engine.complete(ids(engine, "Let a=7."), SAMPLED)
    stop = next(char for char in free.text[3:] if char.isascii() and char.isprintable())
    done = await engine.complete(ids(engine, "Let a=7."), replace(SAMPLED, stop=("%%%", stop)))
    assert (done.finish_reason, done.stop_string) == ("stop", stop)
    assert done.text == free.text[: free.text.index(stop)]
    assert engine.tokenizer.decode(done.token_ids).endswith(stop)


async def test_the_same_seed_gives_the_same_tokens_alone_and_among_others(engine: Engine) -> None:
    prompt = ids(engine, "Let a=7, b=a+5. Find b. " * 6)
    alone = await engine.complete(prompt, SAMPLED)
    others = [engine.complete(prompt[i:], replace(SAMPLED, seed=i)) for i in range(16)]
    among, *_ = await asyncio.gather(engine.complete(prompt, SAMPLED), *others)
    assert among.token_ids == alone.token_ids


async def test_another_seed_gives_another_text(engine: Engine) -> None:
    prompt = ids(engine, "Let a=7.")
    texts = {(await engine.complete(prompt, replace(SAMPLED, seed=seed))).text for seed in range(5)}
    assert len(texts) > 1


async def test_seeds_wider_than_64_bits_are_taken(engine: Engine) -> None:
    done = await engine.complete(ids(engine, "Let a=7."), replace(SAMPLED, seed=2**80 + 3))
    assert done.token_ids


async def test_digit_logprobs_are_raw_and_do_not_depend_on_neighbours(engine: Engine) -> None:
    digits = tuple(engine.tokenizer.encode("0123456789"))
    prompt = ids(engine, "Let a=7. Score: ")
    asked = replace(SCORE, logprobs_of=digits)
    alone = (await engine.complete(prompt, asked)).logprobs
    others = [engine.complete(prompt[i:], SAMPLED) for i in range(8)]
    among = (await asyncio.gather(engine.complete(prompt, asked), *others))[0].logprobs
    assert alone is not None
    assert among == pytest.approx(alone, abs=1e-6)
    assert set(alone) == set(digits)
    assert 0 < sum(map(math.exp, alone.values())) <= 1 + 1e-6


async def test_a_choice_is_one_of_the_choices(engine: Engine) -> None:
    for seed in range(4):
        asked = replace(SAMPLED, choices=("AB", "A", "C"), seed=seed)
        done = await engine.complete(ids(engine, "Method: "), asked)
        assert done.text in asked.choices
        assert done.finish_reason == "stop"


async def test_choices_with_logprobs_are_refused(engine: Engine) -> None:
    asked = replace(SCORE, choices=("A",), logprobs_of=(5,))
    with pytest.raises(EngineFailure, match="choices and logprobs_of"):
        await engine.complete(ids(engine, "A"), asked)


async def test_a_prompt_that_fills_the_context_is_too_long(engine: Engine) -> None:
    with pytest.raises(PromptTooLong, match=f"512 tokens and the model's context {CONTEXT}"):
        await engine.complete(ids(engine, "a" * CONTEXT), SAMPLED)


async def test_max_tokens_is_clipped_to_the_room_left(engine: Engine) -> None:
    prompt = ids(engine, "a" * (CONTEXT - 2))
    done = await engine.complete(prompt, replace(SAMPLED, max_tokens=100))
    assert len(done.token_ids) <= 2


async def test_a_chat_is_rendered_by_the_template_and_completed(engine: Engine) -> None:
    messages = [{"role": "user", "content": "Let a=7."}]
    prompt = ids(engine, engine.tokenizer.render_chat(messages))
    done, chatted = await engine.complete(prompt, SAMPLED), await engine.chat(messages, SAMPLED)
    assert chatted.token_ids == done.token_ids


async def test_a_cancelled_request_leaves_the_engine_usable(engine: Engine) -> None:
    task = asyncio.create_task(
        engine.complete(ids(engine, "Let a=7."), replace(SAMPLED, max_tokens=400))
    )
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await engine.complete(ids(engine, "Let a=7."), SCORE)).token_ids


async def test_a_request_that_is_not_done_in_its_time_is_a_failure_and_the_engine_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = replace(engine._settings, request_timeout=1e-6)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_settings", hurried)
        with pytest.raises(TooSlow, match="not finished within 1e-06 s"):
            await engine.complete(ids(engine, "Let a=7."), replace(SAMPLED, max_tokens=400))
    assert (await engine.complete(ids(engine, "Let a=7."), SCORE)).token_ids


async def test_facts_and_abilities_are_known(engine: Engine) -> None:
    assert engine.facts.context == CONTEXT
    assert engine.abilities == set(Ability)


@pytest.mark.parametrize("name", ENGINES[:2])
async def test_a_stopped_engine_is_dead_and_starts_again(
    name: EngineName, tiny_model: Path, tmp_path: Path
) -> None:
    one = make(name, tiny_model, tmp_path / "engine.log")
    await one.start()
    await one.stop()
    await one.stop()
    with pytest.raises(EngineDead, match="not running"):
        await one.complete([65], SAMPLED)
    await one.start()
    assert (await one.complete([65], SAMPLED)).token_ids
    await one.stop()
    assert multiprocessing.active_children() == []
