"""What engines tell of a call, as its times: tokens that come together, forwards, guesses."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.engines.protocol import Completion, Computed
from pipeline.engines.sampling import Sampling
from pipeline.errors import EngineFailure
from pipeline.measuring.ask import Ask
from pipeline.measuring.served import Served
from pipeline.measuring.session import Session
from pipeline.measuring.table import DECODERS

CONFIG = SimpleNamespace(sampling=Sampling(temperature=0))
LENGTHS = (5, 3)
ASKS = tuple(Ask(str(n), 0, (7, 8), n, 9) for n, _ in enumerate(LENGTHS))
TOGETHER = (((1, 1), (2, 3), (4, 1)), ((2, 2), (3, 1)))
"""By text: from which forward how many tokens came."""


@dataclass
class Engine:
    """Gives texts of those lengths; `more` is what it tells of each beside them."""

    more: tuple[dict, ...]
    streams: bool = True
    told_twice: bool = False

    async def complete(self, prompt, sampling):
        tokens = tuple(range(LENGTHS[sampling.seed]))
        for token in (*tokens, *tokens[: self.told_twice]) if self.streams else ():
            sampling.on_token(token)
        plain = Completion("", tokens, "length", None, len(prompt), 0, 9.0)
        return replace(plain, **self.more[sampling.seed])


def times(more, decoder="vllm", asks=ASKS, **how):
    served = Served(Engine(more, **how))
    return asyncio.run(served.write(DECODERS[decoder], CONFIG, asks)).times


def arrivals(together=TOGETHER, guesses=((None, None))):
    return tuple(
        {"arrivals": one, "guesses": told} for one, told in zip(together, guesses, strict=True)
    )


def test_tokens_of_one_forward_come_at_one_time_and_texts_share_forwards():
    found = times(arrivals())
    first, second = found.token_times
    assert (len(first), len(second)) == LENGTHS
    assert first[1] == first[2] == first[3] != first[4]
    assert second[0] == second[1]
    assert found.latencies == (first[-1], second[-1])
    assert found.target_forwards == 4
    assert found.target_work == Computed(prompt=4, attended_prompt=6, tokens=6, attended=25)


def test_guesses_that_an_engine_only_counts_have_no_known_work():
    found = times(arrivals(guesses=((6, 3), (2, 2))), "vllm_lookup")
    # Kept are all tokens but one of each forward; 2 would be right in the second text.
    assert (found.proposed, found.accepted) == (8, 3)
    assert (found.target_forwards, found.target_work, found.target_computed) == (4, None, None)
    assert found.guessed


def test_without_numbers_of_forwards_only_these_are_unknown():
    nameless = tuple(tuple((None, count) for _, count in one) for one in TOGETHER)
    found = times(arrivals(nameless, ((6, 3), (2, 2))), "vllm_lookup")
    assert found.token_times[0][1] == found.token_times[0][3]
    assert (found.target_forwards, found.proposed, found.accepted) == (None, 8, 5)
    # Of texts that are known to get a token a forward, it is not known which they shared.
    plain = [
        told | {"forwards": length}
        for told, length in zip(arrivals(nameless), LENGTHS, strict=True)
    ]
    assert times(plain).target_forwards is None
    assert times(plain).target_work == times(arrivals()).target_work


@pytest.mark.parametrize("how", [{"streams": False}, {"told_twice": True}], ids=str)
def test_an_engine_that_tells_other_tokens_than_it_gives_has_no_times_of_tokens(how):
    found = times(({}, {}), **how)
    assert (found.token_times, found.latencies) == (None, (9.0, 9.0))
    assert (found.target_forwards, found.proposed, found.guessed) == (None, None, False)


def test_a_window_is_told_by_its_forwards_and_what_they_refused():
    refused = Computed(prompt=0, attended_prompt=0, tokens=4, attended=9)
    more = {"arrivals": TOGETHER[0], "forwards": 3, "refused": refused}
    found = times((more,), "window", ASKS[:1])
    # Two windows of a token and guesses: eight tokens are fed, of which four are the text's own.
    assert (found.target_forwards, found.proposed, found.accepted) == (3, 6, 2)
    assert found.target_work.tokens == 8


@pytest.mark.parametrize("more", [({}, {}), arrivals(guesses=((0, 0), (0, 0)))], ids=["", "none"])
def test_no_row_is_speculative_of_which_nothing_shows_that_it_has_speculated(more):
    asked = SimpleNamespace(config=CONFIG, asks=ASKS)
    session = Session(asked, Path(), served=Served(Engine(more)))
    with pytest.raises(EngineFailure, match="nothing shows that the assistant has guessed"):
        asyncio.run(session._write(DECODERS["vllm_speculative"], ASKS, observed=True))
