"""What every engine promises, held by each of them alike."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.engines import create
from pipeline.engines.limits import TooSlow
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Script
from pipeline.engines.settings import EngineSettings
from speclrm_testing.engine_contract import SAMPLED, SCORE, EngineContract


class OurContract(EngineContract):
    """What ours hold to beside."""

    context = 512

    async def test_a_request_that_is_not_done_in_its_time_is_a_failure_and_the_engine_goes_on(
        self, engine, monkeypatch
    ):
        hurried = replace(engine._settings, request_timeout=1e-6)
        prompt = self.ids(engine, "Let a=7.")
        with monkeypatch.context() as patch:
            patch.setattr(engine, "_settings", hurried)
            with pytest.raises(TooSlow, match="not finished within 1e-06 s"):
                await engine.complete(prompt, replace(SAMPLED, max_tokens=400))
        assert (await engine.complete(prompt, SCORE)).token_ids


PENALTIES = {"presence_penalty": 0.2, "repetition_penalty": 1.3}


def greedy_tokens(model: Any, prompt: list[int], count: int) -> list[int]:
    """The likeliest tokens under the penalties, by their definition."""
    import torch  # noqa: PLC0415 - takes seconds

    written: list[int] = []
    for _ in range(count):
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + written])).logits[0, -1].tolist()
        for token in {*prompt, *written}:
            seen = logits[token]
            logits[token] = seen / 1.3 if seen > 0 else seen * 1.3
        for token in {*written}:
            logits[token] -= 0.2
        written.append(max(range(len(logits)), key=logits.__getitem__))
    return written


class SamplingContract:
    """What engines hold to that draw tokens from a model, here the tiny one."""

    @pytest.mark.asyncio
    async def test_each_cut_to_the_likeliest_token_is_greedy(self, engine):
        prompt = engine.tokenizer.encode("Let a=7.")
        greedy = await engine.complete(prompt, replace(SAMPLED, temperature=0.0))
        free = await engine.complete(prompt, SAMPLED)
        assert free.token_ids != greedy.token_ids
        for cut in ({"top_k": 1}, {"min_p": 1.0}):
            done = await engine.complete(prompt, replace(SAMPLED, **cut))
            assert done.token_ids == greedy.token_ids, cut

    @pytest.mark.asyncio
    async def test_every_token_has_a_forward_of_its_own(self, engine):
        done = await engine.complete(engine.tokenizer.encode("Let a=7."), SAMPLED)
        assert done.forwards == len(done.token_ids) > 1
        assert (done.refused, done.assisted, done.assistant_forwards) == (None, None, None)

    @pytest.mark.asyncio
    async def test_penalties_are_those_of_their_definition(self, engine, tiny_model):
        from transformers import AutoModelForCausalLM  # noqa: PLC0415 - takes seconds

        model = AutoModelForCausalLM.from_pretrained(tiny_model)
        prompt = engine.tokenizer.encode("Let a=7.")
        asked = replace(SAMPLED, temperature=0.0, max_tokens=12)
        done = await engine.complete(prompt, replace(asked, **PENALTIES))
        assert list(done.token_ids) == greedy_tokens(model, prompt, 12)
        assert done.token_ids != (await engine.complete(prompt, asked)).token_ids


class TestScripted(OurContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls):
        settings = EngineSettings("scripted", "script")
        return lambda: ScriptedEngine(settings, Script(context=cls.context))


class TestTransformers(OurContract, SamplingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tiny_model):
        return lambda: create(EngineSettings("transformers", str(tiny_model)))


class TestTransformersRows(OurContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tiny_model):
        return lambda: create(EngineSettings("transformers", str(tiny_model), max_num_seqs=8))


@pytest.mark.vllm
class TestVllm(OurContract, SamplingContract):
    # It takes long to start; tests/test_engines_vllm.py starts some again.
    test_a_stopped_engine_is_dead_and_starts_again = None

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tiny_model, tmp_path_factory):
        log = tmp_path_factory.mktemp("log") / "engine.log"
        settings = EngineSettings("vllm", str(tiny_model), process="inprocess", log=log)
        return lambda: create(settings)
