"""Which of a table's runs share engines: each model is started once where that can be."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.settings import EngineSettings
from pipeline.tables.engine_sets import engine_sets
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

LARGE = EngineSettings("vllm", "large")
SMALL = EngineSettings("vllm", "small", gpu_memory_utilization=0.2)
SERVER = EngineSettings("openai", "large", base_url="http://localhost/v1")
OTHER_SERVER = replace(SERVER, model="small")


def sets_of(*models):
    """For each set the engines' models and the numbers of its runs."""
    experiments = [SimpleNamespace(models=dict(zip("td", each, strict=False))) for each in models]
    runs = [SimpleNamespace(plan=SimpleNamespace(experiment=one)) for one in experiments]
    return [
        (
            sorted(one.model for one in each.engines.values()),
            [next(n for n, run in enumerate(runs) if run is member) for member in each.runs],
        )
        for each in engine_sets(runs)
    ]


@pytest.mark.parametrize(
    ("models", "sets"),
    [
        ([(LARGE,), (LARGE,)], [(["large"], [0, 1])]),
        # What fits together serves the single one too.
        ([(LARGE,), (LARGE, SMALL)], [(["large", "small"], [0, 1])]),
        # The draft as a target has another share of the memory by default, and is one engine.
        (
            [(LARGE, SMALL), (replace(SMALL, gpu_memory_utilization=0.7),)],
            [(["large", "small"], [0, 1])],
        ),
        # Two that are never used together may not fit together.
        ([(LARGE,), (SMALL,)], [(["large"], [0]), (["small"], [1])]),
        ([(LARGE,), (replace(LARGE, dtype="float32"),)], [(["large"], [0]), (["large"], [1])]),
        # Servers take no room here.
        ([(SERVER,), (OTHER_SERVER,)], [(["large", "small"], [0, 1])]),
        ([(LARGE,), (SERVER,), (LARGE, OTHER_SERVER)], [(["large", "large", "small"], [0, 1, 2])]),
        ([], []),
    ],
)
def test_runs_share_a_set_where_its_engines_fit_together(models, sets):
    assert sets_of(*models) == sets


def test_in_the_set_a_draft_has_the_memory_of_a_draft():
    alone = replace(SMALL, gpu_memory_utilization=0.7)
    experiments = [
        SimpleNamespace(models={"t": alone}),
        SimpleNamespace(models={"t": LARGE, "d": SMALL}),
    ]
    runs = [SimpleNamespace(plan=SimpleNamespace(experiment=one)) for one in experiments]
    [each] = engine_sets(runs)
    assert sorted(one.gpu_memory_utilization for one in each.engines.values()) == [0.2, 0.7]


def test_a_table_starts_each_engine_once_and_stops_it_at_the_end(tmp_path, monkeypatch):
    place = Place.made(tmp_path)
    (tmp_path / "table.toml").write_text(
        """\
        columns = ["sums.jsonl[first:2]", "sums.jsonl"]
        models.big = {engine = "scripted", script = "target.json"}
        models.small = {engine = "scripted", script = "draft.json"}
        [defaults]
        target = "big"
        draft = "small"
        [rows.baseline]
        reasoner = "baseline"
        [rows.parallel]
        reasoner = "parallel"
        [rows.spec]
        reasoner = "spec"
        [rows.small]
        reasoner = "baseline"
        target = "small"
        """
    )
    calls = []
    for name in ("start", "stop"):
        theirs = getattr(ScriptedEngine, name)

        async def counted(self, theirs=theirs, name=name):
            calls.append(name)
            await theirs(self)

        monkeypatch.setattr(ScriptedEngine, name, counted)
    said = speclrm(f"table {place.folder / 'table.toml'} --results {tmp_path / 'results'}")
    assert said.code == 0, said.err
    assert calls == ["start", "start", "stop", "stop"]
