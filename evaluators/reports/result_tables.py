"""A table of runs for people: accuracies, differences, costs, and what others report."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.reports.board_columns import fixed, interval_text, markdown_table, share, whole
from evaluators.reports.comparison_table import difference_text
from evaluators.reports.safe_text import markdown_text
from evaluators.statistics.metrics import TWO_ROLES, Costs
from evaluators.statistics.result_table import ResultCell, ResultTable
from evaluators.statistics.sign_flips import p_text

SIGNIFICANT = 0.05
SEEN = "†"
PARTIAL = "…"
UNKNOWN = "–"
OF_ACCURACY = (
    "Accuracy with its 95 % interval over the population of problems; errors count as not correct."
)
OF_DIFFERENCES = (
    "Differences to {baseline} in pairs, problem by problem; p: sign-flip test; Holm p: adjusted "
    "for all {comparisons} comparisons of the table. *: Holm p at most {level:g}."
)
OF_COSTS = "Costs of an attempt on average; ×: relative to {baseline} at the same problems."
OF_PRICES = "GPU-hours and dollars are those of all attempts."
OF_REPORTED = (
    "Reported by others beside what was measured, and whether it lies in the measured interval."
)
SEEN_NOTE = f"{SEEN} The problems are older than the release of a model, which may have seen them."
PARTIAL_NOTE = f"{PARTIAL} Not complete: of what is recorded, whole repeats or else problems count."


@dataclass(frozen=True, slots=True)
class Part:
    """One of the tables that make up a report; the first `texts` columns are words."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    texts: int
    notes: str


def parts(table: ResultTable) -> list[Part]:
    """The report's tables, without those that have nothing to say."""
    made = [_accuracies(table), _differences(table), _costs(table), _reported(table)]
    return [part for part in made if part.lines]


def as_markdown(table: ResultTable) -> str:
    """All parts as Markdown; no name in it is taken for markup or HTML, or breaks a table."""
    said = [f"# {markdown_text(table.title)}"]
    for part in parts(table):
        said += [
            "",
            f"## {markdown_text(part.title)}",
            "",
            *markdown_table([part.headings, *part.lines]),
        ]
        said += ["", markdown_text(part.notes)]
    return "\n".join(said)


def marks(cell: ResultCell) -> str:
    """What a reader must know of a cell at once: that it is partial, or may have been seen."""
    return f"{PARTIAL if _is_partial(cell) else ''}{SEEN if cell.source.seen is not None else ''}"


def _is_partial(cell: ResultCell) -> bool:
    return cell.metrics is not None and not cell.source.complete


def mark_notes(table: ResultTable) -> list[str]:
    """What the marks in the table mean."""
    cells = table.in_order
    said = []
    if any(cell.source.seen is not None for cell in cells):
        said.append(SEEN_NOTE)
    if any(map(_is_partial, cells)):
        said.append(PARTIAL_NOTE)
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
            found = (f"{difference_text(one)}{star}", p_text(one.p), p_text(one.adjusted_p), counts)
            lines.append((*place, *found))
        elif cell.not_compared is not None:
            lines.append((*place, cell.not_compared, UNKNOWN, UNKNOWN, UNKNOWN))
    notes = OF_DIFFERENCES.format(
        baseline=table.baseline, comparisons=len(compared), level=SIGNIFICANT
    )
    return Part(
        title=f"Against {table.baseline}",
        headings=("row", "column", "difference", "p", "Holm p", "won / tied / lost"),
        lines=tuple(lines),
        texts=2,
        notes=notes,
    )


def _costs(table: ResultTable) -> Part:
    cells = [cell for cell in table.in_order if cell.metrics is not None]
    lines, roles = [], further_roles(table)
    for cell in cells:
        assert cell.metrics is not None  # noqa: S101 - chosen above
        costs, source = cell.metrics.costs, cell.source
        ratio = None if cell.against is None else cell.against.costs.flops_decode
        lines.append(
            (
                source.row,
                source.column,
                f"{source.attempts} of {'?' if source.planned is None else source.planned}",
                *_tokens(costs, roles),
                UNKNOWN if costs.flops_decode is None else f"{costs.flops_decode / 1e9:,.2f}",
                UNKNOWN if ratio is None else fixed(ratio.ratio),
                fixed(costs.seconds_p50),
                _amount(source.gpu_hours),
                _amount(source.dollars),
            )
        )
    priced = any(cell.source.dollars is not None for cell in cells)
    headings = (
        *("row", "column", "attempts", "target tokens", "draft tokens"),
        *(f"{role} tokens" for role in roles),
        *("GFLOPs", "× GFLOPs", "seconds p50", "GPU-hours", "dollars"),
    )
    said = [n for n in range(len(headings)) if any(line[n] != UNKNOWN for line in lines)]
    return Part(
        title="Costs",
        headings=tuple(headings[n] for n in said),
        lines=tuple(tuple(line[n] for n in said) for line in lines),
        texts=2,
        notes=" ".join(
            [OF_COSTS.format(baseline=table.baseline), *([OF_PRICES] if priced else [])]
        ),
    )


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
        headings=("row", "column", "source", "reported", "measured", "in the interval"),
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


def _amount(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.3g}"
