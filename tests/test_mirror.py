"""A folder and its objects: whatever happens in between, no line is lost and none doubled."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipeline.errors import RunStopped, UserMistake
from pipeline.runs import durable_lines, mirroring, store_lease
from pipeline.runs.lock import Holder, InUse
from pipeline.runs.mirror import Mirror
from pipeline.runs.store_lease import LEASE, Lease
from pipeline.runs.stored_runs import copies, staged
from pipeline.stores import patience, schemes
from pipeline.stores.addresses import (
    COPIES,
    STAGING,
    address_of,
    as_addresses,
    folder_of,
    is_address,
)
from pipeline.stores.failures import Overtaken
from pipeline.stores.objects import Found, Objects, opened
from pipeline.stores.patience import Trouble, patiently

ADDRESS = "memory://bucket/run"
PROBLEM = "problems/sums-1.jsonl"


@pytest.fixture
def store() -> Iterator[Objects]:
    yield opened(ADDRESS)
    fsspec.filesystem("memory").store.clear()


class Cut(BaseException):
    """Where a process is killed."""


class Cutting:
    """Objects of which one call is not made, or is made and never answered."""

    def __init__(self, objects: Objects, at: int, error: BaseException, *, after: bool) -> None:
        self._objects, self._at, self._error, self._after = objects, at, error, after
        self.calls = 0
        self.written: list[str] = []

    def write(self, name: str, content: bytes, last: str | None) -> str:
        self.calls += 1
        if self.calls == self._at and not self._after:
            raise self._error
        version = self._objects.write(name, content, last)
        self.written.append(name)
        if self.calls == self._at:
            raise self._error
        return version

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)


class Heedless:
    """A store that puts there whatever it is given, whatever the condition."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def write(self, name: str, content: bytes, _last: str | None) -> str:
        return self._objects.write(name, content, self._objects.version(name))

    def is_conditional(self, name: str, content: bytes) -> bool:
        return Objects.is_conditional(self, name, content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)


class Conditional(Heedless):
    """A store that replaces an object only if it is the one that was seen last."""

    def write(self, name: str, content: bytes, last: str | None) -> str:
        if last != self._objects.version(name):
            raise Overtaken(name)
        return self._objects.write(name, content, last)


def line(problem: str, repeat: int, text: str = "") -> bytes:
    return json.dumps({"problem_id": problem, "repeat_id": repeat, "text": text}).encode() + b"\n"


def manifest(*sessions: str, identity: str = "same", problems: tuple[str, ...] = ("1",)) -> bytes:
    slice_ = {"problem_ids": [*problems], "repeats": 2}
    whole = {"identity": identity, "slice": slice_, "sessions": [{"started": s} for s in sessions]}
    return json.dumps(whole).encode() + b"\n"


def made(folder: Path, **files: bytes) -> Path:
    """A folder with a run of one attempt, and with other files."""
    (folder / "problems").mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_bytes(manifest("first"))
    (folder / PROBLEM).write_bytes(line("1", 0))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def add(folder: Path, content: bytes, name: str = PROBLEM) -> None:
    with (folder / name).open("ab") as handle:
        handle.write(content)


def keys(content: bytes) -> Counter[Any]:
    return Counter(durable_lines.key_of(one) for one in content.splitlines())


def test_only_whole_lines_are_uploaded_and_logs_at_the_end(store, tmp_path):
    run = made(tmp_path / "run", **{"engine.log": b"started\n"})
    add(run, b'{"problem_id": "1", "repe')
    mirror = Mirror(run, store)
    mirror.push(everything=False)
    assert store.read(PROBLEM) == line("1", 0)
    assert sorted(store.found()) == [PROBLEM, "run.json"]
    add(run, b'at_id": 1}\n')
    mirror.push(everything=True)
    assert sorted(store.found()) == ["engine.log", PROBLEM, "run.json"]
    assert keys(store.read(PROBLEM)) == Counter({("1", 0): 1, ("1", 1): 1})


def test_a_folder_without_a_manifest_has_nothing_to_upload(store, tmp_path):
    run = made(tmp_path / "run")
    (run / "run.json").unlink()
    Mirror(run, store).push(everything=True)
    assert store.found() == {}


def test_the_manifest_and_what_was_replaced_arrive_before_the_attempts(store, tmp_path):
    run = made(tmp_path / "run")
    watched = Cutting(store, 0, Cut(), after=False)
    mirror = Mirror(run, watched)
    mirror.push(everything=False)
    durable_lines.replace_attempt(run / PROBLEM, line("1", 0, "again"))
    mirror.push(everything=False)
    assert watched.written == ["run.json", PROBLEM, "replaced.jsonl", PROBLEM]


