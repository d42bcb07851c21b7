"""What every engine promises, held by each of them alike."""

from dataclasses import replace

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


class TestScripted(OurContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls):
        settings = EngineSettings("scripted", "script")
        return lambda: ScriptedEngine(settings, Script(context=cls.context))


class TestTransformers(OurContract):
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
class TestVllm(OurContract):
    # It takes long to start; tests/test_engines_vllm.py starts some again.
    test_a_stopped_engine_is_dead_and_starts_again = None

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tiny_model, tmp_path_factory):
        log = tmp_path_factory.mktemp("log") / "engine.log"
        settings = EngineSettings("vllm", str(tiny_model), process="inprocess", log=log)
        return lambda: create(settings)
