"""A verdict is a function of the two texts: no clock, no queue and no other work changes it."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import evaluators
from evaluators.comparing.equivalence import readings
from evaluators.comparing.symbolic import sandbox, worker
from evaluators.comparing.symbolic.sandbox import _Pool
from evaluators.comparing.symbolic.wire import to_wire
from speclrm_testing.commands import speclrm

# So few calls that about half of the tasks below reach the limit.
FEW_CALLS = 90_000

HARD = [
    (r"\int_0^\infty \frac{\sin x}{x} dx", r"\pi/2"),
    (r"\int_0^1 |x-\frac12| dx", r"1/4"),
    (r"\int_0^\infty \frac{\cos x}{1+x^2} dx", r"\frac{\pi}{2e}"),
    (r"\sum_{n=1}^\infty \frac{\sin n}{n}", r"\frac{\pi-1}{2}"),
    (r"\int_0^\infty \sin(x^2) dx", r"\sqrt{\pi/8}"),
    (r"\int_2^\infty \frac{1}{x\ln^2 x} dx", r"1/\ln 2"),
    (r"\int_0^\infty \frac{\sin^2 x}{x^2} dx", r"\pi/2"),
    (r"\int_0^\infty \frac{\sin x}{\sqrt{x}} dx", r"\sqrt{\pi/2}"),
    (r"\int_0^{100} |\sin x| dx", r"64"),
    (r"\int_{-1}^1 \frac1x dx", r"0"),
    (r"\sum_{n=1}^\infty \frac{\cos n}{n^2}", r"\frac{\pi^2}{6}-\frac{\pi}{2}+\frac14"),
    (r"\int_0^1 \int_0^1 xy \,dx\,dy", r"1/4"),
    (r"\int_0^1 \int_0^x y \,dy\,dx", r"1/6"),
    (r"\int_0^2 |x-1| dx", r"1"),
    (r"\int_0^3 |x-1| dx", r"5/2"),
    (r"\int_0^\infty \cos(x^2) dx", r"\sqrt{\pi/8}"),
    (r"\int_{-1}^2 |x| dx", r"5/2"),
    (r"\int_1^\infty \frac{\sin x}{x} dx", r"1"),
    (r"\int_0^2 \lfloor x \rfloor dx", r"1"),
    (r"\int_0^1 \int_0^1 (x+y) \,dx\,dy", r"1"),
]


def task(gold, answer):
    return json.dumps([to_wire(readings(text)[0]) for text in (gold, answer)])


@pytest.fixture
def pool():
    made = _Pool(max_calls=FEW_CALLS)
    yield made
    made.close()


def said(pool, threads):
    with ThreadPoolExecutor(threads) as callers:
        return list(callers.map(pool.ask, [task(gold, answer) for answer, gold in HARD]))


def test_hard_integrals_end_at_the_same_call_with_one_two_and_sixteen_threads(pool):
    alone = said(pool, 1)
    words = [answer.split()[0] for answer in alone]
    assert words.count("limit") >= 5
    assert words.count("equal") >= 5
    pool.close()
    assert said(pool, 2) == alone
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        assert said(pool, 16) == alone
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_task_does_not_depend_on_the_tasks_before_it(pool):
    gold, answer = HARD[11]
    first = pool.ask(task(answer, gold))
    for other_answer, other_gold in HARD[:3]:
        pool.ask(task(other_gold, other_answer))
    assert pool.ask(task(answer, gold)) == first


def test_a_caller_waits_as_long_as_all_workers_are_busy(pool):
    for _ in range(pool.slots._value):
        pool.slots.acquire()
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(pool.ask, task("1", "1"))
        with pytest.raises(TimeoutError):
            answer.result(0.2)
        pool.slots.release()
        assert answer.result().split()[0] == "equal"


@pytest.mark.parametrize(
    ("end", "answer"), [(signal.SIGXCPU, "limit 99"), (signal.SIGUSR1, "failed 99")]
)
def test_a_task_that_ends_its_process_has_an_answer(monkeypatch, end, answer):
    monkeypatch.setattr(worker, "_decided", lambda _: os.kill(os.getpid(), end))
    assert worker._in_a_fork("", 99) == answer


def test_a_task_that_is_killed_from_outside_has_no_answer_and_ends_the_worker(monkeypatch):
    monkeypatch.setattr(worker, "_decided", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(SystemExit, match="killed from outside"):
        worker._in_a_fork("", 99)


def test_a_machine_without_workers_gets_no_verdict_but_a_sentence(monkeypatch):
    monkeypatch.setattr(sandbox._holder, "pool", _Pool(silence=0))
    said = speclrm(r"grade --gold 1 --answer '\int_{-1}^1 \frac1x dx'")
    assert (said.code, said.out) == (3, "")
    assert "The symbolic worker ended 3 times without an answer" in said.err


def test_what_a_limit_decided_says_so(monkeypatch, pool):
    monkeypatch.setattr(sandbox._holder, "pool", pool)
    rule = evaluators.grade(r"\int_0^\infty \frac{\cos(2x)}{x^4+1} dx", "17", "latex").rule
    assert rule == "bare/symbolic_limit"
    assert evaluators.is_at_a_limit(rule)
    assert not evaluators.is_at_a_limit("bare/same_value")
