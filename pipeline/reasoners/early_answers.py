"""A track that thinks to its budget, and its answers at smaller budgets, all from one thinking.

The thinking is written once, as with the largest budget alone. For each smaller budget the same
code goes over what is written as if it had been written with that budget; where that comes to
another thinking, the answer after it is asked for. So a track is recorded as runs of each budget
alone would have it.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

import msgspec

from pipeline.ledger import Ledger, Use
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.settings import ThinkingLimit
from pipeline.reasoners.thinking_budget import Chain, answer, think
from pipeline.reasoners.track_plans import TrackPlan
from pipeline.records import EarlyAnswer, Tokens, Track


class _Thought(NamedTuple):
    """A chain when its thinking has ended: whatever is equal here is answered alike."""

    ids: tuple[int, ...]
    spent: int
    completions: int

    @classmethod
    def of(cls, chain: Chain) -> "_Thought":
        """The chain as it is now."""
        return cls(tuple(chain.ids), chain.spent, len(chain.completions))


async def think_and_answer(
    assignment: Assignment, plan: TrackPlan, limit: ThinkingLimit, tokens: int
) -> Track:
    """One track that thinks for at most so many tokens, and then answers."""
    chain = Chain.opened(assignment, plan)
    stop = await think(chain, limit, tokens)
    thought = _Thought.of(chain)
    track = chain.ended(stop or await answer(chain))
    if not limit.early:
        return track
    early = [await _early(chain, thought, track, limit, budget) for budget in limit.early]
    return replace(track, early=tuple(early))


async def _early(
    whole: Chain, thought: _Thought, track: Track, limit: ThinkingLimit, budget: int
) -> EarlyAnswer:
    """How the `track` of the `whole` chain would have ended with that budget."""
    chain = Chain.opened(whole.assignment, whole.plan, Use.EARLY)
    chain.known = whole.completions[: thought.completions]
    stop = await think(chain, limit, budget)
    chain.known = whole.completions if _Thought.of(chain) == thought else ()
    stop = stop or await answer(chain)
    ended = chain.ended(stop)
    shared = _alike(track.steps, ended.steps)
    rest, characters = ended.steps[shared:], 0
    if rest and shared < len(track.steps):
        characters = _alike(track.steps[shared].text, rest[0].text)
        rest = (replace(rest[0], text=rest[0].text[characters:]), *rest[1:])
    return EarlyAnswer(
        budget=budget,
        whole_steps=shared,
        characters=characters,
        steps=rest,
        stop=stop,
        answer=ended.answer,
        tokens=_tokens(chain, whole, thought),
    )


def _alike(first: Sequence[object], second: Sequence[object]) -> int:
    """How many items, or characters, two sequences begin with alike."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _tokens(chain: Chain, whole: Chain, thought: _Thought) -> Tokens:
    """What the chain would have cost alone.

    Its answer was asked for when its whole prompt had been read for another: alone it would find no
    more of it in a cache than the `whole` chain's own answer did, and no more than there is.
    """
    completions = [*chain.completions]
    others = whole.completions[thought.completions :]
    if others and completions[-1] is not others[-1]:
        cached = [one.cached_prompt_tokens for one in (completions[-1], others[-1])]
        known = [count for count in cached if count is not None]
        completions[-1] = replace(completions[-1], cached_prompt_tokens=min(known, default=None))
    alone = Ledger()
    for completion in completions:
        alone.book("target", Use.PLAIN, completion)
    return alone.usage()["target"][Use.PLAIN]


def at_budget(track: Track, early: EarlyAnswer) -> Track:
    """The track as a run with that budget alone would have it."""
    steps = early.steps
    if steps:
        begun = "".join(step.text for step in track.steps[early.whole_steps :][:1])
        first = replace(steps[0], text=begun[: early.characters] + steps[0].text)
        steps = (first, *steps[1:])
    return replace(
        track,
        steps=track.steps[: early.whole_steps] + steps,
        stop=early.stop,
        answer=early.answer,
        early=msgspec.UNSET,
    )
