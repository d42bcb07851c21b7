"""What every engine promises: subclass `EngineContract` and say how yours is made."""

import asyncio
import math
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pipeline.engines.protocol import Ability, Engine, SamplingRequest
from pipeline.errors import EngineDead, PromptTooLong

SAMPLED = SamplingRequest(max_tokens=40, temperature=1.0, top_p=0.95, seed=11)
SCORE = SamplingRequest(max_tokens=1, temperature=0.0, top_p=1.0, seed=0)


@pytest.mark.asyncio
class EngineContract:
    """The tests of one engine; a subclass has a fixture `make`, and the two values below.

    `context` is the model's, in tokens, and at least 200; `abilities` are what the engine offers.
    What needs another ability is skipped. Its model must write more than three tokens to a prompt,
    and other ones by other seeds.
    """

    context: int
    abilities: frozenset[Ability] = frozenset(Ability)

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[], Engine]:
        """How an engine is made that has not been started."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, make: Callable[[], Engine]) -> Iterator[Engine]:
        """One engine for all tests, running."""
        made = make()
        asyncio.run(made.start())
        yield made
        asyncio.run(made.stop())

    def ids(self, engine: Engine, text: str) -> list[int]:
        """The prompt `text` in tokens."""
        self.needs(Ability.TOKEN_PROMPTS)
        return engine.tokenizer.encode(text)

    def filling(self, engine: Engine, tokens: int) -> list[int]:
        """A prompt of so many tokens."""
        return (self.ids(engine, "Let a=7. ") * tokens)[:tokens]

    def needs(self, *abilities: Ability) -> None:
        """Skip the test where the engine does not offer them."""
        for ability in abilities:
            if ability not in self.abilities:
                pytest.skip(f"the engine offers no {ability.value}")

    async def test_a_completion_that_reaches_max_tokens_says_length(self, engine: Engine) -> None:
        done = await engine.complete(self.ids(engine, "Let a=7."), replace(SAMPLED, max_tokens=3))
        assert done.token_ids is not None
        assert (len(done.token_ids), done.finish_reason, done.stop_string) == (3, "length", None)

    async def test_tokens_are_told_as_they_come_and_are_those_of_the_completion(
        self, engine: Engine
    ) -> None:
        self.needs(Ability.STREAMING)
        told: list[int] = []
        asked = replace(SAMPLED, max_tokens=12, on_token=told.append)
        done = await engine.complete(self.ids(engine, "Let a=7."), asked)
        assert tuple(told) == done.token_ids
        assert sum(count for _, count in done.arrivals) in {0, len(told)}
        assert done == replace(
            await engine.complete(self.ids(engine, "Let a=7."), replace(asked, on_token=None)),
            seconds=done.seconds,
            cached_prompt_tokens=done.cached_prompt_tokens,
        )

    async def test_text_is_the_decoded_tokens(self, engine: Engine) -> None:
        done = await engine.complete(self.ids(engine, "Let a=7."), SAMPLED)
        assert done.token_ids is not None
        assert done.text == engine.tokenizer.decode(done.token_ids)
        assert done.prompt_tokens == len(self.ids(engine, "Let a=7."))

    async def test_a_stop_string_cuts_the_text_and_stays_in_the_tokens(
        self, engine: Engine
    ) -> None:
        self.needs(Ability.STOP_STRING)
        free = await engine.complete(self.ids(engine, "Let a=7."), SAMPLED)
        stop = next(char for char in free.text[3:] if char.isascii() and char.isprintable())
        asked = replace(SAMPLED, stop=("%%%", stop))
        done = await engine.complete(self.ids(engine, "Let a=7."), asked)
        assert done.token_ids is not None
        assert (done.finish_reason, done.stop_string) == ("stop", stop)
        assert done.text == free.text[: free.text.index(stop)]
        assert engine.tokenizer.decode(done.token_ids).endswith(stop)

    async def test_the_same_seed_gives_the_same_tokens_alone_and_among_others(
        self, engine: Engine
    ) -> None:
        prompt = self.ids(engine, "Let a=7, b=a+5. Find b. " * 6)
        alone = await engine.complete(prompt, SAMPLED)
        others = [engine.complete(prompt[i:], replace(SAMPLED, seed=i)) for i in range(16)]
        among, *_ = await asyncio.gather(engine.complete(prompt, SAMPLED), *others)
        assert among.token_ids == alone.token_ids

    async def test_another_seed_gives_another_text(self, engine: Engine) -> None:
        prompt = self.ids(engine, "Let a=7.")
        asked = [replace(SAMPLED, seed=seed) for seed in range(5)]
        assert len({(await engine.complete(prompt, one)).text for one in asked}) > 1

    async def test_seeds_wider_than_64_bits_are_taken(self, engine: Engine) -> None:
        asked = replace(SAMPLED, seed=2**80 + 3)
        done = await engine.complete(self.ids(engine, "Let a=7."), asked)
        assert done.token_ids

    async def test_digit_logprobs_are_raw_and_do_not_depend_on_neighbours(
        self, engine: Engine
    ) -> None:
        self.needs(Ability.DIGIT_LOGPROBS)
        digits = tuple(engine.tokenizer.encode("0123456789"))
        prompt = self.ids(engine, "Let a=7. Score: ")
        asked = replace(SCORE, logprobs_of=digits)
        alone = (await engine.complete(prompt, asked)).logprobs
        others = [engine.complete(prompt[i:], SAMPLED) for i in range(8)]
        among = (await asyncio.gather(engine.complete(prompt, asked), *others))[0].logprobs
        assert alone is not None
        assert among == pytest.approx(alone, abs=1e-6)
        assert set(alone) == set(digits)
        assert 0 < sum(map(math.exp, alone.values())) <= 1 + 1e-6

    async def test_a_prompt_that_fills_the_context_is_too_long(self, engine: Engine) -> None:
        with pytest.raises(PromptTooLong, match=str(self.context)):
            await engine.complete(self.filling(engine, self.context), SAMPLED)

    async def test_max_tokens_is_clipped_to_the_room_left(self, engine: Engine) -> None:
        prompt = self.filling(engine, self.context - 2)
        done = await engine.complete(prompt, replace(SAMPLED, max_tokens=100))
        assert done.token_ids is not None
        assert len(done.token_ids) <= 2  # noqa: PLR2004 - the room that was left

    async def test_a_chat_is_rendered_by_the_template_and_completed(self, engine: Engine) -> None:
        messages = [{"role": "user", "content": "Let a=7."}]
        prompt = self.ids(engine, engine.tokenizer.render_chat(messages))
        done, chatted = await engine.complete(prompt, SAMPLED), await engine.chat(messages, SAMPLED)
        assert chatted.token_ids == done.token_ids

    async def test_a_cancelled_request_leaves_the_engine_usable(self, engine: Engine) -> None:
        asked = replace(SAMPLED, max_tokens=400)
        task = asyncio.ensure_future(engine.complete(self.ids(engine, "Let a=7."), asked))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await engine.complete(self.ids(engine, "Let a=7."), SCORE)).token_ids

    async def test_facts_and_abilities_are_known(self, engine: Engine) -> None:
        assert engine.facts.context == self.context
        assert engine.abilities == self.abilities

    async def test_a_stopped_engine_is_dead_and_starts_again(
        self, make: Callable[[], Engine]
    ) -> None:
        one = make()
        await one.start()
        prompt = self.ids(one, "Let a=7.")
        await one.stop()
        await one.stop()
        with pytest.raises(EngineDead):
            await one.complete(prompt, SAMPLED)
        with pytest.raises(EngineDead):
            await one.health()
        await one.start()
        assert (await one.complete(prompt, SAMPLED)).token_ids
        await one.stop()
        assert multiprocessing.active_children() == []