def test_what_has_not_changed_is_neither_uploaded_nor_downloaded_again(store, tmp_path):
    run = made(tmp_path / "run")
    Mirror(run, store).push(everything=True)
    watched = Cutting(store, 0, Cut(), after=False)
    watched.read = pytest.fail
    later = Mirror(run, watched)
    later.pull()
    later.push(everything=True)
    assert watched.written == []


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_kill_at_any_upload_loses_and_doubles_nothing(store, tmp_path, at, after):
    run = made(tmp_path / "run")
    cut = Cutting(store, at, Cut(), after=after)
    try:
        mirror = Mirror(run, cut)
        mirror.push(everything=False)
        add(run, line("1", 1))
        mirror.push(everything=False)
        durable_lines.replace_attempt(run / PROBLEM, line("1", 0, "again"))
        mirror.push(everything=False)
    except Cut:
        pass
    here = keys((run / PROBLEM).read_bytes())
    resumed = Mirror(run, store)
    resumed.pull()
    assert keys((run / PROBLEM).read_bytes()) == here
    resumed.push(everything=True)
    assert store.read(PROBLEM) == (run / PROBLEM).read_bytes()
    assert store.read("run.json") == manifest("first")


@pytest.mark.parametrize("after", [False, True], ids=["not made", "not answered"])
@pytest.mark.parametrize("at", range(1, 4))
def test_an_upload_in_trouble_is_made_again_also_when_it_had_arrived(store, tmp_path, at, after):
    run = made(tmp_path / "run")
    mirror = Mirror(run, Cutting(store, at, Trouble("no answer"), after=after))
    for repeat in (1, 2):
        with contextlib.suppress(Trouble):
            mirror.push(everything=False)
        add(run, line("1", repeat))
    mirror.push(everything=False)
    assert keys(store.read(PROBLEM)) == Counter({("1", repeat): 1 for repeat in range(3)})


def test_two_machines_lines_are_put_together_and_the_stores_come_first(store, tmp_path):
    """One machine was cut off with two attempts, and another has made one of them again."""
    first, second = made(tmp_path / "first"), tmp_path / "second"
    Mirror(first, store).push(everything=True)
    add(first, line("1", 1, "first") + line("1", 2, "first"))
    (first / "run.json").write_bytes(manifest("first", "cut off", problems=("1", "3")))
    other = Mirror(second, store)
    other.pull()
    add(second, line("1", 1, "second"))
    (second / "run.json").write_bytes(manifest("first", "second", problems=("1", "2")))
    other.push(everything=True)

    returned = Mirror(first, store)
    returned.pull()
    returned.push(everything=True)
    lines = store.read(PROBLEM).splitlines(keepends=True)
    assert lines == [line("1", 0), line("1", 1, "second"), line("1", 2, "first")]
    assert store.read("replaced.jsonl") == line("1", 1, "first")
    merged = json.loads(store.read("run.json"))
    assert [one["started"] for one in merged["sessions"]] == ["first", "second", "cut off"]
    assert merged["slice"]["problem_ids"] == ["1", "2", "3"]


def test_what_waits_here_is_not_mixed_into_a_run_with_other_settings(store, tmp_path):
    first, second = made(tmp_path / "first"), made(tmp_path / "second")
    (second / "run.json").write_bytes(manifest("second", identity="other"))
    Mirror(second, store).push(everything=True)
    with pytest.raises(UserMistake, match="other settings than what is waiting in"):
        Mirror(first, store).pull()


def test_what_was_removed_from_the_store_does_not_come_back_and_is_kept_aside(store, tmp_path):
    run = made(tmp_path / "run")
    (run / "problems" / "sums-2.jsonl").write_bytes(line("2", 0))
    mirror = Mirror(run, store)
    mirror.push(everything=True)
    add(run, line("1", 1))
    for name in store.found():
        store.remove(name)
    later = Mirror(run, store)
    later.pull()
    # A file that holds what the store has never had is no leftover.
    assert [file.name for file in (run / "problems").iterdir()] == ["sums-1.jsonl"]
    assert (tmp_path / ".run.removed" / "problems" / "sums-2.jsonl").read_bytes() == line("2", 0)


def test_what_is_removed_while_the_run_makes_more_of_it_is_put_there_again(store, tmp_path):
    run = made(tmp_path / "run")
    mirror = Mirror(run, Conditional(store))
    mirror.push(everything=False)
    store.remove(PROBLEM)
    add(run, line("1", 1))
    mirror.push(everything=False)
    assert store.read(PROBLEM) == line("1", 0) + line("1", 1)


