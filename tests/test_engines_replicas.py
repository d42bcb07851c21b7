"""Several engines as one: a prefix stays where it is, the dead are left, nothing counts twice."""

import asyncio
import json
import math
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fake_server import MODELS, chat, serving
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines import replica as replica_module
from pipeline.engines import replicas as module
from pipeline.engines.limits import TooSlow
from pipeline.engines.masking import addresses_in
from pipeline.engines.openai import engine as openai_engine
from pipeline.engines.openai import http_retry
from pipeline.engines.openai.replicas import ServedModel
from pipeline.engines.protocol import Ability, Completion, ModelFacts, SamplingRequest
from pipeline.engines.replicas import Replicas
from pipeline.engines.routing import MOST_OF_MEAN, chosen, preferred
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import (
    EngineDead,
    EngineFailure,
    NotThere,
    PromptTooLong,
    RunStopped,
    Unserved,
    UserMistake,
)
from pipeline.runs.directory import read_attempts, read_manifest
from speclrm_testing.commands import speclrm

ASKED = SamplingRequest(max_tokens=1, temperature=0.0, top_p=1.0, seed=0)
FACTS = ModelFacts("m", None, None, 100, None, None, None, None, None)
NAMES = st.text(max_size=5)
REPLICAS = st.sets(st.sampled_from("abcdefgh"), min_size=1)


@dataclass
class Machine:
    """What a test decides of a replica, and what it was asked."""

    up: bool = True
    busy: bool = False
    hangs: bool = False
    misses: int = 0
    looks: int = 0
    failure: Exception | None = None
    mistake: Exception | None = None
    facts: ModelFacts = FACTS
    asked: list[tuple[int, ...]] = field(default_factory=list)
    starts: int = 0
    hangs_at_start: bool = False
    seconds: float = 0.0
    happened: list[str] = field(default_factory=list)


class OnMachine:
    """An engine on a machine of the test's."""

    abilities = frozenset({Ability.STOP_STRING})
    tokenizer = None

    def __init__(self, machine):
        self.machine = machine

    @property
    def facts(self):
        return self.machine.facts

    async def start(self):
        self.machine.starts += 1
        self.machine.happened.append("start")
        if not self.machine.up:
            raise NotThere("it does not answer")
        if self.machine.mistake is not None:
            raise self.machine.mistake
        if self.machine.hangs_at_start:
            await asyncio.Event().wait()

    async def complete(self, prompt, _sampling):
        self.machine.asked.append(tuple(prompt))
        if self.machine.hangs or self.machine.busy:
            await asyncio.Event().wait()
        await asyncio.sleep(self.machine.seconds)
        if not self.machine.up:
            raise EngineDead("it is gone")
        if self.machine.failure is not None:
            raise self.machine.failure
        return Completion("7", (22,), "stop", None, len(prompt), None, 0.0)

    async def chat(self, messages, sampling):
        return await self.complete([ord(one["content"]) for one in messages], sampling)

    async def health(self):
        self.machine.looks += 1
        self.machine.misses -= 1
        if not self.machine.up or self.machine.hangs or self.machine.misses >= 0:
            raise EngineDead("it is gone")

    async def stop(self):
        self.machine.happened.append("stop")


