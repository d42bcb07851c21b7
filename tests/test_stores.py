"""Run directories in a store: what is there is whole, once, and what a local run would have made.

The store is moto's S3 server in this process, or another (`s3_server.py`); runs keep it and their
staging folder alike from processes of their own, as always.
"""

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from s3_server import BUCKET, S3, s3_server

from pipeline.cli import run_shards
from pipeline.cli.findings import Finding, State
from pipeline.cli.store_checks import staging_findings, store_findings
from pipeline.runs.directory import MANIFEST, read_attempts
from pipeline.runs.mirror import Mirror
from pipeline.runs.store_lease import LEASE, Lease
from pipeline.runs.stored_runs import copies, staged
from pipeline.runs.unstaging import unstage
from pipeline.shards import Shard
from pipeline.stores.failures import Overtaken
from pipeline.stores.objects import Objects, opened
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place, ended, once, process_of


@pytest.fixture(scope="module")
def server():
    s3 = s3_server()
    yield s3
    s3.go()


@pytest.fixture
def store(server: S3, monkeypatch, tmp_path_factory):
    """The server with an empty bucket, as a user's environment names it, and no staged runs."""
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SPECLRM_STAGING_DIR": str(tmp_path_factory.mktemp("stage")),
    }.items():
        monkeypatch.setenv(name, value)
    objects = opened(f"s3://{BUCKET}/x")
    if objects.system.exists(BUCKET):
        objects.system.rm(BUCKET, recursive=True)
    objects.system.mkdir(BUCKET)
    server.asked.clear()
    return server


@pytest.fixture
def elsewhere(monkeypatch, tmp_path_factory):
    """From now on this is another machine: it has staged nothing."""

    def move() -> None:
        monkeypatch.setenv("SPECLRM_STAGING_DIR", str(tmp_path_factory.mktemp("elsewhere")))

    return move


def run_of(name: str = "run") -> str:
    return f"s3://{BUCKET}/results/{name}"


def command(place: Place, options: str = "", name: str = "run") -> str:
    return place.command("baseline", f"--output-dir {run_of(name)} {options}")


def upload(run: Path, address: str) -> Objects:
    """Put a run that lies in a folder into the store."""
    objects = opened(address)
    Mirror(run, objects).push(everything=True)
    return objects


def lines(objects: Objects) -> list[bytes]:
    """All attempt lines that the store holds."""
    names = [name for name in objects.found() if name.startswith("problems/")]
    return [line for name in names for line in objects.read(name).splitlines(keepends=True)]


def keys(objects: Objects) -> Counter[tuple[str, int]]:
    """How often the store holds each attempt; every line is whole."""
    found = [json.loads(line) for line in lines(objects)]
    assert all(line.endswith(b"\n") for line in lines(objects))
    return Counter((one["problem_id"], one["repeat_id"]) for one in found)


def lines_without_times(run: Path) -> list[str]:
    """The attempts of a run, without what no two runs have in common."""
    return sorted(repr(one).partition("seconds=")[0] for one in read_attempts(run))


# Commands


def test_a_run_in_a_store_is_the_run_that_a_folder_would_hold(tmp_path, store, elsewhere):
    place = Place.made(tmp_path)
    here = speclrm(place.command("baseline", "--repeats 2"))
    there = speclrm(command(place, "--repeats 2"))
    assert (there.code, there.out.splitlines()[0]) == (0, here.out.splitlines()[0])
    assert there.out.splitlines()[1] == run_of()
    elsewhere()
    [copy] = copies(run_of())
    assert lines_without_times(copy) == lines_without_times(place.run("baseline"))
    assert "engine.log" not in opened(run_of()).found()  # the scripted engine has none
    assert LEASE not in opened(run_of()).found()

    graded = speclrm(f"grade {run_of()}")
    assert graded.out == f"{run_of()}: 12 attempts, 12 correct\n"
    elsewhere()
    board = speclrm(f"leaderboard {run_of()} --format json")
    assert json.loads(board.out)[0]["run"] == "run"
    state = json.loads(speclrm(f"status s3://{BUCKET}/results --json").out)["runs"]
    assert [(one["path"], one["state"], one["verdicts"]) for one in state] == [
        (run_of(), "complete", 12)
    ]


