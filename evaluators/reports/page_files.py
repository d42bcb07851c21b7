"""The files of an HTML report: one page with all it needs inside, and blocks of traces.

A page opened from disk may not fetch, but it may load scripts: blocks that are too many to lie in
the page are scripts beside it.
"""

import base64
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

BLOCK_BYTES = 512 * 1024
"""Traces are packed into blocks of about this size; one is read when a trace in it is opened."""
INLINE_BYTES = 20 * 1024 * 1024
"""Up to this many bytes of traces lie in the page itself."""

# What a script element may hold without ending early, whatever a model wrote.
UNSAFE_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
FONT = re.compile(r"url\(fonts/([A-Za-z0-9_-]+\.woff2)\)")
OTHER_FONTS = re.compile(r",url\(fonts/[A-Za-z0-9_-]+\.(?:woff|ttf)\) format\(\"[a-z]+\"\)")


class Blocks:
    """Traces on their way into the page, or, when they become too many, into scripts beside it."""

    def __init__(self, folder: Path, inline_bytes: int = INLINE_BYTES) -> None:
        self._folder = folder
        self._inline_bytes = inline_bytes
        self._open: list[str] = []
        self._open_bytes = self._closed_bytes = 0
        self._closed: list[str] = []
        self._written = 0

    def add(self, trace: dict[str, Any]) -> tuple[int, int]:
        """Keep a trace; the number of its block and its place in the block."""
        text = script_json(trace)
        place = self._written + len(self._closed), len(self._open)
        self._open.append(text)
        self._open_bytes += len(text)
        if self._open_bytes >= BLOCK_BYTES:
            self._close()
        return place

    def finish(self) -> list[str]:
        """The blocks that lie in the page: all of them, or none."""
        if self._open:
            self._close()
        return self._closed

    @property
    def beside(self) -> bool:
        """Whether the blocks are scripts beside the page."""
        return self._written > 0

    def _close(self) -> None:
        self._closed.append("[" + ",\n".join(self._open) + "]")
        self._closed_bytes += self._open_bytes
        self._open, self._open_bytes = [], 0
        if self._written or self._closed_bytes > self._inline_bytes:
            self._write_out()

    def _write_out(self) -> None:
        if not self._written:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
        for block in self._closed:
            script = f"speclrmBlock({self._written},{block});\n"
            (self._folder / f"{self._written}.js").write_text(script, encoding="utf-8")
            self._written += 1
        self._closed = []


def script_json(value: object) -> str:
    """JSON that cannot end or comment out the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in UNSAFE_IN_SCRIPT.items():
        text = text.replace(character, escape)
    # Lone surrogates are valid in JSON strings but not in UTF-8.
    return text.encode("utf-8", "replace").decode()


def asset(*path: str) -> str:
    """A text file of the page or of KaTeX."""
    return files("evaluators.reports").joinpath(*path).read_text(encoding="utf-8")


def katex_css() -> str:
    """KaTeX's style sheet with its fonts inside it."""
    style = OTHER_FONTS.sub("", asset("katex", "katex.min.css"))
    return FONT.sub(lambda match: f"url({_data_url(match[1])})", style)


def _data_url(font: str) -> str:
    content = files("evaluators.reports").joinpath("katex", "fonts", font).read_bytes()
    return "data:font/woff2;base64," + base64.b64encode(content).decode()