@pytest.fixture
async def three(tmp_path, monkeypatch):
    """Three replicas that are up, by name, and their engine."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)
    machines = {name: Machine() for name in ("a", "b", "c")}
    makes = {name: lambda one=one: OnMachine(one) for name, one in machines.items()}
    engine = Replicas(makes, tmp_path / "engine.log")
    await engine.start()
    yield machines, engine
    await engine.stop()


async def until(holds):
    while not holds():  # noqa: ASYNC110 - it is told by what others have written
        await asyncio.sleep(0.002)


@given(NAMES, REPLICAS)
def test_an_idle_replica_is_chosen_by_the_name_alone(name, replicas):
    idle = dict.fromkeys(replicas, 0)
    assert chosen(name, idle) == preferred(name, idle)[0]
    assert chosen(name, dict(sorted(idle.items(), reverse=True))) == chosen(name, idle)


@given(NAMES, st.sets(st.sampled_from("abcdefgh"), min_size=2), st.data())
def test_when_a_replica_goes_only_its_own_names_move(name, replicas, data):
    gone = data.draw(st.sampled_from(sorted(replicas)))
    before = chosen(name, dict.fromkeys(replicas, 0))
    after = chosen(name, dict.fromkeys(replicas - {gone}, 0))
    assert before in {after, gone}


@given(st.lists(NAMES, max_size=60), REPLICAS)
def test_no_replica_has_much_more_in_flight_than_the_mean(names, replicas):
    loads = dict.fromkeys(replicas, 0)
    for name in names:
        loads[chosen(name, loads)] += 1
    assert max(loads.values()) <= math.ceil(MOST_OF_MEAN * (len(names) + 1) / len(replicas))


def test_names_are_shared_out_evenly():
    counts = Counter(preferred(f"name {n}", {"a": 0, "b": 0, "c": 0})[0] for n in range(3000))
    assert all(900 < count < 1100 for count in counts.values())


@pytest.mark.asyncio
async def test_the_requests_of_one_attempt_go_to_one_replica(three):
    machines, engine = three
    for n in range(12):
        attempt = engine.of(f"attempt {n}")
        for length in range(1, 4):
            await attempt.complete([n] * length, ASKED)
    places = {n: {name for name, one in machines.items() if (n,) in one.asked} for n in range(12)}
    assert all(
        {name for name, one in machines.items() if (n,) * 3 in one.asked} == places[n]
        for n in range(12)
    )
    assert len(set().union(*places.values())) == 3


@pytest.mark.asyncio
async def test_an_attempt_that_was_moved_by_load_stays_where_its_prefix_is(three):
    machines, engine = three
    first, second, _ = preferred("x", dict.fromkeys(machines, 0))
    machines[first].busy = True
    crowd = [asyncio.create_task(engine.of("x").complete([1], ASKED))]
    await until(lambda: machines[first].asked)
    attempt = engine.of("x")
    await attempt.complete([2], ASKED)
    crowd[0].cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    machines[first].busy = False
    await attempt.complete([2, 2], ASKED)
    assert machines[second].asked == [(2,), (2, 2)]


@pytest.mark.asyncio
async def test_the_requests_of_a_dead_replica_move_and_it_comes_back_when_it_is_healthy(
    three, tmp_path
):
    machines, engine = three
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    machines[first].up = False
    attempt = engine.of("x")
    answers = [await attempt.complete([n], ASKED) for n in range(3)]
    assert [one.text for one in answers] == ["7", "7", "7"]
    assert len(machines[first].asked) == 1
    machines[first].up = True
    await until(lambda: f"{first} is back" in (tmp_path / "engine.log").read_text())
    await engine.of("x").complete([9], ASKED)
    assert machines[first].asked[-1] == (9,)
    await engine.stop()
    log = (tmp_path / "engine.log").read_text()
    assert f"replica {first} answered 1 requests with 1 tokens, died 1 times, and 1 req" in log


@pytest.mark.asyncio
async def test_requests_that_wait_for_a_replica_that_hangs_move_once_it_is_found_dead(three):
    machines, engine = three
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    machines[first].hangs = True
    assert (await engine.of("x").complete([1], ASKED)).text == "7"
    assert len(machines[first].asked) == 1


@pytest.mark.asyncio
async def test_a_replica_that_does_not_answer_one_look_keeps_the_requests_that_wait_for_it(three):
    machines, engine = three
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    machines[first].busy = True
    request = asyncio.create_task(engine.of("x").complete([1], ASKED))
    await until(lambda: machines[first].asked)
    machines[first].misses = 1
    seen = machines[first].looks
    await until(lambda: machines[first].looks > seen + 3)
    assert not request.done()
    assert sum(len(one.asked) for one in machines.values()) == 1
    request.cancel()


@pytest.mark.asyncio
async def test_a_request_that_fails_on_a_healthy_replica_is_not_made_again(three):
    machines, engine = three
    for failure in (EngineFailure("bad request"), PromptTooLong("long")):
        for one in machines.values():
            one.failure = failure
            one.asked.clear()
        with pytest.raises(type(failure), match=str(failure)):
            await engine.of("x").complete([1], ASKED)
        assert sum(len(one.asked) for one in machines.values()) == 1


def told_of(engine):
    """What the engine tells of its replicas from now on."""
    told = []
    engine._on_change = lambda name, there: told.append((name, there))
    return told


@pytest.mark.asyncio
@pytest.mark.parametrize("failure", [TooSlow("not in time"), Unserved("it answers 500")])
async def test_a_replica_that_seems_well_and_serves_nothing_is_left_and_no_request_is_lost(
    three, tmp_path, failure
):
    machines, engine = three
    told = told_of(engine)
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    machines[first].failure = failure
    for n in range(4):
        assert (await engine.of("x").complete([n], ASKED)).text == "7"
    assert machines[first].asked == [(0,), (1,)]
    assert sum(len(one.asked) for one in machines.values()) == 6
    assert told == [(first, False)]
    assert (
        f"{first} is not asked any more: it failed 2 requests in a row while others answered "
        f"(the last: {failure}); tried again in 60 s"
    ) in (tmp_path / "engine.log").read_text()


@pytest.mark.asyncio
async def test_what_a_replica_fails_and_another_serves_does_not_count_once_it_has_answered(three):
    machines, engine = three
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    for _ in range(3):
        for failure in (Unserved("it answers 500"), None):
            machines[first].failure = failure
            await engine.of("x").complete([1], ASKED)
    assert engine._replicas[first].alive


@pytest.mark.asyncio
@pytest.mark.parametrize(("failure", "asked"), [(TooSlow("slow"), 1), (Unserved("500"), 3)])
async def test_what_takes_too_long_on_a_replica_that_answers_others_is_not_made_again(
    three, failure, asked
):
    machines, engine = three
    for name, one in machines.items():
        one.failure = failure
        engine._replicas[name].heard = math.inf
    with pytest.raises(type(failure)):
        await engine.of("x").complete([1], ASKED)
    assert sum(len(one.asked) for one in machines.values()) == asked


@pytest.mark.asyncio
async def test_a_replica_that_fell_silent_just_after_it_answered_another_is_not_thought_well(three):
    machines, engine = three
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    machines[first].failure, machines[first].seconds = TooSlow("not in time"), 0.05
    request = asyncio.create_task(engine.of("x").complete([1], ASKED))
    await until(lambda: machines[first].asked)
    engine._replicas[first].heard = time.monotonic()
    assert (await request).text == "7"


@pytest.mark.asyncio
@pytest.mark.parametrize(("failure", "asked"), [(TooSlow("slow"), 2), (Unserved("500"), 3)])
async def test_what_no_replica_serves_is_the_requests_fault_and_all_stay(three, failure, asked):
    machines, engine = three
    for one in machines.values():
        one.failure = failure
    for _ in range(3):
        with pytest.raises(type(failure)):
            await engine.of("x").complete([1], ASKED)
    assert sum(len(one.asked) for one in machines.values()) == 3 * asked
    assert all(one.alive for one in engine._replicas.values())


@pytest.mark.asyncio
async def test_one_that_was_left_comes_back_for_one_request_and_rests_longer_each_time(
    three, monkeypatch
):
    monkeypatch.setattr(replica_module, "REST_SECONDS", 0.01)
    machines, engine = three
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    bad = engine._replicas[first]
    machines[first].failure = Unserved("it answers 500")
    for rests in (1, 2):
        for n in range(2):
            await engine.of("x").complete([n], ASKED)
        assert (bad.rests, bad.alive) == (rests, False)
        machines[first].busy = True
        await until(lambda: bad.alive)
        waiting = asyncio.create_task(engine.of("x").complete([8], ASKED))
        await until(lambda: bad.asked)
        await engine.of("x").complete([9], ASKED)
        assert machines[first].asked[-1] == (8,)
        machines[first].busy = False
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    machines[first].failure = None
    await engine.of("x").complete([7], ASKED)
    assert machines[first].asked[-1] == (7,)
    assert bad.rests == 0


@pytest.mark.asyncio
async def test_a_dead_replica_gives_its_place_back_before_another_takes_it(three):
    machines, engine = three
    engine._end(engine._replicas["a"], "it is gone")
    await until(lambda: engine._replicas["a"].alive)
    assert machines["a"].happened[-2:] == ["stop", "start"]


@pytest.mark.asyncio
async def test_a_replica_that_does_not_come_up_again_keeps_nobody_from_looking_at_the_others(three):
    machines, engine = three
    machines["a"].up = machines["b"].up = False
    for name in ("a", "b"):
        engine._end(engine._replicas[name], "it is gone")
    machines["a"].up, machines["a"].hangs_at_start = True, True
    await until(lambda: machines["a"].starts == 2)
    machines["b"].up = True
    await until(lambda: engine._replicas["b"].alive)
    assert not engine._replicas["a"].alive


@pytest.mark.asyncio
async def test_a_request_that_is_cancelled_is_cancelled_there_and_moves_nowhere(three):
    machines, engine = three
    for one in machines.values():
        one.busy = True
    request = asyncio.create_task(engine.of("x").complete([1], ASKED))
    await until(lambda: any(one.asked for one in machines.values()))
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert sum(len(one.asked) for one in machines.values()) == 1


@pytest.mark.asyncio
async def test_the_engine_is_dead_when_all_are_and_one_that_is_back_is_enough(three):
    machines, engine = three
    for one in machines.values():
        one.up = False
    with pytest.raises(EngineDead):
        await engine.of("x").complete([1], ASKED)
    with pytest.raises(EngineDead, match="none of the 3 replicas answers"):
        await engine.health()
    machines["b"].up = True
    await engine.stop()
    await engine.start()
    await engine.health()
    assert (await engine.of("x").complete([1], ASKED)).text == "7"


@pytest.mark.asyncio
async def test_health_brings_back_what_has_come_back(three):
    machines, engine = three
    for one in machines.values():
        one.up = False
    with pytest.raises(EngineDead):
        await engine.of("x").complete([1], ASKED)
    machines["c"].up = True
    await engine.health()
    assert (await engine.of("x").complete([1], ASKED)).text == "7"


def test_tokenizers_load_one_at_a_time_though_replicas_start_together(tmp_path, monkeypatch):
    loading, most = [], []

    class Loaded:
        eos_token_id = 0

        @classmethod
        def from_pretrained(cls, *_args, **_named):
            loading.append(cls)
            most.append(len(loading))
            time.sleep(0.01)
            loading.remove(cls)
            return cls()

    monkeypatch.setattr("transformers.AutoTokenizer", Loaded)
    (tmp_path / "tokenizer.json").write_text("{}")
    with ThreadPoolExecutor() as threads:
        list(threads.map(HFTokenizer.load, [str(tmp_path)] * 3))
    assert most == [1, 1, 1]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"facts": replace(FACTS, context=50)}, "the replica b does not serve what a does: "),
        ({"mistake": UserMistake("no such model")}, "the replica b: no such model"),
    ],
)
async def test_at_the_start_those_that_are_there_must_be_alike_and_the_odd_one_is_named(
    change, sentence
):
    machines = {"a": Machine(), "b": Machine(**change), "c": Machine(up=False)}
    makes = {name: lambda one=one: OnMachine(one) for name, one in machines.items()}
    with pytest.raises(UserMistake, match=sentence):
        await Replicas(makes, None).start()


@pytest.fixture
async def late(tmp_path, monkeypatch):
    """A replica that is down when its engine starts, by name among others, and what is told."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)
    machines = {"a": Machine(up=False), "b": Machine()}
    makes = {name: lambda one=one: OnMachine(one) for name, one in machines.items()}
    told = []
    engine = Replicas(
        makes, tmp_path / "engine.log", lambda name, there: told.append((name, there))
    )
    await engine.start()
    yield machines["a"], engine, told
    await engine.stop()


