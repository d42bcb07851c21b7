"""A formula's items to a tree: precedence climbing over LaTeX, ASCII and Unicode notation."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeGuard

from evaluators.brackets import read_group
from evaluators.lexer import Token
from evaluators.nodes import Based, Node, Num, Op, Sym, Unreadable, negated
from evaluators.tree import Group, Item
from evaluators.vocabulary import FUNCTIONS

# Nested operators and arguments; a tower deeper than this is not read.
MAX_NESTING = 80
# Largest base a subscript on digits can name.
MAX_BASE = 36

# Binding strength of binary operators; juxtaposition binds like a product.
_SET, _RATIO, _SUM, _PRODUCT, _SIGN, _POWER = 5, 8, 10, 20, 25, 30
_BINARY = {"cup": _SET, "cap": _SET, "setminus": _SET, "to": _SET, "over": 4, "choose": 4, ":": _RATIO,
           "mod": _PRODUCT, "+": _SUM, "-": _SUM, "pm": _SUM, "mp": _SUM, "*": _PRODUCT, "/": _PRODUCT}
_NAMES = {"+": "add", "*": "mul", "/": "div", "over": "div", ":": "ratio", "choose": "binom"}
_POSTFIX = {"!": "fact", "%": "percent", "deg": "deg", "'": "prime", "''": "prime"}
_APPLIED = frozenset({"f", "g", "h", "F", "G", "H"})
_BOUNDED = frozenset({"sum", "prod", "int", "lim"})

ReadAnswer = Callable[[list[Item]], Node]


def read_formula(items: Sequence[Item], read_answer: ReadAnswer) -> Node:
    """The tree of a formula without relations. Raises Unreadable when it is not one."""
    reader = _Reader(list(items), read_answer, 0)
    node = reader.expression(0)
    if reader.at < len(reader.items):
        raise Unreadable("something after the formula")
    return node


class _Reader:
    def __init__(self, items: list[Item], read_answer: ReadAnswer, depth: int) -> None:
        if depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        self.items = items
        self.at = 0
        self.read_answer = read_answer
        self.depth = depth

    def _peek(self, ahead: int = 0) -> Item | None:
        index = self.at + ahead
        return self.items[index] if index < len(self.items) else None

    def _sign(self, ahead: int = 0) -> str:
        item = self._peek(ahead)
        return item.text if isinstance(item, Token) and item.kind == "op" else ""

    def expression(self, strength: int) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        left = self._signed() if strength <= _SIGN else self._power()
        left = self._continued(left, strength)
        self.depth -= 1
        return left

    def _continued(self, left: Node, strength: int) -> Node:
        while (item := self._peek()) is not None:
            sign = self._sign()
            if sign in _BINARY:
                if _BINARY[sign] < strength:
                    break
                self.at += 1
                left = _combined(sign, left, self.expression(_BINARY[sign] + 1))
            elif self._begins_operand(item):
                if strength > _PRODUCT:
                    break
                left = self._juxtaposed(left, item)
            else:
                break
        return left

    def _juxtaposed(self, left: Node, item: Item) -> Node:
        right = self.expression(_SIGN + 1)
        if isinstance(left, Num) and isinstance(right, Num) and isinstance(item, Token):
            raise Unreadable("two numbers side by side")
        return _combined("*", left, right)

    def _begins_operand(self, item: Item) -> bool:
        if isinstance(item, Group):
            return True
        return item.kind in ("num", "sym", "fn", "word") or item.text == "deg"

    def _signed(self) -> Node:
        sign = self._sign()
        if sign in ("-", "+", "pm", "mp"):
            count = 0
            minus = False
            while self._sign() in ("-", "+"):
                minus ^= self._sign() == "-"
                self.at += 1
                count += 1
            if self._sign() in ("pm", "mp"):
                name = self._sign()
                self.at += 1
                return Op(name, (self.expression(_SUM + 1),))
            operand = self.expression(_SUM + 1) if not minus else self.expression(_PRODUCT)
            return negated(operand) if minus else operand
        return self._power()

    def _power(self) -> Node:
        base = self._postfixed(self._operand())
        while self._sign() == "^":
            self.at += 1
            base = self._postfixed(self._raised(base))
        return base

    def _raised(self, base: Node) -> Node:
        item = self._peek()
        if isinstance(item, Group) and item.opening == "{" and len(item.items) == 1:
            item = item.items[0]
        if isinstance(item, Token):
            if item.kind == "op" and item.text in _POSTFIX:
                self.at += 1
                return Op(_POSTFIX[item.text], (base,))
            if item.kind == "word" and item.text in ("th", "st", "nd", "rd"):
                self.at += 1
                return base
            if item.kind == "op" and item.text in ("*", "+", "-") and self._peek() is not item:
                self.at += 1
                return Op(f"mark:{item.text}", (base,))
        if self._peek() is None:
            raise Unreadable("a power without exponent")
        minus = False
        while self._sign() in ("-", "+"):
            minus ^= self._sign() == "-"
            self.at += 1
        exponent = self._power() if not isinstance(self._peek(), Group) else self._operand()
        if self._sign() == "^":
            self.at += 1
            exponent = self._raised(exponent)
        return Op("pow", (base, negated(exponent) if minus else exponent))

    def _postfixed(self, node: Node) -> Node:
        while (sign := self._sign()) in _POSTFIX:
            self.at += 1
            self.depth += 1
            if self.depth > MAX_NESTING:
                raise Unreadable("nested too deeply")
            if sign == "'" and _POSTFIX[sign] == "prime" and isinstance(node, Op) and node.name == "deg":
                minutes = node
                node = Op("add", (minutes,))
            node = Op(_POSTFIX[sign], (node,))
        return node

    def _operand(self) -> Node:
        item = self._peek()
        if item is None:
            raise Unreadable("an operand is missing")
        self.at += 1
        if isinstance(item, Group):
            return read_group(item, self.read_answer)
        if item.kind == "num":
            return self._number(item)
        if item.kind == "sym":
            return self._symbol(item)
        if item.kind == "fn":
            return self._function(item.text)
        if item.kind == "word":
            return _letters(item)
        if item.kind == "op" and item.text == "deg":
            return Op("deg", (Num(Fraction(1)),))
        raise Unreadable(f"{item.text!r} where a value should be")

    def _number(self, token: Token) -> Node:
        value = token.value if token.value is not None else Fraction(0)
        if self._sign() == "_":
            self.at += 1
            return Based(token.text, _base(self._argument()))
        number = Num(value, token.places)
        if token.places is None and value.denominator == 1 and (fraction := self._fraction_after()):
            return Num(value + fraction)
        return number

    def _fraction_after(self) -> Fraction | None:
        """The fraction of a mixed number: `2\\frac{1}{2}`, `2 1/2`, `2½`."""
        item = self._peek()
        if isinstance(item, Token) and item.kind == "fn" and item.text == "frac":
            saved = self.at
            self.at += 1
            top, bottom = self._fraction_part(), self._fraction_part()
            if _is_natural(top) and _is_natural(bottom) and bottom.value:
                return top.value / bottom.value
            self.at = saved
            return None
        if not isinstance(item, Token) or item.kind != "num" or item.value is None:
            return None
        if item.value.denominator != 1 and item.places is None:
            self.at += 1
            return item.value
        after = self._peek(2)
        if self._sign(1) == "/" and item.spaced and isinstance(after, Token) and after.kind == "num":
            if item.value < (after.value or 0) and after.places is None and item.places is None:
                self.at += 3
                return item.value / (after.value or Fraction(1))
        return None

    def _symbol(self, token: Token) -> Node:
        name = token.text
        if self._sign() == "_":
            self.at += 1
            name = f"{name}_{_label(self._label_items())}"
        while self._sign() in ("'", "''"):
            name += self._sign()
            self.at += 1
        group = self._peek()
        if isinstance(group, Group) and group.opening == "(" and not group.spaced and (
            name.split("'")[0] in _APPLIED
        ):
            self.at += 1
            return Op(f"apply:{name}", (read_group(group, self.read_answer),))
        return Sym(name)

    def _label_items(self) -> list[Item]:
        item = self._peek()
        self.at += 1
        if isinstance(item, Group):
            return list(item.items)
        if item is None:
            raise Unreadable("a subscript is missing")
        return [item]

    def _argument(self) -> Node:
        """One TeX argument: a group, or one item."""
        item = self._peek()
        if isinstance(item, Group):
            self.at += 1
            if item.opening == "{":
                return self._inside(item.items)
            return read_group(item, self.read_answer)
        if isinstance(item, Token) and item.kind == "op" and item.text in "+-":
            return self._signed()
        return self._operand()

    def _inside(self, items: Sequence[Item]) -> Node:
        reader = _Reader(list(items), self.read_answer, self.depth + 1)
        node = reader.expression(0)
        if reader.at < len(reader.items):
            return self.read_answer(list(items))
        return node

    def _fraction_part(self) -> Node:
        """An argument of a fraction; of digits run together, TeX takes the first only."""
        item = self._peek()
        if isinstance(item, Token) and item.kind == "num" and len(item.text) > 1 and item.text.isdigit():
            rest = item.text[1:]
            self.items[self.at] = Token("num", rest, False, item.prose, Fraction(rest))
            return Num(Fraction(item.text[0]))
        if item is None:
            raise Unreadable("a fraction without its parts")
        return self._argument()

    def _function(self, name: str) -> Node:
        if name in ("frac", "binom") and not self._at_parenthesis():
            return Op("div" if name == "frac" else "binom", (self._fraction_part(), self._fraction_part()))
        if name == "sqrt":
            return self._root()
        if name == "overline":
            return Op("overline", (self._argument(),))
        if name in _BOUNDED:
            return self._bounded(name)
        if name == "pmod":
            raise Unreadable("a residue class")
        return self._applied(name)

    def _at_parenthesis(self) -> bool:
        item = self._peek()
        return isinstance(item, Group) and item.opening == "("

    def _root(self) -> Node:
        item = self._peek()
        index: Node = Num(Fraction(2))
        if isinstance(item, Group) and item.opening == "[" and len(self.items) > self.at + 1:
            index = read_group(item, self.read_answer, plain=True)
            self.at += 1
        radicand = self._argument()
        return Op("root", (radicand, index))

    def _applied(self, name: str) -> Node:
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):
            if self._sign() == "_":
                self.at += 1
                base = self._argument()
            elif self._sign() == "^":
                self.at += 1
                power = self._argument()
        arguments = self._arguments()
        if name == "log" and base is not None:
            node: Node = Op("logb", (arguments[0], base))
        elif base is not None:
            node = Op(f"{name}_", (*arguments, base))
        else:
            node = Op(name, arguments)
        return node if power is None else _raised_function(name, node, power, arguments)

    def _arguments(self) -> tuple[Node, ...]:
        item = self._peek()
        if isinstance(item, Group) and item.opening in ("(", "["):
            self.at += 1
            inner = read_group(item, self.read_answer)
            parts = getattr(inner, "items", None)
            return tuple(parts) if parts else (inner,)
        if item is None:
            raise Unreadable("a function without argument")
        return (self._bare_argument(),)

    def _bare_argument(self) -> Node:
        """`\\sin 2x`: a juxtaposed product, up to a sign, another function or a bracket after it."""
        if self._sign() in ("-", "+"):
            return self._signed()
        node = self._power()
        while (item := self._peek()) is not None:
            if self._sign() == "/" and not isinstance(node, Op):
                self.at += 1
                node = _combined("/", node, self._power())
                continue
            simple = isinstance(item, Token) and (item.kind in ("num", "sym") or item.text == "frac")
            if not simple:
                break
            node = _combined("*", node, self._power())
        return node

    def _bounded(self, name: str) -> Node:
        """`\\sum_{k=1}^{n} body`: the body reaches to the next sum sign."""
        lower: Node | None = None
        upper: Node | None = None
        for _ in range(2):
            if self._sign() == "_":
                self.at += 1
                lower = self.read_answer(self._label_items())
            elif self._sign() == "^":
                self.at += 1
                upper = self._argument()
        body = self.expression(_SUM + 1)
        return Op(name, tuple(part for part in (body, lower, upper) if part is not None))


def _combined(sign: str, left: Node, right: Node) -> Node:
    if sign in ("+", "-"):
        terms = left.args if isinstance(left, Op) and left.name == "add" else (left,)
        return Op("add", (*terms, right if sign == "+" else negated(right)))
    if sign == "*" and isinstance(left, Op) and left.name == "mul":
        return Op("mul", (*left.args, right))
    return Op(_NAMES.get(sign, sign), (left, right))


def _raised_function(name: str, node: Node, power: Node, arguments: tuple[Node, ...]) -> Node:
    """`\\sin^2 x` is a power, `\\sin^{-1} x` the inverse function."""
    inverse = isinstance(power, Num) and power.value == -1
    if inverse and f"arc{name}" in FUNCTIONS:
        return Op(f"arc{name}", arguments)
    return Op("pow", (node, power))


def _is_natural(node: Node) -> TypeGuard[Num]:
    return isinstance(node, Num) and node.places is None and node.value.denominator == 1


def _letters(token: Token) -> Node:
    """Letters run together where a value must stand are a product of variables."""
    if len(token.text) == 1:
        return Sym(token.text)
    if token.prose or not token.text.isascii():
        raise Unreadable("a word inside a formula")
    return Op("mul", tuple(Sym(letter) for letter in token.text))


def _base(node: Node) -> int:
    if isinstance(node, Num) and node.value.denominator == 1 and 2 <= node.value <= MAX_BASE:
        return int(node.value)
    raise Unreadable("a subscript that is no base")


def _label(items: Sequence[Item]) -> str:
    """A subscript as part of a name."""
    pieces = []
    for item in items:
        pieces.append(_label(item.items) if isinstance(item, Group) else item.text)
    return "".join(pieces)
