"""Runs that share their engines take turns: all grow evenly, whatever their attempts cost."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from pipeline.runs.turns import Turns


async def made_in_order(at_once, runs, pauses):
    """What each run's workers begin, in the order of beginning; `pauses` are passes of the loop."""
    begun, turns = [], Turns(at_once)

    async def worker(run, problems):
        for problem in problems:
            async with turns.taken((problem, run)):
                begun.append((problem, run))
                for _ in range(pauses[run]):
                    await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for run, problems in enumerate(runs):
            left = iter(problems)
            for _ in range(at_once):
                group.create_task(worker(run, left))
    return begun


async def test_with_one_attempt_at_a_time_the_rows_alternate_problem_by_problem():
    begun = await made_in_order(1, [range(5), range(5), range(5)], [0, 7, 30])
    assert begun == [(problem, run) for problem in range(5) for run in range(3)]


@given(at_once=st.integers(1, 6), pauses=st.lists(st.integers(0, 5), min_size=2, max_size=4))
def test_no_run_is_ahead_of_another_by_more_than_what_is_in_flight(at_once, pauses):
    runs = [range(12)] * len(pauses)
    begun = asyncio.run(made_in_order(at_once, runs, pauses))
    assert sorted(begun) == sorted((p, run) for p in range(12) for run in range(len(pauses)))
    for size in range(len(begun)):
        counts = [sum(run == one for _, run in begun[:size]) for one in range(len(pauses))]
        assert max(counts) - min(counts) <= at_once


async def test_whoever_gives_up_waiting_takes_no_place():
    turns = Turns(1)
    async with turns.taken((0,)):
        waiting = asyncio.create_task(turns.taken((1,)).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    async with turns.taken((2,)):
        pass


async def test_a_turn_that_came_as_its_taker_gave_up_goes_to_the_next():
    turns = Turns(1)
    first = turns.taken((0,))
    await first.__aenter__()
    waiting = asyncio.create_task(turns.taken((1,)).__aenter__())
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    async with turns.taken((2,)):
        pass