def test_a_store_that_stays_away_ends_the_run_and_one_that_returns_gets_everything(
    tmp_path, store, monkeypatch
):
    place = Place.made(tmp_path)

    def attempts(method: str, path: str) -> bool:
        return method == "PUT" and "/problems/" in path

    with store.failing(attempts), monkeypatch.context() as impatient:
        impatient.setenv("SPECLRM_STORE_PATIENCE", "0.5")
        said = speclrm(command(place))
    folder = staged(run_of())
    assert said.code == 3
    assert f"They are kept in {folder}, and the next" in said.sentence
    assert len(list(read_attempts(folder))) > 0
    assert not unstage(folder)
    assert keys(opened(run_of())) == Counter()
    tries = Counter[str]()

    def every_object_twice(method: str, path: str) -> bool:
        tries[path] += method == "PUT"
        return method == "PUT" and tries[path] < 3

    with store.failing(every_object_twice):
        said = speclrm(command(place))
    assert said.code == 0
    assert keys(opened(run_of())) == once()


def test_a_store_that_is_not_there_is_told_in_a_sentence(store, monkeypatch):
    monkeypatch.setenv("SPECLRM_STORE_PATIENCE", "0.1")
    store.go()
    try:
        said = speclrm(f"grade {run_of()}")
    finally:
        store.come()
    assert said.code == 3
    assert f"The store of {run_of()} does not answer" in said.sentence


def test_a_run_that_somebody_writes_to_is_refused(tmp_path, store):
    lease = Lease(opened(run_of()), os.getpid())
    lease.take(time.sleep, print)
    with lease.held():
        said = speclrm(command(Place.made(tmp_path)))
        assert said.code == 2
        assert f"{run_of()} is in use by another process (pid {os.getpid()} on " in said.sentence
    assert opened(run_of()).found() == {}


def test_s3_replaces_only_what_its_writer_has_seen(tmp_path, store):
    """Two that both believe to be the only writer do not overwrite each other's lines."""
    place = Place.made(tmp_path)
    place.speclrm("baseline")
    objects, name = upload(place.run("baseline"), run_of()), "problems/sums-1.jsonl"
    first, second = (Mirror(tmp_path / each, opened(run_of())) for each in ("first", "second"))
    for mirror, more in ((first, b'{"first": 1}\n'), (second, b'{"second": 1}\n')):
        mirror.pull()
        with (mirror.folder / name).open("ab") as file:
            file.write(more)
    first.push(everything=False)
    with pytest.raises(Overtaken):
        second.push(everything=False)
    assert objects.read(name).endswith(b'{"first": 1}\n')
    with pytest.raises(Overtaken):
        objects.write(name, b"new", None)


def test_shards_are_merged_in_the_store_and_leave_nothing_here(
    tmp_path, store, elsewhere, monkeypatch
):
    place, folder = Place.made(tmp_path), tmp_path / "chosen"
    speclrm(place.command("baseline", "--shard 1/2"))
    upload(tmp_path / "baseline.shard-1-of-2", run_of("run.shard-1-of-2"))
    assert speclrm(command(place, f"--staging-dir {folder} --shard 2/2")).code == 0
    assert [file for file in folder.rglob("*") if file.is_file()] == []
    assert Path(os.environ["SPECLRM_STAGING_DIR"]) != folder
    elsewhere()
    refused = speclrm(command(place, "--dry-run --shard 1/3"))
    assert f"{run_of()}.shard-1-of-2 holds" in refused.sentence
    # The processes of the shards have ended, and have left nothing either.
    made = {Shard(number, 2): 0 for number in (1, 2)}
    monkeypatch.setattr(run_shards, "run_parts", lambda _arguments, _parts: made)
    assert speclrm(command(place, f"--staging-dir {folder} --shards 2")).code == 0
    assert [file for file in folder.rglob("*") if file.is_file()] == []
    assert keys(opened(run_of())) == once()
    merged = speclrm(f"merge {run_of()}.shard-*-of-2 --into {run_of()}")
    assert merged.out == f"6 attempts, 0 of them new, 0 failed.\n{run_of()}\n"
    assert not staged(run_of()).exists()


