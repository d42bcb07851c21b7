"""Whatever ends vLLM in this process, nobody is left waiting; vLLM itself is not needed."""

import asyncio
import sys
from importlib import util
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import EngineDead, EngineFailure

NAME = "pipeline.engines.vllm.inprocess"
# For a future that nothing would ever settle, seconds.
PATIENCE = 60


@pytest.fixture
def inprocess(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The driver's module, executed anew on an empty vLLM."""
    core = SimpleNamespace(cleanup_dist_env_and_memory=lambda: None)
    for name in ("vllm", "vllm.inputs", "vllm.v1", "vllm.v1.engine", "vllm.v1.engine.core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["vllm.v1.engine"], "core", core, raising=False)
    monkeypatch.setattr(sys.modules["vllm.inputs"], "tokens_input", list, raising=False)
    spec = util.find_spec(NAME)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, NAME, module)
    spec.loader.exec_module(module)
    return module


class Watch:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __enter__(self) -> None:
        self.told.append("a step begins")

    def __exit__(self, *_: object) -> None:
        self.told.append("it is over")

    def end(self) -> None:
        self.told.append("the end")


class Engine:
    """Takes every request and never finishes one; `broken` names what raises, and what."""

    def __init__(self, **broken: BaseException) -> None:
        self._broken = broken
        self._asked = 0
        self.engine_core = SimpleNamespace(shutdown=lambda: self._raise("shutdown"))

    def _raise(self, what: str) -> None:
        if what in self._broken:
            raise self._broken[what]

    def add_request(self, *_: object, **__: object) -> None:
        self._raise("add_request")
        self._asked += 1

    def has_unfinished_requests(self) -> bool:
        return self._asked > 0

    def step(self) -> list[Any]:
        self._raise("step")
        return []


async def failure_of(inprocess: ModuleType, engine: Engine) -> EngineFailure:
    """What a request to the engine ends with."""
    driver = inprocess.InprocessDriver(lambda: engine, Watch())
    await driver.start()
    with pytest.raises(EngineFailure, match="vLLM") as caught:
        await asyncio.wait_for(driver.generate([1], None, None), PATIENCE)
    await driver.stop()
    return caught.value


@pytest.mark.parametrize("error", [ValueError("bad weights"), SystemExit("bad weights")])
async def test_an_engine_that_cannot_be_built_is_told(
    inprocess: ModuleType, error: BaseException
) -> None:
    def build() -> None:
        raise error

    driver = inprocess.InprocessDriver(build, Watch())
    with pytest.raises((ValueError, EngineDead), match="bad weights"):
        await asyncio.wait_for(driver.start(), PATIENCE)


@pytest.mark.parametrize("error", [RuntimeError("broke"), SystemExit("broke")])
async def test_a_step_that_fails_ends_the_engine_for_all_who_wait(
    inprocess: ModuleType, error: BaseException
) -> None:
    failure = await failure_of(inprocess, Engine(step=error))
    assert isinstance(failure, EngineDead)
    assert f"{type(error).__name__}: broke" in str(failure)


async def test_a_request_that_is_refused_fails_alone(inprocess: ModuleType) -> None:
    failure = await failure_of(inprocess, Engine(add_request=ValueError("no such token")))
    assert not isinstance(failure, EngineDead)
    assert str(failure) == "vLLM refused the request: no such token"


async def test_who_waits_is_told_of_the_end_although_freeing_the_engine_fails(
    inprocess: ModuleType,
) -> None:
    broken = Engine(step=RuntimeError("broke"), shutdown=OSError("no shutdown"))
    failure = await failure_of(inprocess, broken)
    assert "RuntimeError: broke" in str(failure)


async def test_a_step_is_watched_until_it_returns_or_raises_and_a_driver_that_ended_is_not(
    inprocess: ModuleType,
) -> None:
    watch = Watch()
    driver = inprocess.InprocessDriver(lambda: Engine(step=RuntimeError("broke")), watch)
    await driver.start()
    assert watch.told == []
    with pytest.raises(EngineDead):
        await asyncio.wait_for(driver.generate([1], None, None), PATIENCE)
    assert watch.told == ["a step begins", "it is over", "the end"]
