"""Text to tokens: LaTeX, ASCII and Unicode spellings of mathematics, in one linear pass."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from evaluators import units
from evaluators.nodes import Unreadable
from evaluators.vocabulary import (
    ALIASES,
    BLACKBOARD,
    CHARACTERS,
    COMMANDS,
    DROPPED_COMMANDS,
    FUNCTIONS,
    GREEK,
    GREEK_LETTERS,
    IGNORED_COMMANDS,
    JOINERS,
    NUMBER_WORDS,
    QUALIFIERS,
    SHORT_WORDS,
    SPELLINGS,
    TEXT_COMMANDS,
)

# An answer longer than this is compared as text only, characters.
MAX_ANSWER = 6_000
# Digits of one number; below the interpreter's own limit for int(str).
MAX_DIGITS = 4_000
# Letters run together, up to this many, are a product of variables unless they are a known word.
LONGEST_PRODUCT = 3
# Braces may nest this deep.
MAX_BRACES = 200


class Comma(Enum):
    """How a comma between digits is read."""

    LIST = "list"
    THOUSANDS = "thousands"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `spaced` when blank space stands before it, `prose` when it is running text."""

    kind: str
    text: str
    spaced: bool = False
    prose: bool = False
    value: Fraction | None = None
    places: int | None = None


_SEPARATED = r"(?:\{,\}|\\,|,\\!|\\!,|\\!|~|\{\\,\}|,\\,|\\ |\u202f|\u2009|\u00a0)"
_NUMBERS = {
    Comma.LIST: re.compile(
        rf"\d{{1,3}}(?:{_SEPARATED}\d{{3}}(?!\d))+(?:\.\d+)?|\d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\d)"
        r"|\d+(?:\.\d+)?|\.\d+"
    ),
    Comma.THOUSANDS: re.compile(
        rf"\d{{1,3}}(?:(?:,| |{_SEPARATED})\d{{3}}(?!\d))+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
    ),
    Comma.DECIMAL: re.compile(r"\d+(?:(?:,|\{,\})\d+)|\d+(?:\.\d+)?|\.\d+"),
}
_REPEATING = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?")
_EXPONENT = re.compile(r"[eE]([+-]?\d{1,4})(?![\d.A-Za-z])")
_COMMAND = re.compile(r"\\(?:[a-zA-Z]+\*?|.)", re.DOTALL)
_LETTERS = re.compile(r"[A-Za-z]+")
_BRACED = re.compile(r"\s*(?:\[[^\[\]]{0,80}\])?\s*\{([^{}]{0,400})\}")
_ENVIRONMENT = re.compile(r"\s*\{\s*([a-zA-Z]+\*?)\s*\}(?:\s*\{[lcr|\s]*\}|\s*\[[a-z]\])?")
_VULGAR = frozenset("½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒")
_MULTI = {"<=": ("rel", "<="), ">=": ("rel", ">="), "!=": ("rel", "!="), "==": ("rel", "="),
          "**": ("op", "^"), "=>": ("stop", "=>"), "->": ("op", "to"), "+-": ("op", "pm"),
          "+/-": ("op", "pm"), "...": ("sym", "..."), ":=": ("rel", "="), "=<": ("rel", "<="),
          "~=": ("rel", "~"), "<>": ("rel", "!="), "||": ("bar", "||")}


def tokenize(text: str, comma: Comma) -> list[Token]:
    """The tokens of an answer. Raises Unreadable beyond the size limits."""
    if len(text) > MAX_ANSWER:
        raise Unreadable("longer than an answer can be")
    return _Lexer(text, comma).run()


