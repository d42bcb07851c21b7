# ruff: noqa: RUF001 - signs that look alike are what this module tells apart
"""Text to tokens: LaTeX, ASCII and Unicode spellings of mathematics, in one linear pass."""

import re
import unicodedata
from fractions import Fraction

from evaluators.nodes import Unreadable
from evaluators.reading.accents import accented
from evaluators.reading.commands import (
    ACCENTS,
    ARROWS,
    BLACKBOARD,
    COMMANDS,
    DROPPED_COMMANDS,
    ENVIRONMENTS,
    IGNORED_COMMANDS,
    MARKS,
    TEXT_COMMANDS,
)
from evaluators.reading.digits import MAX_DIGITS, read_number
from evaluators.reading.foreign import role
from evaluators.reading.letters import binds, read_letters, resolved, with_bold_sets
from evaluators.reading.numerals import is_numeral, with_numerals
from evaluators.reading.row_ends import row_end
from evaluators.reading.shorthand import written_out
from evaluators.reading.signs import CHARACTERS, GREEK_LETTERS
from evaluators.reading.tokens import Comma, Token
from evaluators.reading.words import ALIASES, FUNCTIONS, GREEK, SPELLINGS

# An answer longer than this is compared as text only, characters.
MAX_ANSWER = 6_000
# Braces may nest this deep.
MAX_BRACES = 200


_COMMAND = re.compile(r"\\(?:[a-zA-Z]+\*?|.)", re.DOTALL)
_LETTERS = re.compile(
    r"(sq|cu)\.(?=\s?[a-z])|[ap]\.m\.?|[A-Za-z]{2,}['’][a-z]{1,2}(?![A-Za-z])|[A-Za-z]+"
)
_HYPHENED = re.compile(r"[-‐‑]([A-Za-z]+)")
_BRACED = re.compile(r"\s*(?:\[[^\[\]]{0,80}\])?\s*\{([^{}]{0,400})\}")
_ENVIRONMENT = re.compile(r"\s*\{\s*([a-zA-Z]+\*?)\s*\}(?:\s*\{[lcr|\s\d]*\}|\s*\[[a-z]\])?")
_NAME = re.compile(r"\s*\{\s*([a-zA-Z]+)\s*\}\s*(?=([\w({\[\\])?)")
_BOLD = re.compile(r"\s*(?:\{\s*([RZNQC])\s*\}|([RZNQC])(?![A-Za-z]))")
_SET_LETTER = re.compile(r"\s*\{?\s*([A-Z])\s*\}?")
_POINT = re.compile(r"\.(?:\d|\\(?:overline|bar|dot)\s*\{?\d)")
_ROOT = re.compile(r"\s*(?:\{([^{}]{1,40})\}|([^\\{}]{1,20}?))\s*\\of(?![a-zA-Z])")
_VULGAR = frozenset("½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒")
_MULTI = {
    "<=": ("rel", "<="),
    ">=": ("rel", ">="),
    "!=": ("rel", "!="),
    "==": ("rel", "="),
    "**": ("op", "^"),
    "=>": ("stop", "=>"),
    "->": ("op", "to"),
    "+-": ("op", "pm"),
    "+/-": ("op", "pm"),
    "+/\u2212": ("op", "pm"),
    "...": ("sym", "..."),
    ":=": ("rel", "="),
    "=<": ("rel", "<="),
    "~=": ("rel", "~"),
    "<>": ("rel", "!="),
    "||": ("bar", "||"),
    "!!": ("op", "!!"),
}


def tokenize(text: str, comma: Comma) -> list[Token]:
    """The tokens of an answer. Raises Unreadable beyond the size limits."""
    if len(text) > MAX_ANSWER:
        raise Unreadable("longer than an answer can be")
    return _Lexer(text, comma).run()


