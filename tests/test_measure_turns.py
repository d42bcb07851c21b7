"""What a report says of itself: which decoders took turns, and why a figure is not known."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from measured_reports import entry, report, written

from evaluators.reports.measured.parts import parts
from evaluators.reports.measured.report_file import read_report
from pipeline.engines.protocol import ModelFacts
from pipeline.measuring import turns
from pipeline.measuring.clock import CallTimes
from pipeline.measuring.config import Config
from pipeline.measuring.speed import speed_of
from pipeline.measuring.table import DECODERS
from pipeline.measuring.unknown import why_unknown

GIB = 2**30
SMALL = ModelFacts("a", None, "float32", 512, GIB // 40, None, None, 2, 8)
MODEL = replace(SMALL, model="m", parameters=GIB // 4, assistant=SMALL)
"""A GiB of weights, and a tenth."""
SHARED = ("standard", "batched")
ENGINES = ("window", "window_speculative")
VLLM = ("vllm", "vllm_speculative")


@pytest.fixture
def groups(monkeypatch):
    """The groups of some decoders where so many GiB are free, and the reasons' first words."""

    def of(names, free, device="cpu", facts=MODEL):
        left = None if free is None else free * GIB
        monkeypatch.setattr(turns, "memory_left", lambda _config: left)
        monkeypatch.setattr(turns, "device_of", lambda _settings: device)
        asked = SimpleNamespace(config=Config(main_model="m", device="cpu"), facts=facts)
        found = turns.turns_of(tuple(DECODERS[name] for name in names), asked).record
        return found["groups"], [reason.split()[0] for reason in found["apart"]]

    return of


@pytest.mark.parametrize(
    ("free", "made", "why"),
    [
        # Three times the model and once its assistant, which the last engine has.
        (6.3, [[*SHARED, *ENGINES]], []),
        (6.1, [[*SHARED], ["window"], ["window_speculative"]], ["all"]),
        (None, [[*SHARED], ["window"], ["window_speculative"]], ["all"]),
    ],
)
def test_all_take_turns_whose_models_fit_into_half_of_the_free_memory(groups, free, made, why):
    assert groups((*SHARED, *ENGINES), free) == (made, why)


def test_those_that_share_their_models_take_turns_in_any_memory(groups):
    assert groups(SHARED, 0.0) == ([[*SHARED]], [])


def test_models_of_unknown_size_are_not_loaded_together(groups):
    unknown = replace(MODEL, parameters=None)
    assert groups(("standard", "window"), 99.0, facts=unknown)[1] == ["all"]


@pytest.mark.parametrize(
    ("free", "device", "made", "why"),
    [
        (99.0, "cpu", [[*SHARED], [*VLLM]], ["vLLM"]),
        (7.9, "cpu", [[*SHARED], ["vllm"], ["vllm_speculative"]], ["vLLM", "all"]),
        (99.0, "cuda:0", [[*SHARED], ["vllm"], ["vllm_speculative"]], ["vLLM", "all"]),
    ],
)
def test_vllm_s_decoders_take_turns_among_themselves_where_there_is_room(
    groups, free, device, made, why
):
    assert groups((*SHARED, *VLLM), free, device) == (made, why)


def test_vllm_s_lookup_is_alone(groups):
    assert groups(("vllm_lookup", "vllm"), 99.0) == ([["vllm"], ["vllm_lookup"]], ["vLLM's"])
    assert groups(("vllm_lookup",), 99.0) == ([["vllm_lookup"]], [])


def test_what_is_not_known_of_a_decoder_stands_with_its_reason(tmp_path):
    silent = CallTimes(1.0, (3,), None, (1.0,), None, None, None, None, None, None)
    found = why_unknown(DECODERS["vllm_speculative"], [silent], speed_of([silent]), None)
    assert found.keys() == {"target_forwards", "first_token", "acceptance", "peak"}
    plain = replace(silent, token_times=((1.0,) * 3,), target_forwards=3, proposed=0)
    known = {"peak": 7, "measured": "cuda"}
    assert why_unknown(DECODERS["standard"], [plain], speed_of([plain]), known) == {}
    assert why_unknown(DECODERS["window"], [plain], speed_of([plain]), known) == {
        "acceptance": "no guess was put before the model"
    }
    assert why_unknown(DECODERS["continuous_batching"], [silent], speed_of([silent]), known) == {
        "target_forwards": "generate_batch does not tell it",
        "first_token": "its engine does not tell when each token came",
    }
    made = report(entry("vllm", [1.0], unknown={"target_forwards": "it is silent"}))
    tables = parts(read_report(written(tmp_path, made)))
    [told] = [one for one in tables if one.title == "Not known"]
    assert told.lines == (("vllm", "target forwards", "it is silent"),)


def test_the_table_says_who_did_not_take_turns_with_the_others(tmp_path):
    apart = {"groups": [["standard"], ["vllm"]], "apart": ["it is large"]}
    two = entry("standard", [1.0]), entry("vllm", [1.0])
    notes = [
        parts(read_report(written(tmp_path / str(n), report(*two, turns=one))))[0].notes
        for n, one in enumerate((apart, {"groups": [["standard", "vllm"]], "apart": []}, None))
    ]
    assert "passes took turns: standard; then vllm.\nnot all together: it is large." in notes[0]
    assert all("turns" not in one for one in notes[1:])
