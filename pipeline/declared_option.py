"""An option that a reasoner or an engine declares: its name, its type, and what values it takes."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Misdeclared, UserMistake

Value = str | int | float | bool | Path | None
"""What an option can be."""
ValueType = type[bool] | type[int] | type[float] | type[str] | type[Path]
KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
}
NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class DeclaredOption:
    """An option of the command line.

    `name` and `aliases` have underscores for dashes, and no dashes before them. `type` is that of
    a value, bool for a flag. A number is finite, at least `least`, above `above` and at most
    `most`; a text is one of `choices`, where there are any. A `repeatable` text may be given
    several times: its value is all of them, on lines of their own.
    """

    name: str
    help: str
    type: ValueType = str
    choices: Collection[str] = ()
    least: float | None = None
    most: float | None = None
    aliases: tuple[str, ...] = ()
    above: float | None = None
    repeatable: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return self.flags()[0]

    def flags(self, prefix: str = "") -> list[str]:
        """As it may be typed, its own name first; `prefix` is that of a model's role."""
        return [f"--{prefix}{name.replace('_', '-')}" for name in (self.name, *self.aliases)]

    def check_declaration(self) -> None:
        """Raise `Misdeclared` for what makes it no option."""
        if isinstance(self.aliases, str):
            raise Misdeclared(f"the aliases of the option {self.name!r} are no tuple")
        for name in (self.name, *self.aliases):
            if not isinstance(name, str) or NAME.fullmatch(name) is None:
                raise Misdeclared(
                    f"an option cannot be called {name!r}: write its name in lower-case letters, "
                    "digits and underscores, top_m for --top-m"
                )
        if self.type not in KINDS:
            kinds = ", ".join(kind.__name__ for kind in KINDS)
            raise Misdeclared(f"the type of {self.flag} is {self.type!r} and none of {kinds}")
        if self.choices and self.type is not str:
            raise Misdeclared(f"{self.flag} has choices, which only a text can have")
        if self.repeatable and (self.choices or self.type is not str):
            raise Misdeclared(f"{self.flag} is repeatable, which only a free text can be")
        if self._range() and self.type not in {int, float}:
            raise Misdeclared(f"{self.flag} has bounds, which only a number can have")
        bounds = (self.least, self.above, self.most)
        if self.type is int and any(end is not None and end != int(end) for end in bounds):
            raise Misdeclared(f"{self.flag} is a whole number, and one of its bounds is not")

    def check_default(self, value: Value) -> None:
        """Raise `Misdeclared` for a default that the option cannot have; None is no default."""
        if value is None:
            return
        try:
            self.check(value)
        except UserMistake as error:
            raise Misdeclared(f"by default {error}".removesuffix(".")) from error

    def check(self, value: Value) -> None:
        """Raise `UserMistake` for a value that the option cannot have."""
        kinds: tuple[type, ...] = (float, int) if self.type is float else (self.type,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.type is not bool):
            raise UserMistake(f"{self.flag} is {value!r}; it must be {KINDS[self.type]}.")
        if self.choices and str(value) not in self.choices:
            raise UserMistake(
                f"{self.flag} is {value!r}; it must be one of {', '.join(self.choices)}."
            )
        if isinstance(value, int | float) and not self._holds(value):
            allowed = self._range() or "finite"
            raise UserMistake(f"{self.flag} is {value}; it must be {allowed}.")

    def _holds(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
        )

    def _range(self) -> str:
        bounds = {"at least": self.least, "above": self.above, "at most": self.most}
        return " and ".join(f"{words} {end:g}" for words, end in bounds.items() if end is not None)
