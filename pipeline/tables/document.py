"""A TOML file as values that know where they stand, so that an error can name the line."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline.errors import UserMistake

Keys = tuple[str, ...]
BARE = r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'"
DOTTED = rf"(?:{BARE})(?:\s*\.\s*(?:{BARE}))*"
HEADER = re.compile(rf"\s*\[\[?\s*({DOTTED})\s*\]")
KEY = re.compile(rf"\s*({DOTTED})\s*=")
NAMED = 2
"""How deep models and rows have their names: `--set` makes none."""
MANY = 12
"""More names than a sentence can hold."""
LONG_QUOTES = ('"""', "'''")
KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a part of a document came from, and the lines of its keys there."""

    file: Path
    text: str
    lines: Mapping[Keys, int]

    def where(self, keys: Keys, near: str | None) -> str:
        """`FILE, line N`: where `keys` stand, or `near`, which stands in their value."""
        above = next(keys[:size] for size in range(len(keys), 0, -1) if keys[:size] in self.lines)
        line = self.lines[above]
        inside = near if near is not None else (keys[len(above)] if len(keys) > len(above) else "")
        for offset, text in enumerate(self.text.splitlines()[line - 1 :]):
            if offset and (KEY.match(text) or HEADER.match(text)):
                break
            if inside and re.search(rf"(?<![\w-]){re.escape(inside)}(?![\w-])", text):
                return f"{self.file}, line {line + offset}"
        return f"{self.file}, line {line}"


class Document:
    """The values of a TOML file, in which other files and `--set` may have put some.

    Raises:
        UserMistake: the file cannot be read, or is not TOML.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.values, source = read(file)
        self._parts: dict[Keys, tuple[Keys, Source] | str] = {(): ((), source)}

    def put(self, keys: Keys, file: Path) -> None:
        """Let the values of another file stand under `keys`."""
        values, source = read(file)
        self._table_of(keys)[keys[-1]] = values
        self._parts[keys] = ((), source)

    def set(self, assignment: str) -> None:
        """Replace a value: `models.qwq.model=pocket-target`, the value as in TOML or a bare text.

        Raises:
            UserMistake: it is no assignment, or its key lies within a value that is no table.
        """
        name, equals, value = assignment.partition("=")
        spoken = f"--set {assignment}"
        if not equals:
            raise UserMistake(f"{spoken}: write --set KEY=VALUE, such as defaults.repeats=2.")
        try:
            keys = dotted(name)
        except tomllib.TOMLDecodeError as error:
            raise UserMistake(
                f"{spoken}: {name!r} is no key; write names that have more than letters, digits, "
                "- and _ in quotes."
            ) from error
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value
        table = self._table_of(keys, spoken)
        table[keys[-1]] = parsed
        self._parts[keys] = spoken

    def _table_of(self, keys: Keys, spoken: str = "") -> dict[str, Any]:
        """The table that holds the last of `keys`, made where there is none."""
        table = self.values
        for depth, key in enumerate(keys[:-1], start=1):
            if depth == NAMED and key not in table:
                raise UserMistake(f"{spoken}: there is no {key!r}; {nearest(key, table)}.")
            inner = table.setdefault(key, {})
            if not isinstance(inner, dict):
                raise UserMistake(f"{spoken}: {'.'.join(keys[:depth])} is no table in {self.file}.")
            table = inner
        return table

    def where(self, keys: Keys, near: str | None = None) -> str:
        """Where a key stands, or `near` within its value: the file and line, or the `--set`."""
        depth = next(size for size in range(len(keys), -1, -1) if keys[:size] in self._parts)
        part = self._parts[keys[:depth]]
        if isinstance(part, str):
            return part
        within, source = part
        rest = within + keys[depth:]
        if not any(rest[:size] in source.lines for size in range(1, len(rest) + 1)):
            return str(source.file)
        return source.where(rest, near)

    def mistake(self, keys: Keys, sentence: str, near: str | None = None) -> UserMistake:
        """The error that `sentence` says of a key."""
        return UserMistake(f"{self.where(keys, near)}: {sentence}")

    def is_set(self, keys: Keys) -> bool:
        """Whether the value is one of `--set`, not of a file."""
        return isinstance(self._parts.get(keys), str)

    def folder(self, keys: Keys) -> Path:
        """The folder of the file that a key stands in: paths are relative to it."""
        depth = next(size for size in range(len(keys), -1, -1) if keys[:size] in self._parts)
        part = self._parts[keys[:depth]]
        return Path() if isinstance(part, str) else part[1].file.parent

    def get(self, keys: Keys, kind: type, default: Any = None) -> Any:
        """A value of that kind, or the default where it does not stand there.

        Raises:
            UserMistake: it is of another kind.
        """
        table: Any = self.values
        for key in keys[:-1]:
            table = table.get(key, {})
        value = table.get(keys[-1], default)
        if keys[-1] in table and not is_a(value, kind):
            raise self.mistake(
                keys, f"{'.'.join(keys)} is {value!r}; it must be {KINDS[kind]}.", None
            )
        return value

    def refuse_unknown(self, keys: Keys, known: Collection[str]) -> None:
        """Refuse keys of the table at `keys` that are not `known`, with the nearest that is.

        Raises:
            UserMistake: there is one.
        """
        table: Any = self.values
        for key in keys:
            table = table[key]
        for key in table:
            if key not in known:
                raise self.unknown((*keys, key), "key", key, known)

    def unknown(
        self, keys: Keys, what: str, name: str, known: Collection[str], near: str | None = None
    ) -> UserMistake:
        """The error for a name that is none of the known ones."""
        return self.mistake(keys, f"there is no {what} {name!r}; {nearest(name, known)}.", near)


def nearest(name: str, known: Collection[str]) -> str:
    """`did you mean X` where a known name is near, else all of them, if they are not many."""
    near = [
        found
        for spelled in (name, name.replace("-", "_").lower())
        for found in get_close_matches(spelled, known, n=1)
    ]
    if near:
        return f"did you mean {near[0]!r}"
    if len(known) > MANY:
        return f"it is none of the {len(known)} that are known here"
    return f"there are {', '.join(known)}" if known else "there are none"


def is_a(value: object, kind: type) -> bool:
    """Whether a value is of a kind; a whole number is a number, true and false are none."""
    if kind is not bool and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def read(file: Path) -> tuple[dict[str, Any], Source]:
    """A TOML file's values, and the lines of its keys.

    Raises:
        UserMistake: it cannot be read, or is not TOML.
    """
    try:
        # Windows' editors begin a file with a byte order mark.
        text = file.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserMistake(f"{file} is not TOML: {error}.") from error
    lines: dict[Keys, int] = {}
    for keys, line in _keys(text):
        for size in range(1, len(keys) + 1):
            lines.setdefault(keys[:size], line)
    return values, Source(file, text, lines)


def dotted(name: str) -> Keys:
    """The names of a dotted key."""
    values: Any = tomllib.loads(f"{name} = 0")
    keys: Keys = ()
    while isinstance(values, dict):
        [(key, values)] = values.items()
        keys += (key,)
    return keys


def _keys(text: str) -> Iterator[tuple[Keys, int]]:
    """Every key that begins a line, with those of its table before it, and the line's number."""
    header: Keys = ()
    closing: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if closing is not None:
            closing = None if closing in line else closing
            continue
        if match := HEADER.match(line):
            header = dotted(match[1])
            yield header, number
        elif match := KEY.match(line):
            yield header + dotted(match[1]), number
        closing = next((quotes for quotes in LONG_QUOTES if line.count(quotes) % 2), None)