@pytest.mark.asyncio
async def test_a_replica_that_is_down_at_the_start_is_named_and_taken_in_once_it_is_there(
    late, tmp_path
):
    machine, engine, told = late
    assert told == [("a", False), ("b", True)]
    assert "replica a is not asked: it does not answer" in (tmp_path / "engine.log").read_text()
    assert engine.facts == FACTS
    assert [(await engine.of(f"{n}").complete([n], ASKED)).text for n in range(9)] == ["7"] * 9
    machine.up = True
    await until(lambda: ("a", True) in told)
    for n in range(9):
        await engine.of(f"{n}").complete([n], ASKED)
    assert machine.asked
    assert "replica a is there" in (tmp_path / "engine.log").read_text()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"facts": replace(FACTS, context=50)}, "context=50"),
        ({"mistake": UserMistake("no such model")}, "no such model"),
    ],
)
async def test_a_replica_that_comes_late_with_another_model_is_named_once_and_never_asked(
    late, tmp_path, change, reason
):
    machine, engine, told = late
    vars(machine).update(change, up=True)
    await until(lambda: machine.starts > 4)
    [line] = [row for row in (tmp_path / "engine.log").read_text().splitlines() if reason in row]
    assert "replica a is there and is not asked: " in line
    assert told == [("a", False), ("b", True)]
    await engine.of("x").complete([1], ASKED)
    assert machine.asked == []


