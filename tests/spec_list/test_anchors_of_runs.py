"""Anchors A1 to A3 and A22 to A25: what whole runs do, by default and by option."""

import pytest

from pipeline.errors import EngineDead, RunStopped
from pipeline.problems.manifests import load_manifest
from pipeline.reasoners import REASONERS
from pipeline.review.replay import replay
from pipeline.runs.directory import read_manifest
from pipeline.runs.scheduler import Engines
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place


@pytest.fixture
def place(tmp_path):
    return Place.made(tmp_path)


DEFAULTS = {
    "baseline": {},
    "parallel": {"tracks": 3, "vote": "majority"},
    "spec": {"tracks": 1, "score_threshold": 7.0, "score_method": "greedy"},
    "spec-async": {"lookahead": 1, "score_threshold": 7.0, "first_n_steps_base_model": 0},
    "spec-methods": {"tracks": 3, "method_pool": 12, "prompts": "methods", "selection": "model"},
}


@pytest.mark.parametrize("reasoner", REASONERS)
def test_a2_without_options_the_settings_are_those_of_the_papers(place, reasoner):
    assert place.speclrm(reasoner, "--problem-id 0").code == 0
    identity = read_manifest(place.run(reasoner))["identity"]
    known = identity.get("tracks", {}) | identity.get("steps", {})
    assert (identity["token_budget"], identity["temperature"], identity["top_p"]) == (
        8192,
        0.6,
        0.95,
    )
    assert {name: known[name] for name in DEFAULTS[reasoner]} == DEFAULTS[reasoner]


def test_a2_the_spellings_of_the_scripts_reach_the_settings(place):
    said = place.speclrm(
        "spec-methods",
        "--problem_id 1-2 --repeat_id 2 --score_threshold 5 --score_method average "
        "--token_budget 99 --method_num 2 --first_n_steps_base_model 1 --model_name anything",
    )
    identity = read_manifest(place.run("spec-methods"))["identity"]
    steps = identity["steps"]
    assert (said.code, sum(place.keys("spec-methods").values())) == (0, 4)
    assert (steps["score_threshold"], steps["score_method"]) == (5.0, "average")
    assert (steps["first_n_steps_base_model"], identity["tracks"]["tracks"]) == (1, 2)
    assert (identity["token_budget"], identity["target"]["model"]) == (99, "anything")


def test_a2_the_spellings_of_vllms_options_are_known():
    said = speclrm(
        "run baseline --dry-run --engine vllm --dataset_name pocket "
        "--tensor_parallel_size 1 --gpu_memory_utilization 0.5"
    )
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(("dataset", "rows"), [("aime", 30), ("math", 500), ("gpqa", 198)])
def test_a3_datasets_are_whole_not_their_first_hundred(dataset, rows):
    assert load_manifest(dataset).rows == rows


def test_a22_acceptance_is_told_by_step_and_by_method_and_scores_by_digit(place):
    place.speclrm("spec-methods")
    found = replay(place.run("spec-methods"))
    by_step = {group.name: (group.steps, group.acceptance) for group in found.by_index}
    assert by_step == {"00": (18, 1.0), "01": (18, 1.0), "02": (18, 0.0)}
    assert {group.name for group in found.by_guidance} == {
        "algebraic-simplification",
        "substitution",
        "coordinates",
    }
    assert {group.steps for group in found.by_guidance} == {18}
    assert found.histogram == (0, 18, 0, 0, 0, 0, 0, 0, 0, 36)


class Stubborn:
    """An engine that started, and does not stop."""

    def __init__(self, error):
        self.error = error
        self.stops = 0

    async def start(self):
        """Start at once."""

    async def health(self):
        """Be dead."""
        raise self.error

    async def stop(self):
        """Fail to stop."""
        self.stops += 1
        raise self.error


STUCK = EngineDead("it did not stop within 60 s")


async def test_a23_though_an_engine_does_not_stop_the_other_is_stopped():
    target, draft = Stubborn(STUCK), Stubborn(STUCK)
    with pytest.raises(EngineDead, match="did not stop"):
        async with Engines({"target": target, "draft": draft}).running():
            pass
    assert (target.stops, draft.stops) == (1, 1)


async def test_a23_a_dead_engine_that_does_not_stop_ends_the_run_with_what_to_do():
    with pytest.raises(RunStopped, match=r"died .* and could not be restarted: it did not stop"):
        await Engines({"target": Stubborn(STUCK)}).mend()
