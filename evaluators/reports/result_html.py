"""A table of runs as the beginning of a page."""

import html

from evaluators.reports.result_tables import Part, parts
from evaluators.reports.safe_text import safe
from evaluators.statistics.result_table import ResultTable


def as_html(table: ResultTable) -> str:
    """The report's tables as sections of a page; names in it are text and no markup."""
    return "\n".join(_section(part, f"t-{number}") for number, part in enumerate(parts(table)))


def _section(part: Part, name: str) -> str:
    head = "".join(
        f'<th scope="col"{" class=text" if number < part.texts else ""}>{_text(heading)}</th>'
        for number, heading in enumerate(part.headings)
    )
    body = "\n".join(f"<tr>{_row(line, part.texts)}</tr>" for line in part.lines)
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{_text(part.title)}</h2>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">'
        f'<table class="results">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
        f'<p class="note">{_text(part.notes)}</p></section>'
    )


def _row(line: tuple[str, ...], texts: int) -> str:
    first, *others = (_text(cell) for cell in line)
    cells = "".join(
        f'<td class="text">{cell}</td>' if number < texts else f"<td>{cell}</td>"
        for number, cell in enumerate(others, start=1)
    )
    return f'<th scope="row" class="text">{first}</th>{cells}'


def _text(text: str) -> str:
    return html.escape(safe(text))