@pytest.mark.asyncio
async def test_where_all_replicas_are_down_the_start_says_so_in_one_sentence():
    makes = {name: lambda: OnMachine(Machine(up=False)) for name in "abc"}
    said = r"none of the 3 replicas can be asked \(of a: it does not answer\); repeat"
    with pytest.raises(RunStopped, match=said):
        await Replicas(makes, None).start()


@pytest.mark.asyncio
@pytest.mark.parametrize("restarted", [False, True])
async def test_when_all_have_died_one_that_is_back_with_another_model_is_not_taken(
    three, restarted
):
    machines, engine = three
    for one in machines.values():
        one.up = False
    with pytest.raises(EngineDead):
        await engine.of("x").complete([1], ASKED)
    vars(machines["b"]).update(up=True, facts=replace(FACTS, context=50))
    if restarted:
        with pytest.raises(RunStopped, match="none of the 3 replicas"):
            await engine.start()
    else:
        with pytest.raises(EngineDead):
            await engine.health()
    machines["c"].up = True
    await engine.start()
    asked = len(machines["b"].asked)
    for n in range(9):
        await engine.of(f"{n}").complete([n], ASKED)
    assert len(machines["b"].asked) == asked


@pytest.mark.asyncio
async def test_a_request_may_be_asked_again_of_a_replica_that_died_under_it_and_is_back(three):
    machines, engine = three
    order = preferred("x", dict.fromkeys(machines, 0))
    for name in order[1:]:
        machines[name].busy = True
    machines[order[0]].failure = EngineDead("it is gone")
    request = asyncio.create_task(engine.of("x").complete([1], ASKED))
    await until(lambda: machines[order[1]].asked)
    machines[order[0]].failure = None
    await until(lambda: engine._replicas[order[0]].alive)
    for name in order[1:]:
        machines[name].up = False
        engine._end(engine._replicas[name], "it is gone")
    assert (await request).text == "7"