def test_in_the_end_the_store_has_what_was_removed_and_overwritten_meanwhile(store, tmp_path):
    """Somebody who was held up has written an old file over a newer one, and made a line."""
    run = made(tmp_path / "run")
    (run / "problems" / "sums-2.jsonl").write_bytes(line("2", 0))
    add(run, line("1", 1))
    mirror = Mirror(run, store)
    mirror.push(everything=True)
    assert (mirror.put_right(), mirror.is_in_store()) == ([], True)
    store.write(PROBLEM, line("1", 0) + line("1", 2), store.version(PROBLEM))
    store.remove("problems/sums-2.jsonl")
    assert not mirror.is_in_store()
    assert sorted(mirror.put_right()) == [PROBLEM, "problems/sums-2.jsonl"]
    assert keys(store.read(PROBLEM)) == Counter({("1", repeat): 1 for repeat in range(3)})
    assert store.read("problems/sums-2.jsonl") == line("2", 0)
    assert (run / PROBLEM).read_bytes() == store.read(PROBLEM)
    assert mirror.is_in_store()


def test_what_only_this_machine_has_is_not_in_the_store(store, tmp_path):
    run = made(tmp_path / "run")
    mirror = Mirror(run, store)
    mirror.push(everything=True)
    assert mirror.is_in_store()
    add(run, line("1", 1))
    assert not mirror.is_in_store()


def test_a_copy_is_what_the_store_holds(store, tmp_path):
    run, copy = made(tmp_path / "run", **{"engine.log": b"x"}), tmp_path / "copy"
    mirror = Mirror(run, store)
    mirror.push(everything=True)
    Mirror(copy, store, copy=True).pull()
    durable_lines.replace_attempt(run / PROBLEM, line("1", 0, "again"))
    mirror.push(everything=True)
    (tmp_path / ".copy.alike.json").unlink()
    Mirror(copy, store, copy=True).pull()
    assert (copy / PROBLEM).read_bytes() == line("1", 0, "again")
    assert not (copy / "engine.log").exists()


def test_a_download_goes_on_as_long_as_something_arrives(store, tmp_path):
    run = made(tmp_path / "run")
    for problem in range(40):
        (run / "problems" / f"sums-{problem}.jsonl").write_bytes(line(str(problem), 0))
    Mirror(run, store).push(everything=True)
    calls = Counter[str]()

    def failing(name: str) -> bytes:
        calls[name] += 1
        if (sum(name.encode()) + calls[name]) % 3:
            raise Trouble("busy")
        return store.read(name)

    watched = Cutting(store, 0, Cut(), after=False)
    watched.read = failing
    mirror = Mirror(tmp_path / "copy", watched)
    patiently(mirror.pull, lambda _seconds: None, 5.0, lambda: mirror.moved)
    assert len(list((tmp_path / "copy" / "problems").iterdir())) == 40


@pytest.fixture
def silent(monkeypatch) -> Iterator[Objects]:
    """A place in an S3 server that takes connections and says nothing."""
    pytest.importorskip("s3fs")
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            patience.PATIENCE_VARIABLE: "0",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(schemes, "CONNECT_SECONDS", 0.3)
        yield opened("s3://bucket/run")


def test_a_store_that_hangs_is_waited_for_no_longer_than_asked(silent, tmp_path):
    """An upload waits for the server's leave to begin, for which its client knows no limit."""
    mirror = Mirror(made(tmp_path / "run"), silent)
    for asked in (lambda: mirror.push(everything=True), mirror.pull, lambda: silent.version("x")):
        with pytest.raises(Trouble, match=r"in time|timeout"):
            patiently(asked, time.sleep, 0.0, lambda: mirror.moved)


def test_whoever_reads_from_a_silent_store_is_told_before_it_is_given_up(
    silent, monkeypatch, capfd
):
    monkeypatch.setattr(patience, "QUIET_SECONDS", 0.0)
    with pytest.raises(RunStopped, match="does not answer"):
        copies(silent.address)
    assert capfd.readouterr().err.startswith(
        "The store of s3://bucket/run does not answer; it is given up once nothing has moved for "
    )


def test_whoever_waits_for_the_last_uploads_learns_that_the_store_is_silent(monkeypatch, capfd):
    monkeypatch.setattr(mirroring, "QUIET_SECONDS", 0.0)
    says = [[mirroring.SILENT, "it is silent"], [mirroring.STOPPED, "given up"]]
    script = f"import sys; [print(line) for line in {[*map(json.dumps, says)]}]; sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    waiting = mirroring.StoreProcess.listening(process)
    assert waiting.finish() == "given up"
    assert capfd.readouterr().err.endswith("next start of the run.\nit is silent\n")


