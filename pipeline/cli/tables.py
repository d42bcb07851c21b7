"""Tables that fit any terminal: columns that do not fit move to a block below."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluators.reports.safe_text import safe
from pipeline.cli.console import safe_console

PIPE_WIDTH = 400
"""Columns where there is no terminal: every row of ours on one line, for `less -S` and `grep`."""
LEAST_KEY = 6
"""Columns that remain for a name beside a very wide cell."""

Cell = str | tuple[str, ...]
"""A cell's text, or its lines one below the other."""


def table_console() -> Console:
    """The console for tables and the paragraphs between them: as wide as the terminal."""
    return safe_console(piped_width=PIPE_WIDTH)


def print_table(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    title: str = "",
    notes: str = "",
    keys: int = 1,
    texts: int = 1,
) -> None:
    """Print a table in which no name, number or heading is cut, however narrow the console is.

    Columns that do not fit follow in further blocks. Each begins with the first `keys` columns,
    by which a row is known. Names fold where they must, headings and numbers break only at
    spaces. The first `texts` columns stand to the left, the others to the right. `title` and
    `notes` are paragraphs above and below.
    """
    lines = safe_lines(headings, rows)
    if title:
        console.print(Text(safe(title), style="bold"))
    for widths in blocks(lines, keys, console.width, texts):
        table = Table()
        for column, width in widths.items():
            table.add_column(
                Text(lines[0][column]),
                justify="left" if column < texts else "right",
                width=width,
                overflow="fold",
            )
        for line in lines[1:]:
            table.add_row(*(Text(line[column]) for column in widths))
        console.print(table)
    if notes:
        console.print(Text(safe(notes)))


def fits(headings: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> bool:
    """Whether the whole table is one block of this width, with no name folded."""
    needed = _needed(safe_lines(headings, rows))
    return sum(needed) + _edges(len(needed)) <= width


def safe_lines(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """The cells of headings and rows as safe text; only a cell of several lines has line ends."""
    return [
        ["\n".join(map(_on_one_line, (cell,) if isinstance(cell, str) else cell)) for cell in line]
        for line in (headings, *rows)
    ]


def blocks(
    lines: Sequence[Sequence[str]], keys: int, width: int, texts: int = 0
) -> Iterator[dict[int, int]]:
    """The columns of each block with their widths; the first of `lines` are the headings.

    Of the first `texts` columns those that are no keys may break at spaces, and leave room to keys.
    """
    natural = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    needed = _needed(lines)
    names = range(keys)
    rest = list(range(keys, len(needed)))
    while rest:
        # Names take half of the width at most while columns are chosen, and then what is left.
        held = sum(_shrunk(needed[:keys], width // 2))
        taken = [rest.pop(0)]
        while rest:
            wanted = held + sum(needed[column] for column in (*taken, rest[0]))
            if wanted > width - _edges(keys + len(taken) + 1):
                break
            taken.append(rest.pop(0))
        room = width - _edges(keys + len(taken))
        least = sum(min(LEAST_KEY, needed[name]) for name in names)
        widths = {
            column: max(1, min(needed[column], room - (held if column < texts else least)))
            for column in taken
        }
        left = room - sum(widths.values())
        widths = dict(zip(names, _shrunk(needed[:keys], left), strict=True)) | widths
        for column in widths:
            spare = room - sum(widths.values())
            widths[column] += max(0, min(spare, natural[column] - widths[column]))
        yield widths


def _needed(lines: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column in which no cell breaks, and a heading only at spaces."""
    return [
        max(map(_width, (*column[0].split(), *column[1:], "")))
        for column in zip(*lines, strict=True)
    ]


def _width(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))


def _edges(columns: int) -> int:
    """The width of what stands around and between so many columns: a line, and a space each."""
    return 3 * columns + 1


def _shrunk(widths: Sequence[int], room: int) -> list[int]:
    """The widths, of which the widest give way until they fit; each stays at least 1."""
    shrunk = list(widths)
    while sum(shrunk) > max(room, len(shrunk)):
        shrunk[shrunk.index(max(shrunk))] -= 1
    return shrunk


def _on_one_line(cell: str) -> str:
    return safe(cell).replace("\n", " ").replace("\t", " ")