@pytest.mark.asyncio
async def test_what_failed_in_an_earlier_life_of_a_replica_does_not_end_the_present_one(three):
    machines, engine = three
    for watch in engine._watch:
        watch.cancel()
    first = preferred("x", dict.fromkeys(machines, 0))[0]
    machines[first].failure = Unserved("it answers 500")
    asked, is_back = asyncio.Event(), asyncio.Event()

    async def why_dead(_replica):
        asked.set()
        await is_back.wait()
        return "it is gone"

    engine._why_dead = why_dead
    request = asyncio.create_task(engine.of("x").complete([1], ASKED))
    await asked.wait()
    machines[first].failure = None
    engine._replicas[first].deaths += 1  # it has died meanwhile, and is back
    is_back.set()
    assert (await request).text == "7"
    assert engine._replicas[first].alive


@pytest.mark.asyncio
async def test_a_request_that_kills_every_replica_is_not_made_for_ever(three):
    machines, engine = three
    for one in machines.values():
        one.failure = EngineDead("it is gone")
    request = asyncio.create_task(engine.of("x").complete([1], ASKED))
    with pytest.raises(EngineDead, match="no replica is left"):
        await request
    assert 3 <= sum(len(one.asked) for one in machines.values()) <= 6


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        (None, ()),
        ("http://a/v1", ("http://a/v1",)),
        ("http://a/v1,https://b/v1", ("http://a/v1", "https://b/v1")),
        ("http://a/v1 , http://b/v1", ("http://a/v1", "http://b/v1")),
        ("http://u:p,w@a/v1,http://b", ("http://u:p,w@a/v1", "http://b")),
        ("http://a/v1\nnonsense", ("http://a/v1", "nonsense")),
    ],
)
def test_addresses_have_commas_between_them(given, addresses):
    assert addresses_in(given) == addresses


