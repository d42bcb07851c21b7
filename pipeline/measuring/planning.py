"""What is measured of the decoders that are asked for, and why not the others."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.measuring.asking import Asked
from pipeline.measuring.decoder import Decoder
from pipeline.measuring.support import Answers, combinations_of, why_not
from pipeline.measuring.table import DECODERS, methods_of


@dataclass(frozen=True, slots=True)
class Planned:
    """A decoder that was asked for: what is measured in its place, and why it is not itself.

    `measured` is its own name, that of the decoder that it falls back to, or None where nothing is.
    """

    asked: str
    measured: str | None
    reason: str | None = None

    @property
    def record(self) -> dict[str, Any]:
        """As the report has it."""
        return asdict(self)


def plan_decoders(asked: Asked, answers: Answers) -> tuple[Planned, ...]:
    """What becomes of every decoder that is asked for; `answers` knows what transformers does."""
    names = methods_of(asked.config)
    # Together, so that all that is not known yet is tried in one process.
    answers.what_they_do(
        [each for name in names for each in combinations_of(DECODERS[name], asked.config)]
    )
    return tuple(_planned(asked, name, answers) for name in names)


def measured(planned: tuple[Planned, ...]) -> tuple[Decoder, ...]:
    """The decoders that are measured, each once."""
    names = dict.fromkeys(one.measured for one in planned if one.measured is not None)
    return tuple(DECODERS[name] for name in names)


def stations(decoders: tuple[Decoder, ...]) -> Iterator[tuple[Decoder, ...]]:
    """Decoders that share loaded models, together: they take turns. In the table's order."""
    places = {name: place for place, name in enumerate(DECODERS)}
    in_order = sorted(decoders, key=lambda one: places[one.name])
    for name in dict.fromkeys(one.station for one in in_order):
        yield tuple(one for one in decoders if one.station == name)


def _planned(asked: Asked, name: str, answers: Answers) -> Planned:
    config, layers = asked.config, asked.facts.layers
    reason = why_not(DECODERS[name], config, layers, answers)
    if reason is None:
        return Planned(name, name)
    other = DECODERS[name].plain
    while config.fallback and other is not None:
        if why_not(DECODERS[other], config, layers, answers) is None:
            return Planned(name, other, reason)
        other = DECODERS[other].plain
    return Planned(name, None, reason)
