"""Copies of a model as actors of a Ray cluster of two machines: the same records, and the dead are
replaced, also where a whole machine dies.
"""

import asyncio
import importlib
import importlib.util
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from test_runner import written

from pipeline.engines import check_settings, create, declaration, replicas
from pipeline.engines.bundled_models import with_bundled_names, with_model_folder
from pipeline.engines.ray.declaration import hosted_settings
from pipeline.engines.settings import EngineSettings
from pipeline.errors import NotThere, UserMistake
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
    """Two machines with room for two actors each, which a test may kill."""
    import ray  # noqa: PLC0415 - it is an extra
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - same

    with pytest.MonkeyPatch.context() as here:
        # Ray makes a token in the home of whoever runs the tests, unless it is told not to.
        here.setenv("RAY_AUTH_MODE", "disabled")
        here.setenv("RAY_USAGE_STATS_ENABLED", "0")
        both = Cluster(True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        both.add_node(num_cpus=2)
        ray.init(address=both.address, log_to_driver=False)
        yield both
        ray.shutdown()
        both.shutdown()


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


def test_without_ray_the_engine_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(declaration, "find_spec", lambda _: None)
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
@pytest.mark.usefixtures("cluster")
async def test_the_requests_of_actors_that_die_or_hang_move_and_they_are_replaced(
    experiment, monkeypatch
):
    """The cluster has room for these actors and no other, so that the dead ones must give way."""
    monkeypatch.setattr(replicas, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(ray_engine(), "HEALTH_SECONDS", 1.0)
    engine = create(replace(experiment.target, own=RAY.own | {"replicas": 4}))
    await engine.start()
    asked = experiment.sampling("target").request(max_tokens=200, seed=1)
    prompt = engine.tokenizer.encode("1+1?")
    whole = await engine.complete(prompt, asked)
    waiting = [asyncio.create_task(engine.of(f"{n}").complete(prompt, asked)) for n in range(8)]
    await asyncio.sleep(0.05)
    struck = [engine._replicas["actor-1"], engine._replicas["actor-2"]]
    for one, blow in zip(struck, (signal.SIGKILL, signal.SIGSTOP), strict=True):
        os.kill((await one.engine._actor.place.remote()).process, blow)
    answers = await asyncio.gather(*waiting)
    assert {one.token_ids for one in answers} == {whole.token_ids}
    while any(one.deaths == 0 or not one.alive for one in struck):  # noqa: ASYNC110 - none is told
        await asyncio.sleep(0.05)
    for one in struck:
        assert (await one.engine.complete(prompt, asked)).token_ids == whole.token_ids
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


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
async def test_an_actor_drops_what_nobody_waits_for_any_more():
    import ray  # noqa: PLC0415 - it is an extra

    class Patient:
        def __init__(self):
            self.begun, self.dropped = asyncio.Event(), asyncio.Event()

        async def work(self):
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.dropped.set()
                raise

        async def has(self, what):
            return await getattr(self, what).wait()

    actor = ray.remote(Patient).remote()
    given_up = asyncio.create_task(ray_engine()._answer(actor.work.remote()))
    assert await actor.has.remote("begun")
    given_up.cancel()
    assert await actor.has.remote("dropped")
    ray.kill(actor)


class Away:
    """Can be sent to another process, and not be read there."""

    def __reduce__(self):
        return importlib.import_module, ("not_installed_there",)


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
async def test_a_machine_that_lacks_a_package_is_told_of_in_a_sentence():
    import ray  # noqa: PLC0415 - it is an extra

    class Reads:
        def __init__(self, given):
            self.given = given

        async def place(self):
            return 1

    actor = ray.remote(Reads).remote(Away())
    with pytest.raises(
        UserMistake, match=r"lacks a package .*not_installed_there.*install speclrm"
    ):
        await ray_engine()._answer(actor.place.remote())


def test_a_bundled_model_is_sent_by_its_name_since_other_machines_have_it_elsewhere():
    given = EngineSettings("ray", "pocket-target", tokenizer="pocket-draft")
    here = with_model_folder(given)
    assert Path(here.model).is_dir()
    assert with_bundled_names(here) == given
    assert with_bundled_names(replace(here, model="Qwen/QwQ-32B")).model == "Qwen/QwQ-32B"


@needs_ray
@pytest.mark.parametrize("seen", [True, False], ids=["sees the run", "does not see it"])
async def test_what_an_actor_logs_comes_to_the_run_directory_from_any_machine(tmp_path, seen):
    """A machine may have a folder of the same name: the mark says whether it is the run's."""
    hosted = importlib.import_module("pipeline.engines.ray.actor").HostedEngine
    log = tmp_path / "engine.actor-1.log"
    log.write_text(f"starts ({'mark' if seen else 'another'})\n")
    actor = hosted(EngineSettings("scripted", "m"), log, "mark")
    assert (await actor.place()).sees_log is seen
    with actor._settings.log.open("a") as own:
        own.write("loading\n")
    assert log.read_text().endswith("loading\n") is seen
    assert await actor.logged(0) == (b"" if seen else b"loading\n")
    assert await actor.logged(4) == (b"" if seen else b"ing\n")
    await actor.leave()
    assert log.exists()
    assert actor._settings.log.exists() is seen


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_the_log_of_an_actor_that_does_not_see_the_run_directory_is_brought_there(
    experiment, tmp_path, monkeypatch
):
    """An actor that finds no mark in the file is on another machine, as far as it knows."""
    target = EngineSettings(
        "ray", "pocket-target", own={"replicas": 1, "replica_engine": "transformers"}
    )
    monkeypatch.setattr(ray_engine(), "say", lambda *_: None)
    runner.run(replace(experiment, target=target, repeats=1, token_budget=10), tmp_path / "run")
    log = tmp_path / "run" / "engine.actor-1.log"
    assert "loss_type" in log.read_text()


@needs_ray
@pytest.mark.slow
async def test_when_a_machine_dies_its_requests_move_and_its_actors_wait_for_room(
    cluster, experiment, tmp_path, monkeypatch
):
    """The last test here: the machine does not come back."""
    monkeypatch.setattr(replicas, "LOOK_SECONDS", 0.2)
    log = tmp_path / "engine.log"
    engine = create(replace(experiment.target, own=RAY.own | {"replicas": 4}, log=log))
    await engine.start()
    asked = experiment.sampling("target").request(max_tokens=500, seed=1)
    prompt = engine.tokenizer.encode("1+1?")
    whole = await engine.complete(prompt, asked)
    waiting = [asyncio.create_task(engine.of(f"{n}").complete(prompt, asked)) for n in range(8)]
    await asyncio.sleep(0.2)
    [second] = cluster.worker_nodes
    await asyncio.to_thread(cluster.remove_node, second, allow_graceful=False)
    answers = await asyncio.gather(*waiting)
    monkeypatch.setattr(ray_engine(), "ROOM_SECONDS", 0.5)
    every = engine._replicas.values()
    while sum(not one.alive for one in every) < 2:
        asked_of_all = (engine.of(one.name).complete(prompt, asked) for one in every)
        answers += await asyncio.gather(*asked_of_all)
    assert {one.token_ids for one in answers} == {whole.token_ids}
    dead = [one for one in every if not one.alive]
    fresh = engine._makes[dead[0].name]()
    await dead[0].engine.stop()
    with pytest.raises(NotThere, match="the cluster has no room for actor"):
        await fresh.start()
    await engine.stop()
    assert log.read_text().count(" is process ") == 4