def test_an_address_given_twice_is_refused():
    settings = EngineSettings("openai", "m", base_url="http://u:pw@a/v1,http://a")
    with pytest.raises(UserMistake, match=r"the server http://a/v1 is given twice"):
        ServedModel(settings)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Six problems in a working folder, and no patience with servers that are gone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(openai_engine, "TRIES", 1)
    monkeypatch.setattr(http_retry.RetryPolicy, "wait", lambda *_: 0.0)
    rows = [{"id": str(n), "problem": "1+1?", "answer": "2", "kind": "integer"} for n in range(6)]
    Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_on(*urls, options=""):
    addresses = " ".join(f"--base-url {url}" for url in urls)
    return speclrm(
        f"run baseline --data-file sums.jsonl --engine openai {addresses} --model m --repeats 4 "
        f"--concurrency 4 --output-dir run {options}"
    )


class Answering:
    """A server that answers chats until it has answered enough, and then is broken."""

    def __init__(self, most=math.inf):
        self.most = most
        self.answered = 0
        self._lock = threading.Lock()

    def get(self, _path):
        return MODELS if self.answered < self.most else (500, "broken")

    def post(self, _path, _body):
        with self._lock:
            if self.answered >= self.most:
                return 500, "broken"
            self.answered += 1
        return chat("so \\boxed{2}")


@pytest.mark.usefixtures("here")
def test_a_run_on_two_servers_of_which_one_dies_has_every_attempt_once_and_books_it_once():
    good, dying = Answering(), Answering(most=4)
    with serving(good.get, good.post) as one, serving(dying.get, dying.post) as other:
        said = run_on(one, other)
    assert said.code == 0
    attempts = list(read_attempts(Path("run")))
    assert len({attempt.key for attempt in attempts}) == len(attempts) == 24
    assert {attempt.status for attempt in attempts} == {"ok"}
    assert all(attempt.usage["target"]["plain"].generated == 1 for attempt in attempts)
    assert good.answered + dying.answered == 24 + 2  # and one each at the start
    assert dying.answered == 4
    assert f"replica {other} is not asked any more" in Path("run/engine.log").read_text()


@pytest.mark.usefixtures("here")
def test_a_run_on_two_servers_of_which_one_lists_its_models_and_answers_nothing_loses_no_attempt():
    good, hanging, released = Answering(), Answering(most=1), threading.Event()

    def post(path, body):
        if hanging.answered:
            released.wait()
        return hanging.post(path, body)

    with serving(good.get, good.post) as one, serving(lambda _: MODELS, post) as other:
        said = run_on(one, other, options="--request-timeout 0.3")
        released.set()
    assert said.code == 0
    assert {attempt.status for attempt in read_attempts(Path("run"))} == {"ok"}
    assert f"replica {other} is not asked any more: it failed" in Path("run/engine.log").read_text()
    assert "0 failed, " in said.err
    assert f", without {other}" in said.err