def test_whoever_grades_last_writes_the_verdicts(store, tmp_path):
    run = made(tmp_path / "run", **{"verdicts.jsonl": b"{}\n"})
    mirror = Mirror(run, store)
    mirror.push(everything=True)
    store.write("verdicts.jsonl", b"theirs\n", store.version("verdicts.jsonl"))
    (run / "verdicts.jsonl").write_bytes(b"ours\n")
    mirror.push(everything=True)
    assert store.read("verdicts.jsonl") == b"ours\n"


# Leases


def lease_of(holder: Holder, writer: str = "theirs") -> bytes:
    who = {"host": holder.host, "pid": holder.pid, "began": holder.began}
    return json.dumps({"token": writer, "holder": who, "run": who}).encode()


def quick(monkeypatch) -> None:
    for name in ("BEAT_SECONDS", "LEASE_SECONDS", "SETTLE_SECONDS"):
        monkeypatch.setattr(store_lease, name, 0.01)


HERE = Holder.own()


@pytest.mark.parametrize(
    ("holder", "taken"),
    [
        (HERE, False),
        (Holder(HERE.host, HERE.pid, "in another life"), True),
        (Holder("another machine", 1, "1"), True),
    ],
    ids=["of a process that lives", "of one that has ended", "of one that is silent for long"],
)
def test_a_lease_is_taken_over_from_whoever_has_ended(store, monkeypatch, holder, taken):
    quick(monkeypatch)
    store.write(LEASE, lease_of(holder), None)
    lease = Lease(store, HERE.pid)
    if taken:
        lease.take(threading.Event().wait, print)
        with lease.held():
            assert lease.token in store.read(LEASE).decode()
        assert LEASE not in store.found()
    else:
        with pytest.raises(InUse, match=f"pid {HERE.pid} on "):
            lease.take(threading.Event().wait, print)


def test_a_lease_that_is_renewed_meanwhile_is_not_taken(store):
    there = Holder("another machine", 1, "1")
    store.write(LEASE, lease_of(there), None)

    def renewed(_seconds: float) -> None:
        store.write(LEASE, lease_of(there, "renewed"), "")

    with pytest.raises(InUse, match="pid 1 on another"):
        Lease(store, HERE.pid).take(renewed, print)


def test_who_was_overtaken_learns_it_and_leaves_the_others_lease_alone(store, monkeypatch):
    quick(monkeypatch)
    lease = Lease(store, HERE.pid)
    lease.take(threading.Event().wait, print)
    store.write(LEASE, lease_of(Holder("another machine", 1, "1")), "")
    with lease.held():
        time.sleep(2 * store_lease.BEAT_SECONDS)
        with pytest.raises(Overtaken):
            lease.renew()
    assert "another machine" in store.read(LEASE).decode()


@pytest.mark.parametrize("kind", [Conditional, Heedless])
def test_a_lease_that_is_held_is_not_written_over_whatever_the_store_heeds(
    store, monkeypatch, kind
):
    quick(monkeypatch)
    first = Lease(kind(store), HERE.pid)
    assert first.take(threading.Event().wait, print) == (kind is Conditional)
    with pytest.raises(InUse, match=f"pid {HERE.pid} on "):
        Lease(kind(store), HERE.pid).take(threading.Event().wait, print)
    assert first.is_held()


@pytest.mark.parametrize(("kind", "goes_on"), [(Conditional, True), (Heedless, False)])
def test_a_lease_that_was_removed_is_made_again_where_nobody_can_have_written_unseen(
    store, monkeypatch, kind, goes_on
):
    quick(monkeypatch)
    lease = Lease(kind(store), HERE.pid)
    lease.take(threading.Event().wait, print)
    store.remove(LEASE)
    time.sleep(store_lease.BEAT_SECONDS)
    with contextlib.nullcontext() if goes_on else pytest.raises(Overtaken):
        lease.renew()
    assert lease.is_held() == goes_on


def test_whoever_waits_for_a_lease_to_lapse_is_told(store, monkeypatch):
    quick(monkeypatch)
    store.write(LEASE, lease_of(Holder("another machine", 7, "1")), None)
    said: list[str] = []
    Lease(store, HERE.pid).take(threading.Event().wait, said.append)
    waits = "Waiting up to 0.01 s to see whether memory://bucket/run is still in use by pid 7 on"
    assert said == [f"{waits} another."]


# Google's storage


