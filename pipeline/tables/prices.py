"""What cells cost in GPU-hours and dollars, where the cards of all their models have a price."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evaluators.statistics.in_flight import Span, attempt_span
from pipeline.records import Tokens
from pipeline.runs.directory import read_attempts
from pipeline.tables.cells import Cell
from pipeline.tables.gpu_hours import gpus_of
from pipeline.tables.gpu_time import shared_seconds
from pipeline.tables.planning import PlannedCell
from pipeline.tables.table_file import TokenPrice

HOUR = 3600.0
MILLION = 1e6

Usage = dict[str, dict[str, Tokens]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a cell's attempts cost; None where that is not known, or no model runs on a GPU that
    has a price.
    """

    gpu_hours: float | None
    dollars: float | None


NOTHING = Spent(None, None)


def spent(planned: Sequence[PlannedCell]) -> dict[str, Spent]:
    """Of every cell by its name.

    GPUs work at every moment for all attempts that are in flight, in whatever cell; tokens are each
    attempt's own.

    Raises:
        UserMistake: an attempt of a run cannot be read.
    """
    found = {one.cell.name: NOTHING for one in planned}
    if not any(_is_priced(one.cell) for one in planned):
        return found
    spans: dict[tuple[object, ...], Span] = {}
    usages: dict[tuple[object, ...], Usage | None] = {}
    for run in {one.directory for one in planned if one.trouble is None}:
        for attempt in read_attempts(run):
            usages[run, attempt.key] = attempt.usage
            span = attempt_span(attempt.started, attempt.seconds)
            if span is not None:
                spans[run, attempt.key] = span
    seconds = shared_seconds(spans)
    for one in planned:
        if one.plan is not None and one.recorded and _is_priced(one.cell):
            keys = [(one.directory, key) for key in one.plan.asked]
            hours = sum(seconds.get(key, 0.0) for key in keys) / HOUR
            used = [usages[key] for key in keys if key in usages]
            found[one.cell.name] = _priced(one.cell, hours, used)
    return found


def _is_priced(cell: Cell) -> bool:
    return bool(cell.cards) and all(
        card.usd_per_gpu_hour is not None or card.usd_per_million_tokens is not None
        for card in cell.cards.values()
    )


def _priced(cell: Cell, hours: float, usages: Collection[Usage | None]) -> Spent:
    """`hours` in which the models of the cell worked for it, and the tokens of its attempts."""
    gpus, amounts = 0, []
    for role, card in cell.cards.items():
        if card.usd_per_million_tokens is not None:
            amounts += [_of_tokens(card.usd_per_million_tokens, role, usage) for usage in usages]
        elif card.usd_per_gpu_hour is not None:
            count = gpus_of(cell, role)
            gpus += count
            amounts.append(count * hours * card.usd_per_gpu_hour)
    known = [amount for amount in amounts if amount is not None]
    return Spent(
        gpu_hours=gpus * hours if gpus else None,
        dollars=sum(known) if len(known) == len(amounts) else None,
    )


def _of_tokens(price: TokenPrice, role: str, usage: Usage | None) -> float | None:
    """Dollars for the tokens of a role; None where the server did not count them.

    Where it does not say which were cached, all tokens of a prompt are new ones.
    """
    if usage is None:
        return None
    dollars = 0.0
    for tokens in usage.get(role, {}).values():
        if tokens.prompt_new is None or tokens.generated is None:
            return None
        dollars += tokens.prompt_new * price.input + tokens.generated * price.output
        dollars += (tokens.prompt_cached or 0) * price.cached_input
    return dollars / MILLION