@pytest.mark.usefixtures("here")
def test_a_server_that_serves_another_model_when_it_is_back_is_no_longer_asked(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    other_model = (200, {"data": [{"id": "n", "owned_by": "someone"}]})
    good, changing = Answering(), Answering(most=4)

    def get(_path):
        return MODELS if changing.answered < changing.most else other_model

    def post(path, body):
        status, said = changing.post(path, body)
        return (404, "no such model") if status == 500 else (status, said)

    with serving(good.get, good.post) as one, serving(get, post) as other:
        said = run_on(one, other)
    assert said.code == 0
    assert {attempt.status for attempt in read_attempts(Path("run"))} == {"ok"}
    log = Path("run/engine.log").read_text()
    assert f"the server at {other} does not serve the model 'm'; it serves n" in log


@pytest.mark.usefixtures("here")
def test_a_server_of_another_model_is_named_before_anything_is_written():
    other = (200, {"data": [{"id": "n", "owned_by": "someone"}]})
    good = Answering()
    with serving(good.get, good.post) as one, serving(lambda _: other) as two:
        said = run_on(one, two)
    assert said.code == 2
    assert f"the server at {two} does not serve the model 'm'; it serves n" in said.sentence
    assert not Path("run").exists()


DOWN = ("http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1")


@pytest.mark.usefixtures("here")
def test_a_run_starts_and_resumes_with_the_servers_that_are_up_and_names_the_others():
    good = Answering()
    for repeats in (4, 5):
        with serving(good.get, good.post) as one:
            said = run_on(DOWN[0], one, options=f"--repeats {repeats}")
        assert said.code == 0
        assert f"Warning: the run begins without {DOWN[0]}; it takes in each once" in said.err
    attempts = list(read_attempts(Path("run")))
    assert len({attempt.key for attempt in attempts}) == len(attempts) == 30
    assert {attempt.status for attempt in attempts} == {"ok"}
    assert f"replica {DOWN[0]} is not asked: the server at" in Path("run/engine.log").read_text()


@pytest.mark.usefixtures("here")
def test_a_server_that_has_no_model_yet_is_waited_for_as_one_that_is_down():
    good, loading = Answering(), (200, {"data": []})
    with serving(good.get, good.post) as one, serving(lambda _: loading) as other:
        said = run_on(one, other)
    assert said.code == 0
    assert f"Warning: the run begins without {other}" in said.err
    assert {attempt.status for attempt in read_attempts(Path("run"))} == {"ok"}


@pytest.mark.usefixtures("here")
def test_a_run_of_which_all_servers_are_down_says_so_and_leaves_nothing():
    said = run_on(*DOWN)
    assert said.code == 3
    assert "none of the 2 replicas can be asked" in said.sentence
    assert not Path("run").exists()


@pytest.mark.usefixtures("here")
def test_a_run_on_a_load_balancer_whose_servers_are_all_gone_stops_and_books_no_failures():
    dying = Answering(most=5)
    with serving(dying.get, dying.post) as one:
        said = run_on(one)
        assert said.code == 3
        assert {attempt.status for attempt in read_attempts(Path("run"))} == {"ok"}
        dying.most = math.inf
        assert run_on(one).code == 0
    assert len({attempt.key for attempt in read_attempts(Path("run"))}) == 24


@pytest.mark.usefixtures("here")
def test_each_address_that_is_given_must_be_one():
    good = Answering()
    with serving(good.get, good.post) as one:
        said = run_on(one, "nonsense")
    assert said.code == 2
    assert "the base URL 'nonsense' must begin with http:// or https://" in said.sentence


@pytest.mark.usefixtures("here")
def test_passwords_of_all_addresses_are_masked_in_all_that_is_written():
    good = Answering()
    with serving(good.get, good.post) as one, serving(good.get, good.post) as two:
        given = [
            url.replace("://", f"://user:secret-{n}-word@") for n, url in enumerate((one, two))
        ]
        said = run_on(*given)
    assert said.code == 0
    written = "".join(file.read_text() for file in Path("run").rglob("*") if file.is_file())
    for n in range(2):
        assert f"secret-{n}-word" not in written + said.out + said.err
    assert read_manifest(Path("run"))["sessions"][0]["command"].count("***@") == 2


@pytest.mark.usefixtures("here")
def test_addresses_are_no_setting_of_a_run_and_a_table_takes_a_list_of_them(tmp_path):
    good = Answering()
    Path("study.toml").write_text(
        """columns = ["sums.jsonl"]

[defaults]
target = "served"

[models.served]
engine = "openai"
model = "m"
base_url = ["http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"]

[rows.all]
reasoner = "baseline"
"""
    )
    assert speclrm("table study.toml --dry-run").code == 0
    with serving(good.get, good.post) as one, serving(good.get, good.post) as two:
        assert run_on(one).code == 0
        again = run_on(one, two, options="--repeats 5")
    assert "Attempts: 6 made, 24 already recorded" in again.out


@pytest.mark.usefixtures("here")
def test_a_run_stops_when_all_servers_are_gone_and_goes_on_when_one_is_back(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    dying = [Answering(most=5), Answering(most=5)]
    with serving(dying[0].get, dying[0].post) as one, serving(dying[1].get, dying[1].post) as two:
        said = run_on(one, two)
        assert said.code == 3
        assert "fails with status 500" in said.sentence
        dying[0].most = math.inf
        done = run_on(one)
    assert done.code == 0
    assert len({attempt.key for attempt in read_attempts(Path("run"))}) == 24


def test_errors_of_replicas_are_of_kinds_that_a_run_knows():
    assert issubclass(EngineDead, EngineFailure)
    assert not issubclass(RunStopped, EngineFailure)
