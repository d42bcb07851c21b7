"""A formula's items to a tree: precedence climbing over LaTeX, ASCII and Unicode notation."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from evaluators.nodes import Based, Node, Num, Op, Quantity, Seq, Sym, Unreadable, negated
from evaluators.reading.brackets import read_group
from evaluators.reading.digits import continued_decimal
from evaluators.reading.functions import SUM_STRENGTH, read_function
from evaluators.reading.terms import (
    HALF_LINES,
    arrangements,
    base_of,
    choice,
    combined,
    half_line,
    is_natural,
    is_special,
    label,
    left_scripted,
    letters,
)
from evaluators.reading.tokens import Token
from evaluators.reading.tree import Group, Item

# Nested operators and arguments; a tower deeper than this is not read.
MAX_NESTING = 100

# Binding strength of binary operators; juxtaposition binds like a product.
_SET, _RATIO, _SUM, _PRODUCT, _SIGN = 5, 8, SUM_STRENGTH, 20, 25
_BINARY = {
    "cup": _SET,
    "cap": _SET,
    "setminus": _SET,
    "to": _SET,
    "over": 4,
    "choose": 4,
    ":": _RATIO,
    "mod": _PRODUCT,
    "modulo": _RATIO + 1,
    "+": _SUM,
    "-": _SUM,
    "pm": _SUM,
    "mp": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
}
_POSTFIX = {"!": "fact", "!!": "fact2", "%": "percent", "deg": "deg", "'": "prime", "''": "prime"}
_APPLIED = frozenset({"f", "g", "h", "F", "G", "H"})

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

    def peek(self, ahead: int = 0) -> Item | None:
        index = self.at + ahead
        return self.items[index] if index < len(self.items) else None

    def sign(self, ahead: int = 0) -> str:
        item = self.peek(ahead)
        return item.text if isinstance(item, Token) and item.kind == "op" else ""

    def expression(self, strength: int) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        left = self.signed() if strength <= _SIGN else self.power()
        left = self.continued(left, strength)
        self.depth -= 1
        return left

    def continued(self, left: Node, strength: int) -> Node:
        while (item := self.peek()) is not None:
            sign = self.sign()
            if sign in _BINARY:
                if _BINARY[sign] < strength:
                    break
                self.at += 1
                left = combined(sign, left, self.expression(_BINARY[sign] + 1))
            elif self.begins_operand(item):
                if strength > _PRODUCT:
                    break
                left = self.juxtaposed(left, item)
            else:
                break
        return left

    def juxtaposed(self, left: Node, item: Item) -> Node:
        if left == Sym("Reals") and isinstance(item, Group) and item.opening in ("{", "set"):
            self.at += 1
            out = read_group(item, self.read_answer)
            return Op("setminus", (left, out if isinstance(out, Seq) else Seq((out,), "{", "}")))
        right = self.expression(_SIGN + 1)
        if isinstance(left, Num) and isinstance(right, Num) and isinstance(item, Token):
            raise Unreadable("two numbers side by side")
        return combined("*", left, right)

    def begins_operand(self, item: Item) -> bool:
        if isinstance(item, Group):
            return True
        return item.kind in ("num", "sym", "fn", "word") or item.text == "deg"

    def signed(self) -> Node:
        sign = self.sign()
        if sign in ("-", "+", "pm", "mp"):
            count = 0
            minus = False
            while self.sign() in ("-", "+"):
                minus ^= self.sign() == "-"
                self.at += 1
                count += 1
            if self.sign() in ("pm", "mp"):
                name = self.sign()
                self.at += 1
                return Op(name, (self.expression(_SUM + 1),))
            operand = self.expression(_SUM + 1) if not minus else self.expression(_PRODUCT)
            return negated(operand) if minus else operand
        return self.power()

    def power(self) -> Node:
        base = self.postfixed(self.operand())
        while self.sign() == "^":
            self.at += 1
            base = self.postfixed(self.raised(base))
        return base

    def raised(self, base: Node) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        node = self.one_raised(base)
        self.depth -= 1
        return node

    def one_raised(self, base: Node) -> Node:
        item = self.peek()
        if isinstance(item, Group) and item.opening == "{" and len(item.items) == 1:
            item = item.items[0]
        if isinstance(item, Token):
            if base == Sym("Reals") and item.text in ("+", "-"):
                self.at += 1
                return half_line(item.text)
            if item.kind == "op" and item.text in _POSTFIX:
                self.at += 1
                return Op(_POSTFIX[item.text], (base,))
            if item.kind == "sym" and item.text == "o" and isinstance(base, Num):
                self.at += 1
                return Op("deg", (base,))
            if item.kind == "word" and item.text in ("th", "st", "nd", "rd"):
                self.at += 1
                return base
            if base == Sym("Reals") and item.text == "*":
                self.at += 1
                return Op("setminus", (base, Seq((Num(Fraction(0)),), "{", "}")))
            alone = self.peek() is not item or self.peek(1) is None
            if item.kind == "op" and item.text in ("*", "+", "-") and alone:
                self.at += 1
                return Op(f"mark:{item.text}", (base,))
        if self.peek() is None:
            raise Unreadable("a power without exponent")
        minus = False
        while self.sign() in ("-", "+"):
            minus ^= self.sign() == "-"
            self.at += 1
        exponent = self.power() if not isinstance(self.peek(), Group) else self.operand()
        if self.sign() == "^":
            self.at += 1
            exponent = self.raised(exponent)
        return Op("pow", (base, negated(exponent) if minus else exponent))

    def postfixed(self, node: Node) -> Node:
        while (sign := self.sign()) in _POSTFIX:
            self.at += 1
            self.depth += 1
            if self.depth > MAX_NESTING:
                raise Unreadable("nested too deeply")
            node = Op(_POSTFIX[sign], (node,))
        return self.without_scale(node)

    def without_scale(self, node: Node) -> Node:
        r"""`10^\circ C`: a temperature; the letter names the scale."""
        after = self.peek()
        scale = (
            isinstance(after, Token) and after.kind in ("sym", "word") and after.text in ("C", "F")
        )
        if isinstance(node, Op) and node.name == "deg" and scale and isinstance(after, Token):
            self.at += 1
            return Quantity(node.args[0], "celsius" if after.text == "C" else "fahrenheit")
        return node

    def operand(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply")
        node = self.one_operand()
        self.depth -= 1
        return node

    def one_operand(self) -> Node:
        item = self.peek()
        if item is None:
            raise Unreadable("an operand is missing")
        if chosen := left_scripted(self.items[self.at : self.at + 6]):
            node, length = chosen
            self.at += length
            return node
        self.at += 1
        if isinstance(item, Group):
            return read_group(item, self.read_answer)
        if item.kind == "num":
            return self.number(item)
        if item.kind == "sym":
            return self.symbol(item)
        if item.kind == "fn":
            return read_function(self, item.text)
        if item.kind == "word":
            return self.symbol(item) if len(item.text) == 1 else letters(item)
        if item.kind == "money":
            return self.signed() if self.sign() in ("-", "+") else self.operand()
        if item.kind == "op" and item.text == "deg":
            return Op("deg", (Num(Fraction(1)),))
        if item.kind == "op" and item.text == "!":
            raise Unreadable("a factorial sign before a value")
        raise Unreadable(f"{item.text!r} where a value should be")

    def number(self, token: Token) -> Node:
        value = token.value if token.value is not None else Fraction(0)
        if self.sign() == "_":
            self.at += 1
            return Based(token.text, base_of(self.label_items()))
        after = self.peek()
        if (
            token.places
            and isinstance(after, Token)
            and after.text == "..."
            and len(self.items) == self.at + 1
        ):
            self.at += 1
            return Num(continued_decimal(token.text, value))
        number = Num(value, token.places)
        if token.places is None and value.denominator == 1 and (fraction := self.fraction_after()):
            return Num(value + fraction)
        return number

    def fraction_after(self) -> Fraction | None:
        r"""The fraction of a mixed number: `2\frac{1}{2}`, `2 1/2`, `2½`."""
        item = self.peek()
        if isinstance(item, Token) and item.kind == "fn" and item.text == "frac":
            saved = self.at
            self.at += 1
            top, bottom = self.fraction_part(), self.fraction_part()
            if is_natural(top) and is_natural(bottom) and top.value < bottom.value:
                return top.value / bottom.value
            self.at = saved
            return None
        if not isinstance(item, Token) or item.kind != "num" or item.value is None:
            return None
        if item.value.denominator != 1 and item.places is None:
            self.at += 1
            return item.value
        after = self.peek(2)
        if not (self.sign(1) == "/" and item.spaced and isinstance(after, Token)):
            return None
        if (
            after.value
            and item.places is None
            and after.places is None
            and item.value < after.value
        ):
            self.at += 3
            return item.value / after.value
        return None

    def symbol(self, token: Token) -> Node:
        name = token.text
        if is_special(name, self.items[self.at : self.at + 3]):
            return read_function(self, name)
        after = self.peek()
        if name == "Delta" and isinstance(after, Token) and after.kind == "sym":
            self.at += 1
            name = f"{name} {after.text}"
        if self.sign() == "_":
            self.at += 1
            name = f"{name}_{label(self.label_items())}"
        if name in HALF_LINES:
            return half_line(HALF_LINES[name])
        while self.sign() in ("'", "''"):
            name += self.sign()
            self.at += 1
        if counted := self.counted(token.text, name):
            return counted
        group = self.peek()
        if name == "C" and isinstance(group, Group) and (node := choice(group.items)):
            self.at += 1
            return node
        if (
            isinstance(group, Group)
            and group.opening == "("
            and not group.spaced
            and (name.split("'")[0] in _APPLIED)
        ):
            self.at += 1
            return Op(f"apply:{name}", (read_group(group, self.read_answer),))
        return Sym(name)

    def counted(self, letter: str, name: str) -> Node | None:
        """`C_{10}^{3}` and `A_5^2`: combinations and arrangements, both numbers written."""
        total = name.partition("_")[2]
        if letter not in ("C", "A") or not total.isdecimal() or self.sign() != "^":
            return None
        saved = self.at
        self.at += 1
        chosen, whole = self.argument(), Num(Fraction(int(total[:6])))
        if not is_natural(chosen):
            self.at = saved
            return None
        return Op("binom", (whole, chosen)) if letter == "C" else arrangements(whole, chosen)

    def label_items(self) -> list[Item]:
        item = self.peek()
        self.at += 1
        if isinstance(item, Group):
            return list(item.items)
        if item is None:
            raise Unreadable("a subscript is missing")
        return [item]

    def argument(self) -> Node:
        """One TeX argument: a group, or one item."""
        item = self.peek()
        if isinstance(item, Group):
            self.at += 1
            if item.opening == "{":
                return self.inside(item.items)
            return read_group(item, self.read_answer)
        if isinstance(item, Token) and item.kind == "op" and item.text in "+-":
            return self.signed()
        return self.operand()

    def inside(self, items: Sequence[Item]) -> Node:
        reader = _Reader(list(items), self.read_answer, self.depth + 1)
        node = reader.expression(0)
        if reader.at < len(reader.items):
            return self.read_answer(list(items))
        return node

    def fraction_part(self) -> Node:
        """An argument of a fraction; of digits run together, TeX takes the first only."""
        item = self.peek()
        if (
            isinstance(item, Token)
            and item.kind == "num"
            and len(item.text) > 1
            and item.text.isdigit()
        ):
            rest = item.text[1:]
            self.items[self.at] = Token("num", rest, False, item.prose, Fraction(rest))
            return Num(Fraction(item.text[0]))
        if item is None:
            raise Unreadable("a fraction without its parts")
        return self.argument()
