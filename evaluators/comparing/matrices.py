"""Sums, products and multiples of written matrices, worked out entry by entry."""

from fractions import Fraction

from evaluators.nodes import Listing, Mat, Node, Num, Op, Rel, Seq, Sym, negated

# A product of matrices beyond this size is left as written, entries of a factor.
MAX_FACTOR = 36
# A determinant beyond this order is left as written.
MAX_ORDER = 4


def reduced(node: Node) -> Node:
    """The node with matrix arithmetic carried out where the shapes allow it."""
    match node:
        case Op(name=name, args=args):
            return _operation(name, tuple(reduced(arg) for arg in args))
        case Listing(items=items, joiner=joiner):
            return Listing(tuple(reduced(item) for item in items), joiner)
        case Rel(ops=ops, args=args):
            return Rel(ops, tuple(reduced(arg) for arg in args))
    return node


def _operation(name: str, args: tuple[Node, ...]) -> Node:
    plain = Op(name, args)
    matrices = [arg for arg in args if isinstance(arg, Mat)]
    if name == "det" and matrices and set(_shape(matrices[0])) <= {len(matrices[0].rows)}:
        return _determinant(matrices[0].rows) if len(matrices[0].rows) <= MAX_ORDER else plain
    if name == "pow" and isinstance(args[0], Seq) and args[1] == Sym("T"):
        return Mat(tuple((item,) for item in args[0].items)) if args[0].items else plain
    if not matrices:
        return plain
    if name == "add" and len(matrices) == len(args) and len({_shape(m) for m in matrices}) == 1:
        return _entrywise(matrices)
    if name == "neg":
        return _scaled(Num(Fraction(-1)), matrices[0])
    if name == "pow" and len(matrices) == 1 and args[1] == Sym("T"):
        return Mat(tuple(zip(*matrices[0].rows, strict=True)))
    if name == "mul":
        return _product(args) or plain
    if name == "div" and len(matrices) == 1 and isinstance(args[0], Mat):
        return _scaled(Op("div", (Num(Fraction(1)), args[1])), args[0])
    return plain


def _determinant(rows: tuple[tuple[Node, ...], ...]) -> Node:
    """The determinant, by expansion along the first row."""
    if len(rows) == 1:
        return rows[0][0]
    terms = []
    for index, entry in enumerate(rows[0]):
        minor = tuple((*row[:index], *row[index + 1 :]) for row in rows[1:])
        term = Op("mul", (entry, _determinant(minor)))
        terms.append(negated(term) if index % 2 else term)
    return Op("add", tuple(terms))


def _shape(matrix: Mat) -> "tuple[int, int]":
    return len(matrix.rows), len(matrix.rows[0])


def _entrywise(matrices: list[Mat]) -> Mat:
    rows, columns = _shape(matrices[0])
    return Mat(
        tuple(
            tuple(Op("add", tuple(m.rows[i][j] for m in matrices)) for j in range(columns))
            for i in range(rows)
        )
    )


def _scaled(factor: Node, matrix: Mat) -> Mat:
    return Mat(tuple(tuple(Op("mul", (factor, entry)) for entry in row) for row in matrix.rows))


def _product(args: tuple[Node, ...]) -> Mat | None:
    result: Node = args[0]
    for factor in args[1:]:
        if isinstance(result, Mat) and isinstance(factor, Mat):
            rows, inner = _shape(result)
            if inner != len(factor.rows) or rows * inner > MAX_FACTOR:
                return None
            result = _multiplied(result, factor)
        elif isinstance(result, Mat):
            result = _scaled(factor, result)
        elif isinstance(factor, Mat):
            result = _scaled(result, factor)
        else:
            result = Op("mul", (result, factor))
    return result if isinstance(result, Mat) else None


def _multiplied(a: Mat, b: Mat) -> Mat:
    columns = list(zip(*b.rows, strict=True))
    return Mat(
        tuple(
            tuple(
                Op("add", tuple(Op("mul", (x, y)) for x, y in zip(row, column, strict=True)))
                for column in columns
            )
            for row in a.rows
        )
    )
