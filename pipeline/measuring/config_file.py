"""A config's file: JSON, in which `//` begins a comment, or TOML; and where its keys stand."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pipeline.errors import UserMistake

COMMENT_OR_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*')
"""A text is matched whole, so that `//` within one begins nothing."""
MOST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The values of a file, and its text, in which a key's line is looked for."""

    file: Path
    text: str
    values: dict[str, Any]

    def mistake(self, key: str, sentence: str) -> UserMistake:
        """The error that `sentence` says of a key."""
        spelled = rf"[\"']?{re.escape(key)}[\"']?\s*[:=]"
        found = re.search(rf"^\s*{spelled}", self.text, re.MULTILINE)
        found = found or re.search(rf"(?<![\w-]){spelled}", self.text)
        line = "" if found is None else f", line {_line(self.text, found.end())}"
        return UserMistake(f"{self.file}{line}: {sentence}")


def read_config_file(file: Path) -> ConfigFile:
    """The values of a `.json` or `.toml` file.

    Raises:
        UserMistake: it cannot be read, or does not hold what its name says.
    """
    if file.suffix.lower() not in {".json", ".toml"}:
        raise UserMistake(
            f"{file} is called neither .json nor .toml; the name says how to read it."
        )
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserMistake(f"{file} is larger than {MOST_BYTES >> 20} MiB; it is no config.")
        if not file.is_file():
            raise UserMistake(f"{file} is no file.")
        # Windows' editors begin a file with a byte order mark.
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserMistake(f"{file} is not UTF-8 text: {error}.") from error
    if file.suffix.lower() == ".toml":
        return ConfigFile(file, text, _toml(file, text))
    return ConfigFile(file, text, _json(file, text))


def without_comments(text: str) -> str:
    """JSON without its `//` comments; every line and column stays where it was."""
    return COMMENT_OR_TEXT.sub(
        lambda found: found[0] if found[0][0] == '"' else " " * len(found[0]), text
    )


def _toml(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserMistake(f"{file} is not TOML: {error}.") from error


def _json(file: Path, text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            last = max(found.end() for found in re.finditer(rf'"{re.escape(twice)}"', text))
            raise UserMistake(
                f"{file}, line {_line(text, last)}: {twice!r} stands there twice; drop one."
            )
        return dict(pairs)

    def no_number(name: str) -> NoReturn:
        raise UserMistake(f"{file}: {name} is no value that JSON has.")

    try:
        values = json.loads(
            without_comments(text), object_pairs_hook=once, parse_constant=no_number
        )
    except json.JSONDecodeError as error:
        raise UserMistake(f"{file}, line {error.lineno}: this is not JSON: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{file} is not JSON ({error}).") from error
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise UserMistake(f"{file}: {half} is half of a character; write the whole.") from error
    if not isinstance(values, dict):
        raise UserMistake(f"{file} is no JSON object; see docs/measure.md for what it may hold.")
    return values


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
