"""The doctor on a measurement: packages imported apart, models, tokenizers, weights, decoders."""

import json
import sys

import pytest
from untried import Untried

from pipeline.cli import decoder_checks
from pipeline.cli.decoder_checks import Needed, decoder_findings, import_finding, needs
from pipeline.cli.findings import State
from pipeline.measuring.config_reading import read_config
from pipeline.measuring.probe import Refused, Supported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package `halfway` 1.5 whose module holds some statements."""

    def install(statements):
        (tmp_path / "halfway.py").write_text(statements)
        about = tmp_path / "halfway-1.5.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: halfway\nVersion: 1.5\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        return Needed(("other-name", "halfway"), "import halfway", "this")

    return install


def test_a_package_that_imports_is_ok_with_its_version(package):
    found = import_finding(package(""), needed=True)
    assert (found.state, found.what, found.found) == (State.OK, "halfway", "1.5")


@pytest.mark.parametrize(("needed", "state"), [(True, State.FAILURE), (False, State.WARNING)])
@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ("import no_termcolor", "ModuleNotFoundError: No module named 'no_termcolor'"),
        ("raise OSError('libcudart.so.12: cannot open')", "OSError: libcudart.so.12: cannot open"),
        ("import os; os._exit(3)", "ended with code 3"),
        ("import os; os.abort()", "ended with code -6"),
    ],
)
def test_a_half_installed_package_is_told_by_its_last_words(
    package, needed, state, statements, why
):
    found = import_finding(package(statements), needed=needed)
    assert (found.state, found.found) == (state, f"1.5 cannot be imported: {why}")
    assert "halfway" not in sys.modules


@pytest.mark.parametrize(("needed", "state"), [(True, State.FAILURE), (False, State.OK)])
def test_a_missing_package_fails_only_what_needs_it(needed, state):
    found = import_finding(Needed(("no-such",), "import no_such", "this"), needed=needed)
    assert (found.state, found.what) == (state, "no-such")
    assert found.found.startswith("not installed")


CONFIG = {
    "main_model": "pocket-target",
    "assistant_model": "pocket-draft",
    "prompts": ["What is 4 + 5?"],
    "methods_to_test": ["standard", "standard_speculative", "batched_speculative"],
}


@pytest.fixture
def config(tmp_path):
    """Write a config."""

    def write(**changed):
        file = tmp_path / "config.json"
        file.write_text(json.dumps({**CONFIG, **changed}))
        return file

    return write


@pytest.mark.parametrize(
    ("changed", "packages"),
    [
        ({}, {"transformers"}),
        ({"use_quantization": True}, {"transformers", "accelerate", "bitsandbytes"}),
        ({"cache_implementation": "quantized"}, {"transformers", "optimum-quanto"}),
        ({"use_flash_attention": True}, {"transformers", "flash-attn"}),
        ({"methods_to_test": ["standard", "vllm"]}, {"transformers", "vllm"}),
    ],
)
def test_what_a_config_cannot_do_without(config, changed, packages):
    assert set(needs(read_config(config(**changed)))) == packages


class NoAssistants(Untried):
    """Stands in for the probe: who guesses is refused."""

    def answer(self, asked):
        return Supported(exact=True) if asked.guesses == "none" else Refused("ValueError: no")


@pytest.fixture
def found(monkeypatch):
    """The findings of a file, with no library imported apart."""
    monkeypatch.setattr(decoder_checks, "Probe", NoAssistants)
    monkeypatch.setattr(decoder_checks, "PACKAGES", ())
    monkeypatch.setattr(decoder_checks, "_engines", lambda _config: ())
    return lambda file: {one.what: one for one in decoder_findings(file)}


def test_models_weights_and_decoders_of_a_config_are_looked_at(config, found):
    findings = found(config())
    assert findings["assistant"].found == "has the main model's tokenizer"
    assert findings["weights"].found.startswith("about 0.01 GiB")
    decoders = findings["decoders"]
    assert (decoders.state, decoders.found) == (State.WARNING, "1 of 3 can do what is asked")
    assert "--dry-run" in decoders.advice


def test_weights_that_do_not_fit_are_a_failure(config, found, monkeypatch):
    monkeypatch.setattr(decoder_checks, "memory_left", lambda _config: 2**20)
    monkeypatch.setattr(decoder_checks, "gpus", list)
    assert found(config())["weights"].state is State.FAILURE


@pytest.mark.parametrize(
    ("changed", "what", "why"),
    [
        ({"top_pp": 1}, "config", "did you mean 'top_p'?"),
        ({"main_model": "./nowhere"}, "what is asked", "nowhere"),
        ({"assistant_model": "./nowhere"}, "what is asked", "nowhere"),
    ],
)
def test_a_config_or_model_that_cannot_be_read_is_a_failure_with_its_reason(
    config, found, changed, what, why
):
    findings = found(config(**changed))
    assert findings[what].state is State.FAILURE
    assert why in findings[what].found
    assert "decoders" not in findings
