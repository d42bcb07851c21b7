"""Copies of a model as actors of a Ray cluster: the same records, and the dead are replaced."""

import asyncio
import importlib
import importlib.util
import json
import os
import signal
from dataclasses import replace

import pytest
from test_runner import written

from pipeline.engines import check_settings, create, replicas
from pipeline.engines.ray.declaration import hosted_settings
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment, engine_identity
from pipeline.runs import runner
from pipeline.runs.directory import read_attempts

THERE = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not THERE, reason="the extra `ray` is not installed")
RAY = EngineSettings("ray", "m", own={"replicas": 2, "replica_engine": "scripted"})


def ray_engine():
    """The module, which cannot be imported without Ray."""
    return importlib.import_module("pipeline.engines.ray.engine")


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine for all tests here."""
    import ray  # noqa: PLC0415 - it is an extra

    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def experiment(tmp_path):
    data, script = tmp_path / "sums.jsonl", tmp_path / "script.json"
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": "1"} for n in range(6)]
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    script.write_text('{"latency": {"decode_token": 0.002}}')
    return Experiment(
        "baseline",
        replace(RAY, script=script),
        dataset=None,
        data_file=data,
        repeats=4,
        concurrency=4,
    )


@pytest.mark.skipif(THERE, reason="the extra `ray` is installed")
def test_without_ray_the_engine_says_how_to_get_it():
    with pytest.raises(UserMistake, match=r"needs the package ray.*pip install 'speclrm\[ray\]'"):
        create(RAY)


def test_how_many_actors_there_are_is_no_setting_of_a_run_but_what_runs_in_them_is():
    identity = engine_identity(RAY)
    assert identity == engine_identity(replace(RAY, own={**RAY.own, "replicas": 8}))
    assert identity["replica_engine"] == "scripted"
    assert identity != engine_identity(replace(RAY, own={"replicas": 2}))


@pytest.mark.parametrize(
    ("hosted", "options", "sentence"),
    [
        ("vllm", {"lora": ".", "merge_lora": True}, "'merge_lora' has no effect with the engine v"),
        ("scripted", {"lora": "."}, "'lora' has no effect with the engine scripted"),
        ("scripted", {"gpu_memory_utilization": 0.3}, "'gpu_memory_utilization' has no effect"),
    ],
)
def test_what_the_engine_in_the_actors_cannot_have_is_refused_before_there_are_any(
    hosted, options, sentence
):
    settings = EngineSettings("ray", "m", own={"replica_engine": hosted}, **options)
    with pytest.raises(UserMistake, match=sentence):
        check_settings(settings)


def test_an_adapter_is_passed_to_the_actors_and_part_of_the_identity(tmp_path):
    adapter = tmp_path / "twice.pth"
    adapter.write_bytes(b"weights")
    settings = replace(RAY, own={"replica_engine": "transformers"}, lora=str(adapter))
    check_settings(settings)
    assert hosted_settings(settings).lora == str(adapter)
    one = engine_identity(settings)
    adapter.write_bytes(b"other weights")
    assert one["lora"] == str(adapter)
    assert one["lora_digest"] != engine_identity(settings)["lora_digest"]


def test_a_draft_in_actors_of_transformers_has_no_share_of_the_memory():
    """It has one by default, for vLLM; transformers would refuse it."""
    draft = replace(RAY, own={"replica_engine": "transformers"}, gpu_memory_utilization=0.2)
    check_settings(draft)


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("hosted", ["scripted", "transformers"])
def test_two_actors_make_the_records_that_one_engine_makes(experiment, tmp_path, hosted):
    if hosted == "transformers":
        target = EngineSettings("ray", "pocket-target", own=RAY.own | {"replica_engine": hosted})
        experiment = replace(experiment, target=target, repeats=2, token_budget=40)
    alone = replace(experiment.target, engine=hosted, own={})
    runner.run(replace(experiment, target=alone), tmp_path / "alone")
    runner.run(experiment, tmp_path / "actors")
    one, two = (
        {
            # How much of a prompt is still there depends on what was asked before it.
            attempt.key: written(attempt) if hosted == "scripted" else written(attempt)[:3]
            for attempt in read_attempts(tmp_path / name)
        }
        for name in ("alone", "actors")
    )
    assert one == two
    log = (tmp_path / "actors" / "engine.log").read_text()
    assert "replica actor-1 answered" in log
    assert "replica actor-2 answered" in log


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("blow", ["kill", "stop"])
async def test_the_requests_of_an_actor_that_dies_or_hangs_move_and_it_is_replaced(
    cluster, experiment, monkeypatch, blow
):
    """The cluster has room for these actors and no other, so that the dead one must give way."""
    monkeypatch.setattr(replicas, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(ray_engine(), "HEALTH_SECONDS", 1.0)
    engine = create(replace(experiment.target, own=RAY.own | {"replicas": 4}))
    await engine.start()
    asked = experiment.sampling("target").request(max_tokens=200, seed=1)
    prompt = engine.tokenizer.encode("1+1?")
    whole = await engine.complete(prompt, asked)
    waiting = [asyncio.create_task(engine.of(f"{n}").complete(prompt, asked)) for n in range(8)]
    await asyncio.sleep(0.05)
    killed = engine._replicas["actor-1"]
    process = await killed.engine._actor.process_id.remote()
    os.kill(process, signal.SIGKILL if blow == "kill" else signal.SIGSTOP)
    answers = await asyncio.gather(*waiting)
    assert {one.token_ids for one in answers} == {whole.token_ids}
    while killed.deaths == 0 or not killed.alive:  # noqa: ASYNC110 - Ray tells nobody
        await asyncio.sleep(0.05)
    assert (await killed.engine.complete(prompt, asked)).token_ids == whole.token_ids
    await engine.stop()


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
async def test_what_an_actors_engine_refuses_and_a_cluster_without_room_are_told(
    experiment, tmp_path, monkeypatch
):
    (tmp_path / "broken.json").write_text("{")
    broken = create(replace(experiment.target, script=tmp_path / "broken.json"))
    with pytest.raises(UserMistake, match=r"the replica actor-1: the script .* is malformed"):
        await broken.start()
    await broken.stop()
    monkeypatch.setattr("pipeline.engines.ray.engine.ROOM_SECONDS", 1.0)
    many = create(replace(experiment.target, own={**RAY.own, "replicas": 5}))
    with pytest.raises(UserMistake, match=r"the cluster has no room for actor \d \(1 CPU on one"):
        await many.start()
    await many.stop()
