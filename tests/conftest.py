"""Fixtures that several test modules share."""

import gc
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli_place import earlier, here, place  # noqa: F401 - fixtures
from fake_openai import fake, start, waits  # noqa: F401 - fixtures
from foreign_results import data_file
from hypothesis import HealthCheck, settings

from pipeline import plugins
from speclrm_testing.commands import speclrm

# How fast cases come is the machine's matter: on busy cores no property may fail by it.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking %}<think>\n"
    "{% endif %}"
)


# While tests are collected hardly anything is garbage, and there is much to look over.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is garbage."""
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without vLLM its tests are skipped, and said to be."""
    if find_spec("vllm") is not None:
        return
    for item in items:
        if item.get_closest_marker("vllm"):
            item.add_marker(pytest.mark.skip(reason="vLLM is not installed here"))


@pytest.fixture(scope="module", autouse=True)
def _what_is_loaded_stays() -> None:
    """What the files before have loaded is no garbage: looking over it takes a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; a test that asks for one is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        # Containers run as root, where Chromium's own sandbox cannot start.
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer Qwen3 with a byte-level tokenizer (a digit is a token)."""
    # Only the tests that ask for a model pay for these imports.
    import torch  # noqa: PLC0415
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=288,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
    )
    Qwen3ForCausalLM(config).float().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    """That model, loaded; a test leaves it as it was."""
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    """That model's tokenizer, as engines have it."""
    from pipeline.engines.tokenizer import HFTokenizer  # noqa: PLC0415

    return HFTokenizer.load(str(tiny_model))


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let a package be installed, for this test, that has one module and these entry points.

    `offer("mine", "engines", "x = mine:X", code="...")` makes the module `mine` of the package
    `mine` 1.0, whose folder is returned.
    """
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    packages = set()

    def install(package: str, group: str, *entries: str, code: str = "") -> Path:
        packages.add(package)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        with (metadata / "entry_points.txt").open("a") as file:
            file.write("\n".join([f"[speclrm.{group}]", *entries, ""]))
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text(code)
        plugins.offered.cache_clear()
        return folder

    yield install
    for name in packages & sys.modules.keys():
        del sys.modules[name]
    plugins.offered.cache_clear()


@pytest.fixture
def bring(tmp_path: Path):
    """Import into a new run; returns what the command said and the run."""
    data = data_file(tmp_path)

    def run(source, *files, rows=data, options=""):
        names = shlex.join(map(str, files))
        out = tmp_path / "imported"
        said = speclrm(
            f"import {names} --from {source} --data-file {rows} --output-dir {out} {options}"
        )
        return said, out

    return run
