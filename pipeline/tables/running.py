"""A table's run: engines start once for all runs that can share them, and rows grow evenly."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.engines.protocol import Engine
from pipeline.errors import EngineFailure, RunStopped, UserMistake
from pipeline.runs.interrupts import call, drain_on_interrupt
from pipeline.runs.runner import OpenRun, engine_of, opened, taken_back_on_error
from pipeline.runs.scheduler import Engines, Progress, Run, Work, run_attempts
from pipeline.runs.turns import Turns
from pipeline.tables.engine_sets import EngineSet, engine_sets
from pipeline.tables.planning import SharedRun

TableDisplay = Callable[[Mapping[str, Progress]], contextlib.AbstractContextManager[None]]


@dataclass(slots=True)
class TableRun:
    """What came of a table's run: what runs said and what most of their failed attempts met, by
    their names, and why some ended, by their cells.
    """

    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    made: int = 0
    failed: int = 0
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class _Started:
    """An open run whose engines are up, and what it is to make."""

    shared: SharedRun
    run: OpenRun
    attempts: Run
    work: list[Work]


def run_table(
    runs: Sequence[SharedRun],
    log: Path,
    *,
    retry_errors: bool = False,
    display: TableDisplay | None = None,
) -> TableRun:
    """Make what is missing of all runs; what ends one of them does not end the others.

    `log` is where the engines write. The first Ctrl-C lets the attempts in flight finish.

    Raises:
        RunStopped: it was ended from outside; what was finished is kept.
    """
    result = TableRun()
    call(_table(runs, log, result, retry_errors, display))
    return result


async def _table(
    runs: Sequence[SharedRun],
    log: Path,
    result: TableRun,
    retry_errors: bool,
    display: TableDisplay | None,
) -> None:
    for each in engine_sets(runs):
        if result.interrupted:
            return
        async with contextlib.AsyncExitStack() as stack:
            held = _opened(stack, each, result, retry_errors)
            if any(run.progress.total for run in held.values()):
                started = await _begun(stack, each, held, log, result)
                if started:
                    await _make(each, started, result, display)


def _opened(
    stack: contextlib.AsyncExitStack, each: EngineSet, result: TableRun, retry_errors: bool
) -> dict[str, OpenRun]:
    """The directories of the set's runs, locked for as long as `stack` is open."""
    held: dict[str, OpenRun] = {}
    for shared in each.runs:
        try:
            run = stack.enter_context(opened(shared.plan, retry_errors=retry_errors))
            run.progress.total = sum(1 for _ in shared.work(run.kept))
            if not run.progress.total:
                run.widen()
        except (UserMistake, RunStopped) as error:
            result.troubles[shared.cell_names] = str(error)
            continue
        held[shared.name] = run
        result.warnings[shared.name] = tuple(run.warnings)
    return held


async def _begun(
    stack: contextlib.AsyncExitStack,
    each: EngineSet,
    held: Mapping[str, OpenRun],
    log: Path,
    result: TableRun,
) -> list[_Started]:
    """The runs whose engines are up, for as long as `stack` is open."""
    waiting = {name: run for name, run in held.items() if run.progress.total}
    wanted = {
        engine
        for shared, roles in zip(each.runs, each.roles, strict=True)
        if shared.name in waiting
        for engine in roles.values()
    }
    up, broken = await _engines(stack, each, wanted, log, list(waiting.values()))
    engines = Engines(up, log=log)
    started = []
    for shared, roles in zip(each.runs, each.roles, strict=True):
        run = waiting.get(shared.name)
        if run is None:
            continue
        try:
            with taken_back_on_error(run.directory):
                for engine in roles.values():
                    if engine in broken:
                        raise broken[engine]
                mine = engines.as_roles(roles)
                run.check(mine)
            attempts = await stack.enter_async_context(run.begun(mine))
        except (UserMistake, RunStopped, EngineFailure) as error:
            result.troubles[shared.cell_names] = str(error)
            continue
        result.warnings[shared.name] = tuple(run.warnings)
        started.append(_Started(shared, run, attempts, list(shared.work(run.kept))))
    return started


async def _engines(
    stack: contextlib.AsyncExitStack,
    each: EngineSet,
    wanted: set[str],
    log: Path,
    waiting: Sequence[OpenRun],
) -> tuple[dict[str, Engine], dict[str, Exception]]:
    """The engines that start, and the errors of those that do not."""
    told = [run.progress for run in waiting]
    up: dict[str, Engine] = {}
    broken: dict[str, Exception] = {}
    for name, settings in each.engines.items():
        if name not in wanted:
            continue
        try:
            engine = engine_of(settings, log, told)
            await stack.enter_async_context(Engines({name: engine}).running())
        except (UserMistake, RunStopped, EngineFailure) as error:
            broken[name] = type(error)(f"{error}; the engines' log is {log}")
            continue
        up[name] = engine
    return up, broken


async def _make(
    each: EngineSet, started: Sequence[_Started], result: TableRun, display: TableDisplay | None
) -> None:
    """Make the attempts of all started runs together, by turns."""
    progress = {one.shared.name: one.run.progress for one in started}
    turns = Turns(max(shared.plan.experiment.concurrency for shared in each.runs))

    async def make(one: _Started, draining: asyncio.Event) -> None:
        try:
            await run_attempts(one.attempts, iter(one.work), one.run.progress, draining, turns)
        except RunStopped as error:
            result.troubles[one.shared.cell_names] = str(error)

    shown = display(progress) if display is not None else contextlib.nullcontext()

    def in_flight() -> int:
        return sum(one.in_flight for one in progress.values())

    with shown, drain_on_interrupt(in_flight) as draining:
        for one in progress.values():
            one.begin()
        async with asyncio.TaskGroup() as group:
            for started_one in started:
                group.create_task(make(started_one, draining))
        result.interrupted = draining.is_set()
    result.made += sum(one.done for one in progress.values())
    result.failed += sum(one.failed for one in progress.values())
    for name, one in progress.items():
        commonest = one.failures.commonest
        if commonest is not None:
            result.failures[name] = commonest
