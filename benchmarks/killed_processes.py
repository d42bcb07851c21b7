"""What `kill_resume.py` kills beside a whole run: shards with their launcher, and replicas."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket

from pipeline.runs.directory import PROBLEMS, read_attempts

ANSWER_SECONDS = 0.05
DOWN_SECONDS = 8.0
BETWEEN_SECONDS = 3.0
WINDOW_SECONDS = 2.0
"""The longest that a replica is down, and that is waited between two kills, and in a round."""


def kill_shards_once(command: list[str], folder: Path, chance: random.Random) -> Counter[str]:
    """Start all shards, kill their launcher, and before it one of them, or not; what was killed."""
    killed: Counter[str] = Counter()
    before = _bytes(folder)
    launcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while launcher.poll() is None and _bytes(folder) == before:
        time.sleep(0.005)
    shards = _shards_of(launcher.pid)
    if shards and chance.random() < 0.5:
        time.sleep(chance.uniform(0, WINDOW_SECONDS))
        with contextlib.suppress(ProcessLookupError):
            _kill(chance.choice(shards))
            killed["shard"] += 1
    time.sleep(chance.uniform(0, WINDOW_SECONDS))
    launcher.kill()
    killed["launcher"] += launcher.wait() == -signal.SIGKILL
    _wait_for_the_end(shards)
    return killed


def kill_replicas(kills: int, folder: Path, chance: random.Random) -> dict[str, object]:
    """Run on four servers of which one after another is killed and comes back; what came of it."""
    ports = [_free_port() for _ in range(4)]
    servers = {port: _serve(port) for port in ports}
    problems = kills * 40
    data = folder / "sums.jsonl"
    rows = ({"id": str(n), "problem": "1+1?", "answer": "2"} for n in range(problems))
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    addresses = [word for port in ports for word in ("--base-url", f"http://127.0.0.1:{port}/v1")]
    command = [
        *(sys.executable, "-m", "pipeline", "run", "baseline", "--data-file", str(data)),
        *("--engine", "openai", "--model", "m", *addresses, "--concurrency", "8"),
        *("--output-dir", str(folder / "run")),
    ]
    sessions, killed = 0, 0
    try:
        while sessions <= kills:
            sessions += 1
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while run.poll() is None:
                time.sleep(chance.uniform(0, BETWEEN_SECONDS))
                if killed < kills:
                    killed += 1
                    port = chance.choice(ports)
                    servers[port].kill()
                    servers[port].wait()
                    down = chance.uniform(0, DOWN_SECONDS)
                    threading.Timer(down, _back, (servers, port)).start()
            if run.returncode in {0, 1}:
                break
            time.sleep(DOWN_SECONDS)
    finally:
        time.sleep(DOWN_SECONDS)
        for server in servers.values():
            server.kill()
    attempts = list(read_attempts(folder / "run"))
    seen = Counter(attempt.key for attempt in attempts)
    booked = sum(
        tokens.generated or 0 for one in attempts for tokens in (one.usage or {})["target"].values()
    )
    return {
        "kills": killed,
        "commands": sessions,
        "attempts_expected": problems,
        "attempts_once": sum(count == 1 for count in seen.values()),
        "attempts_missing": problems - len(seen),
        "failed": sum(one.status == "error" for one in attempts),
        "tokens_booked": booked,
    }


def answer_requests(port: int) -> None:
    """A server of the model `m` that answers every chat with one token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({"data": [{"id": "m", "owned_by": "someone"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(ANSWER_SECONDS)
            message = {"role": "assistant", "content": "\\boxed{2}"}
            usage = {"prompt_tokens": 7, "completion_tokens": 1}
            choices = [{"message": message, "finish_reason": "stop"}]
            self.reply({"choices": choices, "usage": usage})

        def reply(self, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def _serve(port: int) -> "subprocess.Popen[bytes]":
    server = subprocess.Popen([sys.executable, __file__, str(port)], stderr=subprocess.DEVNULL)
    for _ in range(400):
        with contextlib.suppress(OSError), socket() as one:
            one.connect(("127.0.0.1", port))
            return server
        time.sleep(0.05)
    raise SystemExit("a server did not come up")


def _back(servers: dict[int, "subprocess.Popen[bytes]"], port: int) -> None:
    # It may have been killed twice, and be back already.
    if servers[port].poll() is not None:
        servers[port] = _serve(port)


def _free_port() -> int:
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"run*/{PROBLEMS}/*.jsonl"))


def _shards_of(launcher: int) -> list[int]:
    """The launcher's processes that make shards."""
    return [process for process in children_of(launcher) if b"--shard" in command_of(process)]


def children_of(process: int) -> Iterator[int]:
    """The processes that it has started."""
    with contextlib.suppress(OSError):
        yield from map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())


def command_of(process: int) -> list[bytes]:
    """What a process was started with; empty where it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _kill(process: int) -> None:
    # Only what is still the shard that it was.
    if b"--shard" not in command_of(process):
        raise ProcessLookupError
    os.kill(process, signal.SIGKILL)


def _wait_for_the_end(shards: list[int]) -> None:
    """Until those are gone that outlived their launcher, which a small process kills."""
    while any(b"--shard" in command_of(shard) for shard in shards):
        time.sleep(0.02)


if __name__ == "__main__":
    answer_requests(int(sys.argv[1]))