def test_a_damaged_object_is_named_and_left_alone(tmp_path, store):
    place = Place.made(tmp_path)
    place.speclrm("baseline")
    objects, name = upload(place.run("baseline"), run_of()), "problems/sums-3.jsonl"
    damaged = b"{" + objects.read(name)
    objects.write(name, damaged, objects.version(name))
    for refused in (f"grade {run_of()}", command(place, "--repeats 2")):
        said = speclrm(refused)
        assert said.code == 2
        assert f"{run_of()}/{name}, line 1 is not an attempt record" in said.sentence
    assert objects.read(name) == damaged


def test_a_killed_run_goes_on_from_what_the_store_holds(tmp_path, store, elsewhere):
    place = Place.made(tmp_path)
    place.script("target", latency={"decode_token": 0.01})
    process = process_of(command(place, "--repeats 4 --concurrency 2"))
    # Asking costs the server in this process more than waiting does.
    while process.poll() is None and len(opened(run_of()).found()) < len([LEASE, MANIFEST, "one"]):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    ended(process)
    # The process that uploads ends by itself, once it has uploaded what is recorded.
    while LEASE in opened(run_of()).found():
        time.sleep(0.1)
    there = keys(opened(run_of()))
    assert there
    elsewhere()
    place.script("target")
    said = speclrm(command(place, "--repeats 4"))
    assert f"{there.total()} already recorded" in said.out
    assert keys(opened(run_of())) == once(repeats=4)


def test_a_table_names_its_runs_by_their_addresses(tmp_path, store):
    table = tmp_path / "table.toml"
    script = Place.made(tmp_path).folder / "target.json"
    table.write_text(
        'columns = ["pocket[first:1]"]\n[models.m]\nengine = "scripted"\nmodel = "scripted"\n'
        f'script = "{script}"\n[rows.a]\nreasoner = "baseline"\ntarget = "m"\n'
    )
    planned = speclrm(f"table {table} --results s3://{BUCKET}/results --dry-run --json")
    [cell] = json.loads(planned.out)["cells"]
    assert cell["directory"].startswith(f"s3://{BUCKET}/results/pocket-baseline-scripted-")


def test_the_doctor_says_what_a_store_can_do_and_what_waits_for_it(tmp_path, store):
    assert [(one.state, "only if it is the one" in one.found) for one in checked()] == [
        (State.OK, True)
    ]
    assert opened(f"s3://{BUCKET}/runs").found() == {}
    assert "whatever version" in checked(f"file://{tmp_path}/runs")[0].found
    assert checked("no-address")[0].state is State.FAILURE
    staged_here = Place.made(tmp_path)
    staged_here.speclrm("baseline")
    folder = staged(run_of())
    staged_here.run("baseline").rename(folder)
    assert [(one.state, one.found) for one in staging_findings()][:1] == [
        (State.WARNING, f"{run_of()} in {folder} has 7 files that wait for upload")
    ]
    upload(folder, run_of())
    assert "was uploaded" in next(staging_findings()).found
    assert unstage(folder)
    assert [one.what for one in staging_findings()] == ["staging"]


def checked(address: str = f"s3://{BUCKET}/runs") -> list[Finding]:
    return list(store_findings(address))


@pytest.mark.parametrize(
    "line",
    [
        "import --from ssr x --output-dir s3://studies/x",
        "generate --prompt 1+1? --output-file s3://studies/x.jsonl",
    ],
)
def test_what_is_not_written_to_a_store_refuses_its_address(line):
    said = speclrm(line)
    assert (said.code, "is an address; only run, merge and table" in said.sentence) == (2, True)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("s3://no-such-bucket/x", "refuses (The specified bucket does not exist)"),
        ("nfs4://host/x", "cannot be used (Protocol not known: nfs4)"),
        ("gs://bucket/x", "needs a package that is not here"),
        ("s3://bucket/../x", "names no run directory"),
        ("memory://x", "ends with the process"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_mistake_in_a_sentence(
    tmp_path, store, monkeypatch, address, says
):
    monkeypatch.setitem(sys.modules, "gcsfs.core", None)
    said = speclrm(Place.made(tmp_path).command("baseline", f"--output-dir {address}"))
    assert (said.code, says in said.sentence) == (2, True), said.sentence
