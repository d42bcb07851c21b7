"""Text of models and files made safe to show: in a terminal, a spreadsheet, a page.

A control character could move a terminal's cursor, rename its window or answer for its user; a
direction override shows other text than there is. A spreadsheet runs a cell that looks like a
formula. Markdown holds HTML.
"""

import html
import re

# C0 and C1 controls but for the tab and the line end, direction marks and overrides, the Unicode
# line ends, and halves of surrogate pairs, which no encoding can write.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones start formulas, too
CELL_CHARACTERS = 32_000
"""A spreadsheet's cell holds 32,767; the rest is cut, and the cell says so."""
MARKDOWN = re.compile(r"[\\`*_\[\]|~$]")


def safe(text: str) -> str:
    """The text with every character that a terminal would obey replaced; lines and tabs stay."""
    return OBEYED.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def csv_cell(value: object) -> object:
    """Safe text that no spreadsheet takes for a formula; numbers and None as they are.

    A text that looks like one begins with an apostrophe, by which a spreadsheet knows a text.
    """
    if not isinstance(value, str):
        return value
    text = safe(value)
    if len(text) > CELL_CHARACTERS:
        text = f"{text[:CELL_CHARACTERS]}… (cut: {len(text):,} characters)"
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def markdown_text(text: str) -> str:
    """Safe text on one line of Markdown that shows it as it is: no markup, no HTML, no new cell."""
    one_line = html.escape(" ".join(safe(text).split()), quote=False)
    return MARKDOWN.sub(r"\\\g<0>", one_line)
