"""What `kill_resume.py` kills of a run whose results go to a store, and what the store holds then.

The store is moto's S3 server, or the one that SPECLRM_TEST_S3 names (with the key `key` and the
secret `secret`), and fails at every tenth request. Each round kills the run, or
the process that uploads, or both as when a machine is lost; and every other round goes on on
another machine, which has no staging folder.
"""

import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from pipeline.runs.durable_lines import REPLACED, key_of
from pipeline.stores.objects import opened
from pipeline.stores.patience import Trouble
from speclrm_testing.forwarding import Forwarding

BUCKET = f"studies-{os.getpid()}"
ADDRESS = f"s3://{BUCKET}/results/run"
FAILING_SHARE = 0.1
WINDOW_SECONDS = 1.5


def serve_store(chance: random.Random) -> None:
    """Start the server in this process, and name it in the environment."""
    real = os.environ.get("SPECLRM_TEST_S3")
    application: Any = Forwarding(real) if real else DomainDispatcherApplication(create_backend_app)

    def sometimes(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if chance.random() < FAILING_SHARE:
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        answer: Iterable[bytes] = application(environ, start)
        return answer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, sometimes, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def kill_store_runs(
    kills: int, command: list[str], folder: Path, chance: random.Random
) -> dict[str, int]:
    """Kill and start again, here or elsewhere; what was killed, and what was lost on the way."""
    met: Counter[str] = Counter()
    known: set[bytes] = set()
    while met["kills"] < kills:
        if chance.random() < 0.5:
            met["machines"] += 1
            os.environ["SPECLRM_STAGING_DIR"] = str(folder / f"machine-{met['machines']}")
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = stored_bytes()
        while run.poll() is None and stored_bytes() == before:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, WINDOW_SECONDS))
        what = chance.choice(["run", "uploader", "both"])
        uploader = _uploader_of(run.pid)
        for kind, pid in (("run", run.pid), ("uploader", uploader)):
            if what in {kind, "both"} and pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if run.wait() == 0:
            break
        met["kills"] += 1
        met[f"{what}_killed"] += 1
        while uploader is not None and Path(f"/proc/{uploader}").exists():
            time.sleep(0.02)
        before_kill, known = known, stored_lines()
        met["lines_lost_on_the_way"] += len(before_kill - known)
        met["attempts_twice_on_the_way"] += sum(n > 1 for n in stored_keys().values())
    return {"lines_lost_on_the_way": 0, **met}


def stored_lines() -> set[bytes]:
    """Every attempt line in the store, those that were replaced too; each must be whole."""
    lines = [*_lines("problems/"), *_lines(REPLACED)]
    for line in lines:
        json.loads(line)
    return {*lines}


def stored_bytes() -> int:
    """How large all attempt lines in the store are together."""
    found = _surely(opened(ADDRESS).found)
    return sum(one.size for name, one in found.items() if name.startswith("problems/"))


def stored_keys() -> Counter[tuple[object, object] | None]:
    """How often the store holds each attempt."""
    return Counter(map(key_of, _lines("problems/")))


def make_bucket() -> None:
    """Make the bucket of ADDRESS."""
    _surely(lambda: opened(ADDRESS).system.mkdir(BUCKET))


def _lines(prefix: str) -> list[bytes]:
    objects = opened(ADDRESS)
    names = [name for name in _surely(objects.found) if name.startswith(prefix)]
    return [line for name in names for line in _surely(partial(objects.read, name)).splitlines()]


def _surely(work: Callable[[], Any]) -> Any:
    """What the store answers once it does not fail."""
    while True:
        try:
            return work()
        except (Trouble, OSError):
            time.sleep(0.01)


def _uploader_of(run: int) -> int | None:
    """The process of a run that uploads."""
    with contextlib.suppress(FileNotFoundError):
        for child in Path(f"/proc/{run}/task/{run}/children").read_text().split():
            if b"pipeline.runs.mirroring" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None
