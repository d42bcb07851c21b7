"""A report as tables one below the other: the same for a terminal, for Markdown and for a page."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluators.reports.board_columns import markdown_table
from evaluators.reports.safe_text import markdown_text, safe


@dataclass(frozen=True, slots=True)
class Part:
    """One of the tables that make up a report; the first `texts` columns are words.

    Each line of `notes` is a footnote. A page that draws it shows the columns whose `worth` is 0,
    or not told, and of the others those that fit, from 1 on.
    """

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    texts: int
    notes: str
    worth: Mapping[str, int] = field(default_factory=dict)


def as_markdown(title: str, parts: Sequence[Part]) -> str:
    """All parts as Markdown; no name in it is taken for markup or HTML, or breaks a table."""
    said = [f"# {markdown_text(title)}"]
    for part in parts:
        said += ["", f"## {markdown_text(part.title)}", ""]
        said += markdown_table([part.headings, *part.lines])
        for note in part.notes.splitlines():
            said += ["", markdown_text(note)]
    return "\n".join(said)


def as_data(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """All parts as a page draws them, their texts safe to show."""
    return [
        {
            "title": safe(part.title),
            "columns": [
                {"head": safe(heading), "worth": part.worth.get(heading, 0)}
                for heading in part.headings
            ],
            "lines": [[*map(safe, line)] for line in part.lines],
            "texts": part.texts,
            "notes": [*map(safe, part.notes.splitlines())],
        }
        for part in parts
    ]


def as_html(parts: Sequence[Part]) -> str:
    """All parts as sections of a page; names in it are text and no markup."""
    return "\n".join(_section(part, f"t-{number}") for number, part in enumerate(parts))


def _section(part: Part, name: str) -> str:
    head = "".join(
        f'<th scope="col"{" class=text" if number < part.texts else ""}>{text(heading)}</th>'
        for number, heading in enumerate(part.headings)
    )
    body = "\n".join(f"<tr>{_row(line, part.texts)}</tr>" for line in part.lines)
    notes = "\n".join(f'<p class="note">{text(note)}</p>' for note in part.notes.splitlines())
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{text(part.title)}</h2>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">'
        f'<table class="results">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
        f"{notes}</section>"
    )


def _row(line: tuple[str, ...], texts: int) -> str:
    first, *others = map(text, line)
    cells = "".join(
        f'<td class="text">{cell}</td>' if number < texts else f"<td>{cell}</td>"
        for number, cell in enumerate(others, start=1)
    )
    return f'<th scope="row" class="text">{first}</th>{cells}'


def text(raw: str) -> str:
    """A text as HTML that shows it as it is."""
    return html.escape(safe(raw))
