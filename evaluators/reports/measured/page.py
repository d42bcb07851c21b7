"""A measurement as a page of its own, or as the beginning of the page of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from evaluators.reports.measured.charts import charts
from evaluators.reports.measured.report_file import Report
from evaluators.reports.page_files import asset
from evaluators.reports.parts import Part, as_html, text
from evaluators.run_files.whole_file import whole_file

MOST_TEXTS = 5_000
"""Completions that a page shows; the files beside the report have all."""
MOST_CHARACTERS = 20_000
"""Of one text."""


@dataclass(frozen=True, slots=True)
class Text:
    """A completion of a prompt by a decoder."""

    decoder: str
    prompt_id: str
    completion: int
    prompt: str
    response: str


def sections(report: Report, parts: Sequence[Part]) -> str:
    """The charts, and the tables below them, as sections of a page."""
    return f"{charts(report)}\n{as_html(parts)}"


def write_page(report: Report, parts: Sequence[Part], texts: Sequence[Text], page: Path) -> None:
    """Write the page of a measurement of prompts, with what every decoder wrote.

    Raises:
        OSError: it cannot be written.
    """
    machine = [*report.hardware.items(), *report.versions.items()]
    about = ", ".join(f"{name} {value}" for name, value in machine if value not in (None, []))
    made = Template(asset("page", "measured.html")).substitute(
        title=text(report.title),
        about=text(about),
        css=asset("page", "page.css"),
        above=sections(report, parts),
        texts=_texts(texts),
    )
    with whole_file(page) as out:
        out.write(made.encode())


def _texts(texts: Sequence[Text]) -> str:
    if not texts:
        return ""
    asked: dict[tuple[str, int], list[Text]] = {}
    for one in texts[:MOST_TEXTS]:
        asked.setdefault((one.prompt_id, one.completion), []).append(one)
    left = len(texts) - MOST_TEXTS
    more = f'<p class="note">{left:,} more lie beside the report.</p>' if left > 0 else ""
    shown = "\n".join(_prompt(key, written) for key, written in asked.items())
    return (
        f'<section aria-labelledby="h-texts"><h2 id="h-texts">Texts</h2>\n{shown}{more}</section>'
    )


def _prompt(key: tuple[str, int], written: Sequence[Text]) -> str:
    """What was asked, and each text once, with the decoders that wrote it."""
    same: dict[str, list[str]] = {}
    for one in written:
        same.setdefault(one.response, []).append(one.decoder)
    blocks = "\n".join(
        f'<div class="step"><div class="meta">{text(", ".join(names))}</div>'
        f'<div class="model">{text(_cut(response))}</div></div>'
        for response, names in same.items()
    )
    texts = "1 text" if len(same) == 1 else f"{len(same)} texts"
    return (
        f'<details class="asked"><summary>{text(f"{key[0]} / {key[1]}")}: {texts}</summary>\n'
        f'<div class="problem model">{text(_cut(written[0].prompt))}</div>\n{blocks}</details>'
    )


def _cut(whole: str) -> str:
    if len(whole) <= MOST_CHARACTERS:
        return whole
    return f"{whole[:MOST_CHARACTERS]}… ({len(whole):,} characters)"


def text_of(decoder: str, line: Mapping[str, object]) -> Text:
    """A line of a decoder's file of answers."""
    prompt, number = line.get("prompt_id"), line.get("completion")
    return Text(
        decoder=decoder,
        prompt_id=str(line.get("id") if prompt is None else prompt),
        completion=number if isinstance(number, int) else 0,
        prompt=str(line.get("prompt") or ""),
        response=str(line.get("response") or ""),
    )
