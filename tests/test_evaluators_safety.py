"""Nothing in an answer can run code, hang or exhaust memory, and any thread may judge."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluators import grade
from evaluators.comparing.symbolic.sandbox import MAX_CALLS, NoWorker, _Pool, _Worker
from evaluators.comparing.symbolic.wire import from_wire, to_wire
from evaluators.nodes import Num, Op, Sym

# How long a worker may take to end, seconds.
PATIENCE = 20
ONE = ["num", "1", "1"]

HOSTILE = [
    "9^{9^{9^{9}}}",
    "((10!)!)!",
    "10^{10^{10}} + 1",
    "\\sum_{k=1}^{10^9} \\frac1k",
    "\\prod_{k=1}^{1000000} k",
    "x^{y^{z^{w^{v}}}}",
    "\\sqrt[10000000]{x^{10000000}}",
    "\\binom{1000000000}{500000000}",
    "\\sin(7^{\\exp(\\exp(\\exp(10e)))}+1)",
    "\\frac{1}{0}",
    "0^{-1}",
    "\\sqrt{" * 500 + "2" + "}" * 500,
    "1+" * 100_000 + "1",
    "x^{1175!} + 1",
    "1/" * 1500 + "1",
    "\\sin " * 800 + "x",
    "\\sum_{k=1}^{300}" * 8 + "k",
    "3" + "!" * 100_000,
    "[]" * 30,
    "x" + "{ inches}" * 100,
    "-" * 100_000 + "1",
    "x^" * 50_000 + "2",
    "1," * 50_000 + "1",
    "\\begin{pmatrix}" + "1&" * 5000 + "1\\end{pmatrix}",
    "9" * 1_000_000,
]


@pytest.fixture(scope="module")
def work():
    """What grading each hostile answer took; answers that were never decided are not in it."""
    ended = subprocess.run(
        [sys.executable, Path(__file__).parent / "counted_work.py"],
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    return {row["answer"]: row for row in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize("answer", HOSTILE, ids=[text[:24] for text in HOSTILE])
def test_a_hostile_answer_is_judged_and_not_correct_with_bounded_work(work, answer):
    assert answer in work, "it takes more processor time than all of them together should"
    assert work[answer]["status"] in {"wrong", "ungradable", "no_answer"}
    assert work[answer]["calls"] <= 1_000 * (len(answer) + 1_000)
    assert work[answer]["peak_bytes"] <= 50_000_000


@pytest.mark.parametrize(
    "payload",
    [
        "__import__('os').system('touch {}')",
        "\\boxed{{__import__('os').system('touch {}')}}",
        "exec(\"open('{}','w')\")",
        "[open('{}','w') for _ in [0]]",
        "1 if open('{}','w') else 2",
        "sympify(\"open('{}','w')\")",
    ],
)
def test_program_text_in_an_answer_is_not_run(tmp_path, payload):
    canary = tmp_path / "canary"
    grade(payload.format(canary), payload.format(canary) + "1", "latex")
    grade(payload.format(canary), "17", "latex")
    assert not canary.exists()


def test_every_thread_gets_the_verdict_of_the_main_thread():
    pairs = [
        ("\\frac{\\sqrt3}{3}", "\\frac{1}{\\sqrt3}"),
        ("x^2-1", "(x-1)(x+1)"),
        ("(0,1)", "0<x<1"),
    ]
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(lambda p: grade(p[1], p[0], "latex").correct, pairs * 8))
    assert all(verdicts)


async def test_grading_works_from_a_running_event_loop():
    verdicts = await asyncio.gather(
        *(asyncio.to_thread(grade, "0.5", "\\frac12", "latex") for _ in range(8))
    )
    assert all(verdict.correct for verdict in verdicts)


def test_importing_the_grader_loads_no_algebra():
    program = (
        "import sys, evaluators; print(sorted({'sympy', 'mpmath', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_locale_changes_nothing():
    program = (
        "from evaluators import grade; print(grade('π/2 ≤ x', r'x \\ge \\pi/2', 'latex').correct)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"LC_ALL": "C", "PYTHONUTF8": "1", "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"


def test_trees_survive_the_way_to_the_worker():
    tree = Op("sum", (Op("div", (Num(1), Sym("k"))), Sym("oo")))
    assert from_wire(to_wire(tree)) == tree


def test_a_worker_that_hangs_is_killed_and_replaced():
    pool = _Pool(silence=0.1)
    stuck = pool._take()
    stuck.process.send_signal(signal.SIGSTOP)  # it will never answer
    pool.idle.append(stuck)
    with pytest.raises(NoWorker, match="ended 3 times without an answer"):
        pool.ask(_task(ONE, ONE))
    assert stuck.process.poll() is not None
    assert pool.idle == []


def test_a_worker_ends_when_its_owner_does():
    worker = _Worker(MAX_CALLS)
    stream = worker.process.stdin
    assert stream is not None
    stream.close()
    assert worker.process.wait(PATIENCE) == 0


def test_a_task_that_the_algebra_cannot_do_is_undecided_and_the_worker_goes_on():
    tasks = ["no json", _task(["op", "nonsense"], ["num", "1", "1"]), _task(ONE, 0)]
    tasks.append(_task(["num", "1", "2"], ["num", "2", "4"]))
    ended = subprocess.run(
        [sys.executable, "-m", "evaluators.comparing.symbolic.worker", str(MAX_CALLS)],
        input="".join(f"{task}\n" for task in tasks),
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    words = [line.split()[0] for line in ended.stdout.splitlines()]
    assert words == ["ready", "failed", "failed", "failed", "equal"]


def _task(a, b):
    return json.dumps([a, b])