class Google:
    """What its client shows of it, as far as an upload needs, with the server's conditions."""

    base = "https://server/storage/v1/"

    def __init__(self) -> None:
        self.generations: dict[str, int] = {}
        self.bodies: list[bytes] = []

    def call(self, method, path, *, ifGenerationMatch, uploadType, headers, data, timeout):  # noqa: N803 - the server's name
        assert (method, path, uploadType) == (
            "POST",
            "https://server/upload/storage/v1/b/bucket/o",
            "multipart",
        )
        assert timeout == pytest.approx(20 + 100 / 65536)
        about = json.loads(data.split(b"\r\n\r\n")[1].split(b"\r\n")[0])
        name = about["name"]
        if ifGenerationMatch != str(self.generations.get(name, 0)):
            raise FileExistsError(path)
        self.bodies.append(data)
        self.generations[name] = 1000 + len(self.bodies)
        return {}, json.dumps({"generation": str(self.generations[name])})


def test_google_replaces_only_what_its_writer_has_seen_and_within_a_time():
    google, content = Google(), b"x" * 100
    there = Objects(google, "gs://bucket/run", "gs", "bucket/run", "")
    first = there.write("a", content, None)
    second = there.write("a", content, first)
    assert first != second
    for stale in (None, first):
        with pytest.raises(Overtaken):
            there.write("a", content, stale)
    assert there.is_conditional("a", content)
    assert content in google.bodies[-1]
    listed = {"size": 100, "generation": second, "etag": "CJ", "mtime": 0}
    google.info = lambda _path: listed
    assert there.version("a") == second


def test_a_bucket_that_is_not_there_is_named_whatever_is_asked():
    def missing(*_args: Any, **_options: Any) -> None:
        raise FileNotFoundError("b/bucket/o")

    google = Google()
    google.call = google.find = missing
    there = Objects(google, "gs://bucket/run", "gs", "bucket/run", "")
    for asked in (there.found, lambda: there.write("a", b"", None)):
        with pytest.raises(UserMistake, match="there is no bucket bucket"):
            asked()


# Addresses


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("s3://bucket/runs/x", ""),
        ("s3://bucket/runs/x", "localhost:9000"),
        ("gs://bucket/a-b/x.shard-1-of-2", ""),
        ("file:///data/runs/x", ""),
    ],
)
@pytest.mark.parametrize("kind", [STAGING, COPIES])
def test_an_address_can_be_read_off_its_folders(address, endpoint, kind):
    folder = folder_of(address, endpoint, kind)
    assert address_of(folder) == address
    assert as_addresses(f"see {folder}/run.json") == f"see {address}/run.json"
    assert address_of(Path("results/x")) is None
    # Until a run has ended its log is only there.
    assert as_addresses(f"see {folder}.engine.log") == f"see {folder}.engine.log"


@pytest.mark.parametrize("address", ["s3://", "s3://b//x", "s3://b/../x", "s3://b/./x"])
def test_an_address_that_names_no_place_is_refused(address):
    with pytest.raises(UserMistake, match="names no run directory"):
        folder_of(address, "", STAGING)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("s3://lab", "whole bucket; write it as s3://lab/FOLDER/RUN"),
        ("gs://lab/", "whole bucket; write it as gs://lab/FOLDER/RUN"),
        ("s3://lab/r/*", "has wildcards"),
        ("s3://lab/r/x?", "has wildcards"),
        ("s3://lab/[r]/x", "has wildcards"),
        ("file://tmp/x", "write a folder as file:///tmp/x"),
    ],
)
def test_no_run_is_made_where_none_can_be_named_again(address, says):
    with pytest.raises(UserMistake, match=re.escape(says)):
        staged(address)


@pytest.mark.parametrize(
    ("named", "right"),
    [
        ("S3://lab/r/q", "s3://lab/r/q"),
        ("s3:/lab/r/x", "s3://lab/r/x"),
        ("Gs:/lab/x", "gs://lab/x"),
        ("file:/tmp/x", "file:///tmp/x"),
        ("FILE:///tmp/x", "file:///tmp/x"),
    ],
)
def test_an_address_with_a_slip_of_the_pen_becomes_no_folder(named, right):
    with pytest.raises(UserMistake, match=f"write it as {right}"):
        is_address(named)
    assert is_address(right)


@pytest.mark.parametrize("folder", ["results/x", "c:/x", "a:b/x", "s3/x", "/s3:/x"])
def test_a_folder_is_no_address(folder):
    assert not is_address(folder)


def test_objects_are_listed_by_their_names_within_the_place(store):
    store.write("a/b", b"12", None)
    assert store.found() == {"a/b": Found(store.version("a/b"), 2)}
    with pytest.raises(Overtaken):
        store.write("a/b", b"other", None)