class _Lexer:
    def __init__(self, text: str, comma: Comma) -> None:
        self.text = text
        self.number = _NUMBERS[comma]
        self.comma = comma
        self.at = 0
        self.tokens: list[Token] = []
        self.spaced = False
        self.pending_text = False
        # For each open brace: whether it opened running text (its braces are then not tokens).
        self.braces: list[bool] = []

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            self._next()
        return self.tokens

    def _in_text(self) -> bool:
        return bool(self.braces) and any(self.braces)

    def _emit(self, kind: str, text: str) -> None:
        self.tokens.append(Token(kind, text, self.spaced, self._in_text()))
        self.spaced = False

    def _next(self) -> None:
        char = self.text[self.at]
        if char.isspace():
            self.at += 1
            self.spaced = True
            if char == "\n" and self.text.startswith("\n", self.at):
                self._emit("row", "\n")
        elif char == "\\":
            self._command()
        elif char.isascii() and (char.isdigit() or self._is_decimal_point(char)):
            self._number()
        elif char.isascii() and char.isalpha():
            self._letters()
        elif char in "{}":
            self._brace(char)
        else:
            self._sign(char)

    def _is_decimal_point(self, char: str) -> bool:
        return char == "." and self.text[self.at + 1 : self.at + 2].isdigit()

    def _number(self) -> None:
        repeating = _REPEATING.match(self.text, self.at)
        if repeating:
            self.at = repeating.end()
            self._emit_repeating(*repeating.groups())
            return
        match = self.number.match(self.text, self.at)
        if match is None:
            self.at += 1
            return
        self.at = match.end()
        digits = match.group()
        if self.comma is Comma.DECIMAL:
            digits = digits.replace("{,}", ".").replace(",", ".")
        if digits.count(".") > 1:
            digits = digits.replace(".", "")
        digits = "".join(c for c in digits if c.isdigit() or c == ".")
        if len(digits) > MAX_DIGITS:
            raise Unreadable("a number of too many digits")
        _, point, decimals = digits.partition(".")
        value, places = Fraction(digits), len(decimals) if point else None
        exponent = _EXPONENT.match(self.text, self.at)
        if exponent and (point or exponent.group(1).lstrip("+-").isdigit()):
            value, places = self._scaled(value, places, exponent)
        self.tokens.append(
            Token("num", digits, self.spaced, self._in_text(), value, places)
        )
        self.spaced = False

    def _scaled(
        self, value: Fraction, places: int | None, exponent: re.Match[str]
    ) -> tuple[Fraction, int | None]:
        written = exponent.group(1)
        # `2e-1` may be twice Euler's number less one; `1e-05` and `5.1e-2` are not.
        signed = written[0] in "+-"
        if signed and places is None and len(written) <= 2:
            return value, places
        self.at = exponent.end()
        power = int(written)
        return value * Fraction(10) ** power, max(0, (places or 0) - power)

    def _emit_repeating(self, whole: str, fixed: str, period: str) -> None:
        if len(whole) + len(fixed) + len(period) > MAX_DIGITS:
            raise Unreadable("a number of too many digits")
        head = Fraction(int(whole + fixed or "0"), 10 ** len(fixed))
        tail = Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))
        self.tokens.append(
            Token("num", f"{whole}.{fixed}({period})", self.spaced, self._in_text(), head + tail)
        )
        self.spaced = False

    def _letters(self) -> None:
        match = _LETTERS.match(self.text, self.at)
        if match is None:
            self.at += 1
            return
        run = match.group()
        self.at = match.end()
        for kind, text in _read_letters(run, prose=self._in_text()):
            self._emit(kind, text)

    def _brace(self, char: str) -> None:
        self.at += 1
        if char == "{":
            if len(self.braces) >= MAX_BRACES:
                raise Unreadable("nested too deeply")
            self.braces.append(self.pending_text)
            if not self.pending_text:
                self._emit("open", "{")
            self.pending_text = False
        elif self.braces:
            was_text = self.braces.pop()
            if was_text:
                self.spaced = True
            else:
                self._emit("close", "{")

    def _sign(self, char: str) -> None:
        for length in (3, 2):
            piece = self.text[self.at : self.at + length]
            if len(piece) == length and piece in _MULTI:
                self.at += length
                self._emit(*_MULTI[piece])
                return
        self.at += 1
        if char == "$":
            self.spaced = True
        elif char == "~":
            self.spaced = True
        elif char in CHARACTERS:
            self._emit(*CHARACTERS[char])
        elif char in GREEK_LETTERS:
            self._emit("sym", GREEK_LETTERS[char])
        elif char in _VULGAR:
            self._vulgar(char)
        elif not char.isascii():
            self._foreign(char)

    def _vulgar(self, char: str) -> None:
        top, _, bottom = unicodedata.normalize("NFKC", char).partition("⁄")
        value = Fraction(int(top), int(bottom))
        self.tokens.append(Token("num", f"{top}/{bottom}", self.spaced, self._in_text(), value))
        self.spaced = False

    def _foreign(self, char: str) -> None:
        """Superscripts, other scripts' digits and letters, full-width and styled characters."""
        plain = unicodedata.normalize("NFKC", char)
        name = unicodedata.name(char, "")
        raised = "SUPERSCRIPT" in name and plain in "0123456789+-n"
        lowered = "SUBSCRIPT" in name and plain.isalnum()
        if raised or lowered:
            run = [plain]
            while self.at < len(self.text) and (
                ("SUPERSCRIPT" if raised else "SUBSCRIPT") in unicodedata.name(self.text[self.at], "")
            ):
                run.append(unicodedata.normalize("NFKC", self.text[self.at]))
                self.at += 1
            self._splice(("^" if raised else "_") + "{" + "".join(run).replace("−", "-") + "}")
        elif char.isdecimal():
            digits = [str(unicodedata.digit(char))]
            while self.at < len(self.text) and self.text[self.at].isdecimal() and len(digits) < MAX_DIGITS:
                digits.append(str(unicodedata.digit(self.text[self.at])))
                self.at += 1
            self._splice("".join(digits))
        elif plain != char and plain.isascii() and plain.strip():
            self._splice(plain)
        elif char.isalpha():
            self._foreign_word(char)

    def _foreign_word(self, first: str) -> None:
        word = [first]
        while self.at < len(self.text) and self.text[self.at].isalpha() and not self.text[self.at].isascii():
            word.append(self.text[self.at])
            self.at += 1
        self.tokens.append(Token("word", "".join(word), self.spaced, prose=True))
        self.spaced = False

    def _splice(self, replacement: str) -> None:
        """Read `replacement` in place of what was just consumed."""
        self.text = self.text[: self.at] + replacement + self.text[self.at :]
        if len(self.text) > 2 * MAX_ANSWER:
            raise Unreadable("longer than an answer can be")

    def _command(self) -> None:
        match = _COMMAND.match(self.text, self.at)
        if match is None:
            self.at += 1
            return
        self.at = match.end()
        name = match.group()[1:]
        if name in TEXT_COMMANDS:
            self.pending_text = self._opens_brace()
            self.spaced = True
        elif name in ("begin", "end"):
            self._environment(name)
        elif name == "mathbb":
            self._blackboard()
        elif name in DROPPED_COMMANDS:
            argument = _BRACED.match(self.text, self.at)
            self.at = argument.end() if argument else self.at
        elif name in ("left", "right"):
            self._sized(name)
        elif name in "()[]" or name in IGNORED_COMMANDS:
            self.spaced = self.spaced or name in ",;:> " or name in "()[]"
        elif name == " ":
            self.spaced = True
        elif name in COMMANDS:
            self._emit(*COMMANDS[name])
        elif name in GREEK:
            self._emit("sym", SPELLINGS.get(name, name))
        elif name in FUNCTIONS or name in ALIASES:
            self._emit(*_read_letters(name, prose=False)[0])
        elif name.isalpha():
            self._unknown(name)

    def _unknown(self, name: str) -> None:
        """A command run together with the letters after it (`\\quadx`, `\\pir`), or a new one."""
        for length in range(len(name) - 1, 1, -1):
            head = name[:length]
            if head in COMMANDS or head in GREEK or head in FUNCTIONS or head in IGNORED_COMMANDS:
                self.text = self.text[: self.at] + f"\\{head} {name[length:]}" + self.text[self.at :]
                if len(self.text) > 2 * MAX_ANSWER:
                    raise Unreadable("longer than an answer can be")
                return
        self._emit("word", name)

    def _opens_brace(self) -> bool:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        return self.text.startswith("{", self.at)

    def _sized(self, side: str) -> None:
        """`\\left|` and `\\right|` say which side a bar is on; a dot there is nothing."""
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        if self.text.startswith(("|", "\\vert"), self.at):
            self.at += 1 if self.text[self.at] == "|" else len("\\vert")
            self._emit("open" if side == "left" else "close", "|")
        elif self.text.startswith(".", self.at):
            self.at += 1

    def _environment(self, which: str) -> None:
        match = _ENVIRONMENT.match(self.text, self.at)
        if match is None:
            return
        self.at = match.end()
        name = match.group(1).rstrip("*")
        kind = "open" if which == "begin" else "close"
        if name in ("aligned", "align", "gather", "gathered", "equation", "split", "document", "eqnarray"):
            self.spaced = True
            return
        self._emit(kind, f"env:{'cases' if name == 'cases' else 'matrix'}")

    def _blackboard(self) -> None:
        match = re.compile(r"\s*\{?\s*([A-Z])\s*\}?").match(self.text, self.at)
        if match:
            self.at = match.end()
            self._emit("sym", BLACKBOARD.get(match.group(1), match.group(1)))


def _read_letters(run: str, *, prose: bool) -> list[tuple[str, str]]:
    """A run of letters as one known name, as a word, or as a product of variables."""
    name = ALIASES.get(run, run)
    if name in FUNCTIONS:
        return [("fn", name)]
    if name in ("pi", "oo") or (not prose and name in GREEK):
        return [("sym", name)]
    if len(run) == 1:
        return [("word" if prose else "sym", run)]
    lower = run.lower()
    if prose or lower in JOINERS or lower in QUALIFIERS or lower in NUMBER_WORDS or units.is_unit(run):
        return [("word", run)]
    if run.startswith("pi"):
        return [("sym", "pi"), *_read_letters(run[2:], prose=False)]
    if run.endswith("pi") and len(run) == len("xpi"):
        return [("sym", run[0]), ("sym", "pi")]
    if len(run) <= LONGEST_PRODUCT and lower not in SHORT_WORDS:
        return [("sym", letter) for letter in run]
    return [("word", run)]
