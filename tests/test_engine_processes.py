"""An engine's processes end with the process that started them, however it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.engines.vllm.orphans import EngineProcesses, marked
from pipeline.errors import SOME_FAILED
from pipeline.runs.directory import read_attempts
from speclrm_testing.scripted_runs import HANGS

ROOT = Path(__file__).parent.parent
# An engine's process starts a worker and is gone; the worker hides behind a title, as vLLM's do.
PARENT = """
import os, subprocess, sys
from pipeline.engines.vllm.orphans import EngineProcesses
worker = "import setproctitle; setproctitle.setproctitle('worker' * 9); print(1); input()"
core = (
    "import subprocess, sys;"
    f"worker = subprocess.Popen([sys.executable, '-uc', {worker!r}], stdout=subprocess.PIPE);"
    "worker.stdout.readline();"
    "print(worker.pid, flush=True)"
)
processes = EngineProcesses()
started = os.environ | processes.environment
{fork}
subprocess.run([sys.executable, "-c", core], env=started)
print(processes._watch.pid, flush=True)
sys.stdin.read()
"""
FORK = "if os.fork() == 0: import time; time.sleep(60); os._exit(0)"


def started(fork=""):
    """A process with an orphaned worker, the worker, and the process that watches."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT.replace("{fork}", fork)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    worker, watch = (psutil.Process(int(process.stdout.readline())) for _ in range(2))
    return process, worker, watch


def ended(*processes):
    """Whether all of them end, however long that takes a busy machine."""
    return psutil.wait_procs(processes, timeout=HANGS)[1] == []


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_what_an_engine_started_is_gone_when_its_process_is_killed(blow):
    process, worker, watch = started()
    process.send_signal(blow)
    assert process.wait() == -blow
    assert ended(worker, watch)


def test_so_it_is_while_a_copy_of_the_process_holds_its_pipe_open():
    process, worker, watch = started(FORK)
    [copy] = [child for child in psutil.Process(process.pid).children() if child.pid != watch.pid]
    process.kill()
    process.wait()
    assert ended(worker, watch)
    assert copy.is_running()
    copy.kill()


def test_the_processes_of_one_engine_end_and_those_of_another_stay():
    one, other = EngineProcesses(), EngineProcesses()
    sleep = [sys.executable, "-c", "input()"]
    [first, second] = [
        subprocess.Popen(sleep, stdin=subprocess.PIPE, env=os.environ | each.environment)
        for each in (one, other)
    ]
    one.end()
    assert first.wait() == -signal.SIGKILL
    assert list(marked(other.environment["SPECLRM_ENGINE"])) == [second.pid]
    assert second.poll() is None
    other.end()
    assert second.wait() == -signal.SIGKILL


HANGING = """
import asyncio, subprocess, sys, threading
from pipeline import leaving
from pipeline.__main__ import command
from pipeline.runs import engine_stop
from pipeline.engines.scripted.engine import ScriptedEngine

async def hang(self):
    if not started:
        return
    started.append(subprocess.Popen(["sleep", "600"], stdout=nobody, stderr=nobody))
    print("started", started[-1].pid)
    await asyncio.to_thread(threading.Event().wait)

async def start(self):
    await usual(self)
    started.append(None)

started, usual, nobody = [], ScriptedEngine.start, subprocess.DEVNULL
ScriptedEngine.start, ScriptedEngine.stop = start, hang
engine_stop.STOP_SECONDS = engine_stop.CANCEL_SECONDS = leaving.LEAVE_SECONDS = 0.1
command()
"""


def test_an_engine_that_does_not_stop_is_left_and_the_run_ends_as_it_should(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"faults": {"fail": [2]}}))
    run = f"run baseline --problem-id first:3 --engine scripted --script {script} --output-dir run"
    done = subprocess.run(
        [sys.executable, "-c", HANGING, *run.split()],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
        timeout=HANGS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    [left] = [int(row.split()[1]) for row in done.stdout.splitlines() if "started" in row]
    os.kill(left, signal.SIGKILL)
    assert done.returncode == SOME_FAILED, done.stderr
    assert "the engine of the target did not stop within 0.1 s and is left behind" in done.stderr
    assert f"of its processes {left} may be left" in done.stderr
    assert "Attempts: 3 made" in done.stdout
    assert len(list(read_attempts(tmp_path / "run"))) == 3
