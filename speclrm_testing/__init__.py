"""What an engine or a reasoner must hold to, as pytest classes to be subclassed: `EngineContract`
and `ReasonerContract`. Needs the extra `testing`.
"""

import pytest

# Before the modules are imported: their asserts then show both sides when they fail.
pytest.register_assert_rewrite("speclrm_testing.engine_contract")
pytest.register_assert_rewrite("speclrm_testing.reasoner_contract")

from speclrm_testing.engine_contract import EngineContract  # noqa: E402
from speclrm_testing.reasoner_contract import ReasonerContract  # noqa: E402

__all__ = ["EngineContract", "ReasonerContract"]
