"""A table of runs for people: accuracies, differences, costs, and what others report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evaluators.reports.board_columns import (
    fixed,
    giga,
    interval_text,
    one_token_a_forward,
    share,
    tokens_a_forward,
    whole,
)
from evaluators.reports.parts import Part
from evaluators.reports.parts import as_markdown as parts_as_markdown
from evaluators.run_files.run_manifest import Slice
from evaluators.statistics.cost_ratios import CostRatio
from evaluators.statistics.metrics import TWO_ROLES, Costs
from evaluators.statistics.result_table import ResultCell, ResultTable
from evaluators.statistics.sign_flips import p_text

SIGNIFICANT = 0.05
SEEN = "†"
PARTIAL = "…"
UNVERIFIED = "‡"
UNKNOWN = "–"
COLUMN = "column"
FORWARDS = "tokens a forward"
OF_ACCURACY = (
    "Accuracy with its 95 % interval over the population of problems; errors count as not correct."
)
OF_DIFFERENCES = (
    "Differences to {baseline} in pairs, problem by problem; p: sign-flip test; Holm p: adjusted "
    "for all {comparisons} comparisons of the table. *: Holm p at most {level:g}."
)
OF_COSTS = (
    "Costs of an attempt on average; ×: relative to {baseline} at the same problems; total: with "
    "prompt tokens, but for those that were cached, by other rows too."
)
OF_ATTEMPTS = "All {attempts} attempts of every cell are recorded."
OF_PRICES = "GPU-hours and dollars are those of all attempts."
SPARE = (
    *("Holm p", "× decode / total", "in the interval", "won / tied / lost", "dollars"),
    *("target tokens", "draft tokens", "p", "source", "GFLOPs decode / total", "seconds p50"),
    FORWARDS,
    *("attempts", "GPU-hours"),
)
WORTH = {heading: place for place, heading in enumerate(SPARE, start=1)}
"""Columns that a narrow page may leave out, from what it has room for first."""
OF_REPORTED = (
    "Reported by others beside what was measured, and whether it lies in the measured interval."
)
SEEN_NOTE = f"{SEEN} The problems are older than the release of a model, which may have seen them."
UNVERIFIED_NOTE = f"{UNVERIFIED} Tokens were kept unverified (--decoding refine)."
PARTIAL_NOTE = f"{PARTIAL} Not complete: of what is recorded, whole repeats or else problems count."


def parts(table: ResultTable) -> list[Part]:
    """The report's tables, without those that have nothing to say."""
    made = [_accuracies(table), _differences(table), _costs(table), _reported(table)]
    if len(table.columns) == 1:
        # The accuracies are headed by it: every line of the others would repeat it.
        made[1:] = [_without(COLUMN, part) for part in made[1:] if part.lines]
    return [part for part in made if part.lines]


def page_parts(table: ResultTable, asked: Mapping[Path, Slice]) -> list[Part]:
    """The report's tables on a page that has a table of its runs too; `asked` is all of each run.

    Where every cell is the whole of a run, under an only column, the runs' own table has the
    accuracies and the costs; prices of all attempts together stand in the costs alone.
    """
    cells = table.in_order
    same = len(table.columns) == 1 and all(
        cell.metrics is not None and cell.source.asked == asked.get(cell.source.run)
        for cell in cells
    )
    priced = any(cell.source.dollars is not None for cell in cells)
    repeated = {"Accuracy", *(() if priced else ("Costs",))} if same else set()
    return [replace(part, worth=WORTH) for part in parts(table) if part.title not in repeated]


def _without(heading: str, part: Part) -> Part:
    """The part with one of its columns of words left out."""
    at = part.headings.index(heading)
    return replace(
        part,
        headings=part.headings[:at] + part.headings[at + 1 :],
        lines=tuple(line[:at] + line[at + 1 :] for line in part.lines),
        texts=part.texts - 1,
    )


def as_markdown(table: ResultTable) -> str:
    """All parts as Markdown; no name in it is taken for markup or HTML, or breaks a table."""
    return parts_as_markdown(table.title, parts(table))


def marks(cell: ResultCell) -> str:
    """What a reader must know of a cell at once: it is partial, may have been seen, is lossy."""
    said = {
        PARTIAL: _is_partial(cell),
        SEEN: cell.source.seen is not None,
        UNVERIFIED: _is_unverified(cell),
    }
    return "".join(mark for mark, holds in said.items() if holds)


def _is_partial(cell: ResultCell) -> bool:
    return cell.metrics is not None and not cell.source.complete


def _is_unverified(cell: ResultCell) -> bool:
    return cell.metrics is not None and cell.metrics.unverified


def mark_notes(table: ResultTable) -> list[str]:
    """What the marks in the table mean."""
    cells = table.in_order
    said = []
    if any(cell.source.seen is not None for cell in cells):
        said.append(SEEN_NOTE)
    if any(map(_is_partial, cells)):
        said.append(PARTIAL_NOTE)
    if any(map(_is_unverified, cells)):
        said.append(UNVERIFIED_NOTE)
    return said


def _accuracies(table: ResultTable) -> Part:
    def text(cell: ResultCell | None) -> str:
        if cell is None or cell.metrics is None:
            return UNKNOWN
        metrics = cell.metrics
        accuracy = share(metrics.accuracy) + interval_text(metrics.uncertainty.population)
        return f"{accuracy} {marks(cell)}".strip()

    return Part(
        title="Accuracy",
        headings=("row", *table.columns),
        lines=tuple(
            (row, *(text(table.cells.get((row, column))) for column in table.columns))
            for row in table.rows
        ),
        texts=1,
        notes=" ".join([OF_ACCURACY, *mark_notes(table)]),
    )