class _Lexer:
    def __init__(self, text: str, comma: Comma) -> None:
        self.text = text
        self.comma = comma
        self.at = 0
        self.tokens: list[Token] = []
        self.spaced = False
        self.pending_text = False
        self.environments = 0
        # For each open brace: whether it opened running text (its braces are then not tokens).
        self.braces: list[bool] = []

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            self._next()
        return with_numerals(written_out(resolved(with_bold_sets(self.tokens))))

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
        return char == "." and _POINT.match(self.text, self.at) is not None

    def _number(self) -> None:
        number = read_number(self.text, self.at, self.comma)
        if number is None:
            self.at += 1
            return
        self.at = number.end
        self.tokens.append(
            Token("num", number.written, self.spaced, self._in_text(), number.value, number.places)
        )
        self.spaced = False

    def _letters(self) -> None:
        match = _LETTERS.match(self.text, self.at)
        if match is None:
            self.at += 1
            return
        run = match.group(1) or match.group()
        self.at = match.end()
        for kind, text in read_letters(run, prose=self._in_text()):
            self._emit(kind, text)
        hyphened = _HYPHENED.match(self.text, self.at)
        numeral = is_numeral(run.lower()) and hyphened and is_numeral(hyphened.group(1).lower())
        if numeral or (hyphened and run.lower() == "non"):
            self.at += 1
            self.spaced = True

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
                # Text set apart from a bracket by nothing names a function of what it holds.
                self.spaced = self.spaced or not self.text.startswith("(", self.at)
            else:
                self._emit("close", "{")
        else:
            self._emit("close", "{")

    def _sign(self, char: str) -> None:
        for length in (3, 2):
            piece = self.text[self.at : self.at + length]
            if len(piece) == length and piece in _MULTI and not self._is_apart(piece):
                self.at += length
                self._emit(*_MULTI[piece])
                return
        self.at += 1
        if char in "$~":
            self.spaced = True
        elif char in ".。！？।":
            self._emit("stop", ".")
        elif char in CHARACTERS:
            self._emit(*CHARACTERS[char])
        elif char in GREEK_LETTERS:
            self._emit("sym", GREEK_LETTERS[char])
        elif char in _VULGAR:
            self._vulgar(char)
        elif not char.isascii():
            self._foreign(char)
        elif char == "#":
            self._number_sign()
        elif char not in '"`' and char.isprintable():
            self._emit("unknown", char)

    def _number_sign(self) -> None:
        """Before a word it says *number of*; before a digit it is not read."""
        after = self.text[self.at : self.at + 2].strip()
        self._emit("unknown" if after[:1].isdigit() else "word", "#")

    def _is_apart(self, piece: str) -> bool:
        """Two signs of their own: `4!=24` says what four factorial is, `y~= 2x` has TeX's blank."""
        before = self.text[max(0, self.at - 1) : self.at]
        tie = piece == "~=" and bool(before) and not before.isspace()
        return tie or (piece == "!=" and before in tuple("0123456789)"))

    def _vulgar(self, char: str) -> None:
        top, _, bottom = unicodedata.normalize("NFKC", char).partition("⁄")
        value = Fraction(int(top), int(bottom))
        self.tokens.append(Token("num", f"{top}/{bottom}", self.spaced, self._in_text(), value))
        self.spaced = False

    def _foreign(self, char: str) -> None:
        """Superscripts, other scripts' digits and letters, full-width and styled characters."""
        plain = unicodedata.normalize("NFKC", char)
        name = unicodedata.name(char, "")
        raised = "SUPERSCRIPT" in name and plain in "0123456789+-−n()"
        lowered = "SUBSCRIPT" in name and plain.isalnum()
        if raised or lowered:
            run = [plain]
            while self.at < len(self.text) and (
                ("SUPERSCRIPT" if raised else "SUBSCRIPT")
                in unicodedata.name(self.text[self.at], "")
            ):
                run.append(unicodedata.normalize("NFKC", self.text[self.at]))
                self.at += 1
            self._splice(("^" if raised else "_") + "{" + "".join(run).replace("−", "-") + "}")
        elif char.isdecimal():
            digits = [str(unicodedata.digit(char))]
            while (
                self.at < len(self.text)
                and self.text[self.at].isdecimal()
                and len(digits) < MAX_DIGITS
            ):
                digits.append(str(unicodedata.digit(self.text[self.at])))
                self.at += 1
            self._splice("".join(digits))
        elif plain != char and plain.strip():
            self._splice(plain)
        elif char.isalpha():
            self._foreign_word(char)
        elif kind := role(char):
            self._emit(kind, char)

    def _foreign_word(self, first: str) -> None:
        word = [first]
        while (
            self.at < len(self.text)
            and not self.text[self.at].isascii()
            and unicodedata.category(self.text[self.at])[0] in "LM"
        ):
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
        elif name in ("mathbf", "boldsymbol", "bm") and (bold := _BOLD.match(self.text, self.at)):
            self.at = bold.end()
            self._emit("bold", bold.group(1) or bold.group(2))
        elif name in ("operatorname", "operatorname*"):
            self._operator()
        elif name in ACCENTS or name in ARROWS or name in ("angle", "measuredangle"):
            self._accent(name)
        elif name in MARKS:
            self._emit("mark", name)
        elif name in DROPPED_COMMANDS and (argument := _BRACED.match(self.text, self.at)):
            self.at = argument.end()
        elif name in ("left", "right"):
            self._sized(name)
        elif name in "()[]" or name in IGNORED_COMMANDS:
            self.spaced = self.spaced or name in ",;:> " or name in "()[]"
        elif name == " ":
            self.spaced = True
        elif name in COMMANDS:
            self._emit(*COMMANDS[name])
            if name == "\\":
                self.at = row_end(self.text, self.at, within=self.environments > 0)
        elif name in GREEK:
            self._emit("sym", SPELLINGS.get(name, name))
        elif name in FUNCTIONS or name in ALIASES:
            self._emit(*read_letters(name, prose=False)[0])
        elif name == "#":
            self._number_sign()
        elif name == "root" and (index := _ROOT.match(self.text, self.at)):
            self.at = index.end()
            self._splice(f"\\sqrt[{index.group(1) or index.group(2)}]")
        else:
            self._unknown(name)

    def _unknown(self, name: str) -> None:
        r"""A command run together with a letter after it (`\quadx`, `\pir`), or a new one."""
        head = name[:-1]
        known = head in COMMANDS or head in GREEK or head in FUNCTIONS or head in IGNORED_COMMANDS
        if len(head) > 1 and name.isalpha() and known:
            self._splice(f"\\{head} {name[-1]}")
        else:
            self._emit("unknown", f"\\{name}")

    def _operator(self) -> None:
        r"""`\operatorname{lcm}` is a known function, a unit or word, or an unknown function."""
        match = _NAME.match(self.text, self.at)
        if match is None:
            self._emit("unknown", "\\operatorname")
            return
        self.at = match.end()
        kind, text = read_letters(match.group(1), prose=True)[0]
        if kind == "word" and match.group(2) and not binds(text):
            kind, text = "fn", f"apply:{text}"
        self._emit(kind, text)

    def _accent(self, name: str) -> None:
        found = accented(name, self.text, self.at)
        if found is None:
            self._emit("unknown", f"\\{name}")
            return
        token, self.at = found
        if token is not None:
            self._emit(*token)

    def _opens_brace(self) -> bool:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        return self.text.startswith("{", self.at)

    def _sized(self, side: str) -> None:
        r"""`\left|` and `\right|` say which side a bar is on; a dot there is nothing."""
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
            self._emit("unknown", f"\\{which}")
            return
        self.at = match.end()
        self.environments += 1 if which == "begin" else -1
        name = match.group(1).rstrip("*")
        if name not in ENVIRONMENTS:
            self._emit("unknown", f"\\{which}{{{name}}}")
        elif bracket := ENVIRONMENTS[name]:
            self._emit("open" if which == "begin" else "close", bracket)
        else:
            self.spaced = True

    def _blackboard(self) -> None:
        match = _SET_LETTER.match(self.text, self.at)
        if match is None:
            self._emit("unknown", "\\mathbb")
            return
        self.at = match.end()
        self._emit("sym", BLACKBOARD.get(match.group(1), match.group(1)))
