"""The package's own tests: what SpecLRM asks of every engine and every reasoner."""

import pytest
from speclrm_mine import Abacus

from pipeline.engines.settings import EngineSettings
from speclrm_testing import EngineContract, ReasonerContract


class TestAbacus(EngineContract):
    context = 400

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls):
        settings = EngineSettings("abacus", "abacus", own={"beads": cls.context})
        return lambda: Abacus(settings)


class TestPersuaded(ReasonerContract):
    reasoner = "persuaded"
    change = "--plea Now.", "persuasion.plea: 'Please.' recorded, 'Now.' asked"