def _differences(table: ResultTable) -> Part:
    compared = [cell for cell in table.in_order if cell.against is not None]
    lines = []
    for cell in table.in_order:
        one = cell.against
        place = (cell.source.row, cell.source.column)
        if one is not None:
            star = " *" if one.adjusted_p <= SIGNIFICANT else ""
            counts = f"{one.wins} / {one.ties} / {one.losses}"
            low, high = (f"{100 * end:+.1f}" for end in one.interval)
            points = f"{100 * one.difference:+.1f} [{low}, {high}]"
            found = (f"{points}{star}", p_text(one.p), p_text(one.adjusted_p), counts)
            lines.append((*place, *found))
        elif cell.not_compared is not None:
            lines.append((*place, cell.not_compared, UNKNOWN, UNKNOWN, UNKNOWN))
    notes = OF_DIFFERENCES.format(
        baseline=table.baseline, comparisons=len(compared), level=SIGNIFICANT
    )
    return Part(
        title=f"Against {table.baseline}",
        headings=("row", COLUMN, "difference, points", "p", "Holm p", "won / tied / lost"),
        lines=tuple(lines),
        texts=2,
        notes=notes,
    )


def _costs(table: ResultTable) -> Part:
    cells = [cell for cell in table.in_order if cell.metrics is not None]
    lines, roles = [], further_roles(table)
    # One number for all is said once, below the table.
    counts = {(cell.source.attempts, cell.source.planned) for cell in cells}
    alike = len(counts) == 1 and cells[0].source.complete
    plain = one_token_a_forward([cell.metrics.costs for cell in cells if cell.metrics is not None])
    for cell in cells:
        assert cell.metrics is not None  # noqa: S101 - chosen above
        costs, source = cell.metrics.costs, cell.source
        against = None if cell.against is None else cell.against.costs
        planned = "?" if source.planned is None else source.planned
        lines.append(
            (
                source.row,
                source.column,
                UNKNOWN if alike else f"{source.attempts} of {planned}",
                *_tokens(costs, roles),
                UNKNOWN if plain else tokens_a_forward(costs),
                _both(*(giga(flops) for flops in (costs.flops_decode, costs.flops_total))),
                UNKNOWN
                if against is None
                else _both(_ratio(against.flops_decode), _ratio(against.flops_total)),
                fixed(costs.seconds_p50),
                _amount(source.gpu_hours),
                _amount(source.dollars),
            )
        )
    headings = (
        *("row", COLUMN, "attempts", "target tokens", "draft tokens"),
        *(f"{role} tokens" for role in roles),
        FORWARDS,
        *("GFLOPs decode / total", "× decode / total", "seconds p50", "GPU-hours", "dollars"),
    )
    said = [n for n in range(len(headings)) if any(line[n] != UNKNOWN for line in lines)]
    return Part(
        title="Costs",
        headings=tuple(headings[n] for n in said),
        lines=tuple(tuple(line[n] for n in said) for line in lines),
        texts=2,
        notes=" ".join(_notes_of_costs(table, cells[0].source.attempts if alike else None)),
    )


def _notes_of_costs(table: ResultTable, attempts: int | None) -> Iterator[str]:
    if attempts is not None:
        yield OF_ATTEMPTS.format(attempts=f"{attempts:,}")
    yield OF_COSTS.format(baseline=table.baseline)
    if any(cell.source.dollars is not None for cell in table.in_order):
        yield OF_PRICES


def _reported(table: ResultTable) -> Part:
    lines = []
    for cell in table.in_order:
        reported = cell.source.reported
        if reported is None:
            continue
        measured = UNKNOWN
        if cell.metrics is not None:
            metrics = cell.metrics
            measured = share(metrics.accuracy) + interval_text(metrics.uncertainty.population)
        inside = {None: UNKNOWN, True: "yes", False: "no"}[cell.within]
        place = (cell.source.row, cell.source.column)
        lines.append((*place, reported.source or UNKNOWN, share(reported.value), measured, inside))
    return Part(
        title="Reported and measured",
        headings=("row", COLUMN, "source", "reported", "measured", "in the interval"),
        lines=tuple(lines),
        texts=3,
        notes=OF_REPORTED,
    )


def further_roles(table: ResultTable) -> list[str]:
    """Roles beside target and draft that wrote tokens, in the order of their appearance."""
    every = [cell.metrics.costs.tokens for cell in table.in_order if cell.metrics is not None]
    roles = dict.fromkeys(role for tokens in every for role in tokens or ())
    return [role for role in roles if role not in TWO_ROLES]


def _tokens(costs: Costs, roles: Sequence[str]) -> Sequence[str]:
    others = [(costs.tokens or {}).get(role) for role in roles]
    return tuple(map(whole, (costs.target_tokens, costs.draft_tokens, *others)))


def _both(decode: str, total: str) -> str:
    """Two costs; a dash where neither is known."""
    return UNKNOWN if decode == total == UNKNOWN else f"{decode} / {total}"


def _ratio(cost: CostRatio | None) -> str:
    return UNKNOWN if cost is None else fixed(cost.ratio)


def _amount(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.3g}"
