"""The only way to print: text of models, files and arguments is shown literally."""

import json

import click

from evaluators.reports.safe_text import OBEYED, safe


def echo(text: str, *, err: bool = False) -> None:
    """Print a text and a line end, safe to show, to standard output or to standard error."""
    click.echo(safe(text), err=err)


def echo_part(text: str, *, err: bool = False) -> None:
    """Print, as safely and at once, a piece of a text that goes on."""
    click.echo(safe(text), nl=False, err=err)


def counted(number: int, noun: str) -> str:
    """`1 repeat`, `2 repeats`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def json_line(value: object) -> str:
    """JSON on one line that is readable, safe to show, and the same value when it is read back.

    NaN and infinities are no JSON: a ValueError.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
