"""A decoder, a metric and a source of prompts are one entry each: what docs/extending.md writes."""

import json
import re
import types
from pathlib import Path

import pytest
from untried import Untried

from pipeline.errors import Misdeclared
from pipeline.measuring.metrics import METRICS, Metric, figures
from pipeline.measuring.table import DECODERS
from speclrm_testing.commands import speclrm

ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
CONFIG = {
    "main_model": "pocket-target",
    "prompts": ["not asked"],
    "num_completions": 1,
    "max_new_tokens": 24,
    "use_chat_template": True,
    "temperature": 0,
    "device": "cpu",
    "methods_to_test": ["standard", "frugal"],
    "repeats": 2,
    "warm_up": 0,
}


def recipe(name: str) -> types.ModuleType:
    """The block of code of the docs that begins with this name."""
    [code] = re.findall(rf"```python\n(\"\"\"{name}: .*?)```", DOCS, re.DOTALL)
    module = types.ModuleType(name.lower())
    exec(compile(code, f"{name}.py", "exec"), module.__dict__)  # noqa: S102 - our own docs
    return module


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A measurement of the recipes' prompts with their decoder and their metric."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DECODERS.built_in, "frugal", recipe("Frugal").FRUGAL)
        patch.setitem(METRICS.built_in, "idle", recipe("Idle").IDLE)
        sums = recipe("Sums")
        sums.Probe = Untried
        done = sums.measure_sums(folder / "config.json", folder / "out", 2)
    assert done.failed == []
    return folder / "out"


def test_the_decoder_wrote_other_tokens_than_standard_to_the_prompts(measured):
    answers = {}
    for name in ("standard", "frugal"):
        lines = (measured / "answers" / f"{name}.jsonl").read_text().splitlines()
        answers[name] = [json.loads(line) for line in lines]
        assert [one["prompt"] for one in answers[name]] == ["0 + 1 = ", "1 + 2 = "]
    responses = {tuple(one["response"] for one in said) for said in answers.values()}
    assert len(responses) == 2


def test_the_metric_stands_in_the_report_and_is_shown_with_its_formula(measured):
    report = json.loads((measured / "report.json").read_text())
    for one in report["decoders"]:
        assert 0 <= one["metrics"]["idle"]["mean"] < 1
        assert one["metrics"]["computed-per-token"]["mean"] <= 1
    said = speclrm(f"measure --show {measured} --wide").out
    assert "idle = seconds after a call's last token / seconds of the call." in said
    assert "metric_idle" in speclrm(f"measure --show {measured} --format csv").out


def test_a_metric_that_gives_no_number_is_refused(monkeypatch):
    bad = Metric("bad", "", lambda calls: float("nan"))
    monkeypatch.setitem(METRICS.built_in, "bad", bad)
    with pytest.raises(Misdeclared):
        figures([[]])
