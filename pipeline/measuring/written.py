"""What a call gave: the tokens of each completion, and when they were there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pipeline.engines.protocol import Computed
from pipeline.ledger import attended
from pipeline.measuring.ask import Ask
from pipeline.measuring.clock import CallTimes


@dataclass(frozen=True, slots=True)
class Written:
    """The completions of one call, in the order in which they were asked for, and its times.

    Each is cut at its room and behind its first end of text, so that no padding is counted.
    `cached` tokens of its prompt were not read again. `gaps` say of each token of each how far it
    was ahead of the next likeliest, where that was asked. `ended` is when this was made.
    """

    asks: tuple[Ask, ...]
    tokens: tuple[tuple[int, ...], ...]
    times: CallTimes
    cached: tuple[int, ...] = ()
    gaps: tuple[tuple[float, ...], ...] = ()
    ended: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def began(self) -> str:
        """When the call began."""
        at = self.ended - timedelta(seconds=self.times.seconds)
        return at.isoformat(timespec="milliseconds")


def cut(tokens: Sequence[int], ends: Collection[int], room: int) -> tuple[int, ...]:
    """The tokens up to and with the first that ends a text, and at most `room`."""
    kept = tuple(tokens[:room])
    end = next((place for place, token in enumerate(kept) if token in ends), None)
    return kept if end is None else kept[: end + 1]


NOTHING = Computed(0, 0, 0, 0)


def own_work(prompt: int, cached: int, tokens: int) -> Computed:
    """What no way of writing can do without: the prompt, and every token but the last."""
    fed = max(0, tokens - 1)
    return Computed(
        prompt=prompt - cached,
        attended_prompt=attended(cached, prompt),
        tokens=fed,
        attended=attended(prompt, prompt + fed),
    )
