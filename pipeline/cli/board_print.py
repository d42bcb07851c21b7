"""The leaderboard on standard output: a table that fits, and what its columns mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from evaluators.reports import board_columns
from evaluators.reports.board_columns import Column
from evaluators.reports.leaderboard import Row
from evaluators.run_files.run_names import shortened_names
from pipeline.cli.fitted_board import Board, asked_board, fitted_board
from pipeline.cli.tables import fits, print_table, table_console

COLUMN_NOTES = {
    "accuracy": "(95 %): interval over the population of problems; errors and missing attempts "
    "count as not correct.",
    "tokens": "Tokens: generated per attempt.",
    "all-tokens": "Tokens: generated per attempt.",
    "x-total": "× total: GFLOPs per attempt with those of prompt tokens, divided by {baseline}'s.",
    "x-decode": "× decode: the same for generated tokens alone.",
    "x-tokens": "× tokens: generated tokens of all models, divided by {baseline}'s.",
    "se": "SE problems: over that population; samples: over new samples of the same problems.",
    "maj@k": "±: SE over problems.",
    "seconds": "Seconds depend on the concurrency.",
}
"""What a reader of each column must know."""
GROUP_NOTES = (
    "Each group is an accuracy of its own: intervals over the population of such problems, the "
    "repeats of a problem as one cluster. Many groups are many chances to see a difference."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a leaderboard is shown: the whole of it, some columns, or what matters and fits.

    With `with_votes`, pass@k and maj@k matter. `baseline` is the name of the run that costs are
    relative to; `by` is the kind of groups whose accuracies are shown too.
    """

    wide: bool = False
    columns: Sequence[Column] = ()
    with_votes: bool = False
    baseline: str | None = None
    by: str | None = None


def print_board(rows: Sequence[Row], shown: Shown) -> None:
    """Print the rows, notes on the columns that are there, and accuracies by level or subject."""
    console = table_console()
    if shown.wide:
        _print_wide(console, rows)
    else:
        _print_fitted(console, rows, shown)
    if shown.by is not None:
        _print_groups(console, rows, shown.by)


def _print_groups(console: Console, rows: Sequence[Row], kind: str) -> None:
    whole = [row.metrics.run for row in rows]
    lines = board_columns.group_table(rows, kind, whole)
    if not fits(lines[0], lines[1:], console.width):
        lines = board_columns.group_table(rows, kind, shortened_names(whole))
    print_table(
        console,
        lines[0],
        lines[1:],
        title=f"Accuracy by {kind} (95 %)",
        notes=GROUP_NOTES,
    )


def _print_fitted(console: Console, rows: Sequence[Row], shown: Shown) -> None:
    board = (
        asked_board(rows, shown.columns, console.width)
        if shown.columns
        else fitted_board(rows, console.width, with_votes=shown.with_votes)
    )
    labels, sets = {board_columns.label(row) for row in rows}, {row.metrics.dataset for row in rows}
    if len(labels) == len(sets) == 1:
        console.print(Text(f"{sets.pop()}, {labels.pop()}", style="bold"))
    print_table(console, board.headings, board.cells, texts=board.texts)
    _print_notes(console, rows, board, shown)


def _print_notes(console: Console, rows: Sequence[Row], board: Board, shown: Shown) -> None:
    """What a reader of the table cannot know: what is not in it, and what its headings mean."""
    there = {column.name for column in board.columns}
    if board.are_shortened:
        console.print(Text("Names of runs lack what all of them share."))
    absent = [name.replace("-", " ") for name in board_columns.absent_rates(rows)]
    if absent and not shown.columns:
        console.print(Text(f"Zero in every run: {', '.join(absent)}."))
    said = [note for name, note in COLUMN_NOTES.items() if name in there]
    if "maj@k" in there and any(row.metrics.maj_at_k is None for row in rows):
        said.append(board_columns.UNCOUNTED)
    # A name may have braces.
    console.print(Text(" ".join(said).replace("{baseline}", shown.baseline or "")))
    told = there | {"x", "tokens", "label", *board_columns.RATE_FIELDS}
    hidden = [one.name for one in board_columns.whole_columns(rows) if one.name not in told]
    if hidden and not shown.columns:
        console.print(Text(f"All columns: --wide. Some: --columns {','.join(hidden)}", "dim"))


def _print_wide(console: Console, rows: Sequence[Row]) -> None:
    """The whole table, times, and what was reached by role or method."""
    absent = board_columns.absent_rates(rows)
    columns = [one for one in board_columns.whole_columns(rows) if one.name not in absent]
    print_table(
        console,
        [column.heading for column in columns],
        [[column.show(row) for column in columns] for row in rows],
        texts=sum(column.is_text for column in columns),
    )
    if absent:
        zero = ", ".join(name.replace("-", " ") for name in absent)
        console.print(Text(f"Zero in every run: {zero}."))
    console.print(Text(board_columns.notes(rows)))
    print_table(
        console, board_columns.TIME_HEADINGS, board_columns.time_cells(rows), title="Per attempt"
    )
    guided = board_columns.guided_cells(rows)
    if guided:
        print_table(
            console,
            board_columns.GUIDED_HEADINGS,
            guided,
            title="Tracks by role or method, each judged by its own answer",
            keys=2,
            texts=2,
        )
