"""The package's own tests: what SpecLRM asks of every reasoner."""

from speclrm_testing import ReasonerContract


class TestPersuaded(ReasonerContract):
    reasoner = "persuaded"
    change = "--plea Now.", "persuasion.plea: 'Please.' recorded, 'Now.' asked"
